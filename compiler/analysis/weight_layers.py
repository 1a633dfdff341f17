"""How many weight layers a network has: convolutions and fully connected layers, counted as in the
names VGG-16, ResNet-50 and DenseNet-121.

Those names count the layers on the longest path from input to output. So a projection on a shortcut
does not count (the body beside it is longer), and of an inception module the longest path does.
What only scales a map is not on a path: the layers of a squeeze-and-excitation gate are not counted
in SENet-154. Neither are auxiliary heads, nor normalization, whose weights are its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..network import Network, Node


class WeightLayers(NamedTuple):
    longest_path: int
    """On the longest path from input to output: the number in a network's name."""
    all: int
    """On all paths, shortcuts and gates included."""


def weight_layers(network: Network) -> WeightLayers:
    main = [node for node in network.nodes if not node.aux]
    longest = _longest_paths(main)
    return WeightLayers(
        max(longest[output.node.index] for output in network.outputs),
        sum(map(is_weight_layer, main)),
    )


def weight_layers_of(part: Sequence[Node]) -> WeightLayers:
    """Of a part of a network: on the longest path inside it."""
    return WeightLayers(max(_longest_paths(part).values()), sum(map(is_weight_layer, part)))


def _longest_paths(nodes: Iterable[Node]) -> dict[int, int]:
    """By index of each node: the weight layers on the longest path that ends in it."""
    longest: dict[int, int] = {}
    for node in nodes:
        before = max((longest.get(source.index, 0) for source in _passed_on(node)), default=0)
        longest[node.index] = before + is_weight_layer(node)
    return longest


def is_weight_layer(node: Node) -> bool:
    """Whether it is a convolution or a fully connected layer. (A `filter` has no weights.)"""
    return node.op.kind in ("conv", "linear")


def _passed_on(node: Node) -> tuple[Node, ...]:
    """The inputs of a layer without those that only scale the others."""
    if not node.op.scales:
        return node.sources
    if node.scope.word == "gate":
        return node.inputs[:1]
    return tuple(source for source in node.inputs if source.shape == node.shape) or node.inputs
