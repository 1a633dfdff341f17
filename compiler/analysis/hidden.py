"""Which weights optimizers treat in another way: those of hidden layers, and those of norms.

Hidden layers are convolutions and linear layers that have another one before them and another one
after them. `optimizer muon` orthogonalizes their steps. All others read the images, or give the
logits, of auxiliary heads too.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from ..network import Network, Node
from ..ops.base import Weight
from ..shapes import size
from .setting import Setting


def matrices(node: Node) -> list[Weight]:
    """The weights of a layer that are matrices, of outputs times inputs."""
    if node.op.kind not in ("conv", "linear"):
        return []
    return [weight for weight in node.weights if len(weight.shape) > 1]


def hidden_layers(network: Network) -> frozenset[int]:
    """The indices of the hidden layers."""
    has = [bool(matrices(node)) for node in network.nodes]
    one_before, one_after = [False] * len(has), [False] * len(has)
    for node in network.nodes:
        sources = [source.index for source in node.sources]
        one_before[node.index] = any(has[index] or one_before[index] for index in sources)
    for node in reversed(network.nodes):
        for source in node.sources:
            one_after[source.index] |= has[node.index] or one_after[node.index]
    found = zip(has, one_before, one_after, strict=True)
    return frozenset(index for index, each in enumerate(found) if all(each))


def hidden_weights(network: Network) -> frozenset[str]:
    """The names of the matrices of hidden layers, as in the state dict."""
    nodes = [network.nodes[index] for index in hidden_layers(network)]
    return frozenset(f"{node.name}.{each.name}" for node in nodes for each in matrices(node))


def norm_weights(network: Network) -> frozenset[str]:
    """The names of the weights of norms, as in the state dict: `norm_lr` is for them."""
    return frozenset(
        f"{node.name}.{weight.name}"
        for node in network.nodes
        if node.op.normalizes
        for weight in node.weights
        if weight.trainable
    )


class _Matrices(NamedTuple):
    """Matrices of one size, which are orthogonalized together."""

    groups: int
    rows: int
    columns: int


def orthogonalization_scratch(network: Network, setting: Setting) -> int:
    """Bytes that the orthogonalization needs temporarily (training/optim/muon.py)."""
    together: Counter[_Matrices] = Counter()
    for index in hidden_layers(network) - setting.frozen:
        node = network.nodes[index]
        for weight in matrices(node):
            if weight.trainable:
                together[_as_matrices(weight, node)] += 1
    return max((_scratch(*each, setting) for each in together.items()), default=0)


def _as_matrices(weight: Weight, node: Node) -> _Matrices:
    outputs, inside = weight.shape[:2]
    groups = max(1, node.input_shapes[0][0] // inside)
    return _Matrices(groups, outputs // groups, size(weight.shape[1:]))


def _scratch(each: _Matrices, count: int, setting: Setting) -> int:
    """On the CPU: the matrices themselves, those of an iteration and of the next one, and two
    products of each with itself. On a GPU, all but the first in two bytes per element."""
    count *= each.groups
    elements = count * each.rows * each.columns
    products = count * min(each.rows, each.columns) ** 2
    if setting.device == "cuda":
        return 8 * elements + 4 * products
    return 12 * elements + 8 * products
