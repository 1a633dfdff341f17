"""Which channels of each layer are in a page, so that the page stays within its size.

Layers that pass channels on one by one (normalization, activation, pooling, sums, depthwise
convolutions) show the same channels as the layers before them, so that a channel can be followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod, sqrt

import torch
from torch import Tensor

from ....compiler.network import Network, Node
from ....compiler.ops.base import Weight
from ....compiler.ops.merge import Concat
from ..layer_figures import strength

MOST = 64
"""The most channels of a layer that has maps, if not all layers fit in full."""
MOST_NUMBERS = 2**15
"""The most numbers of a vector: longer ones are left out if not everything fits."""
_ROUNDS = 3
LISTED = 48
"""Of a fully connected layer whose weights do not fit: the products kept for each output."""
REDUCED = 4
"""The channels of a layer whose maps are too large: they are reduced to a few pixels."""
_SHARE = 0.15
"""The share of a page that reduced maps may have."""
_MOST_PIXELS, _LEAST_PIXELS = 256, 16
SMALL = 2**12
"""Matrices of at most this many numbers are there in full."""


@dataclass(frozen=True)
class Choice:
    channels: Mapping[int, tuple[int, ...]]
    """By index of the node, in the order of their numbers; of a vector, its elements."""
    exact: bool
    """Whether all values and weights are there with 32 bits."""
    complete: bool
    """Whether all channels and weights are there."""
    reduced: Mapping[int, int] = field(default_factory=dict)
    """Of layers whose maps are too large: the longer side of the reduced maps that are there."""


def flat(node: Node) -> bool:
    """Whether the output is a vector, or maps of one pixel."""
    return prod(node.shape[1:]) == 1


def choose(
    network: Network, outputs: Mapping[int, Tensor], room: float, derived: Iterable[int] = ()
) -> Choice:
    """The channels that fit into `room` bytes; `derived` layers need none, because they are
    computed from the layer before."""
    nodes = [node for node in network.nodes if node.index in outputs]
    groups = _groups(nodes)
    images = len(next(iter(outputs.values())))
    skipped = set(derived)
    everything = {node.index: node.shape[0] for node in nodes}
    total = sum(_bytes(node, everything, images, 2, True, skipped) for node in nodes)
    if total <= room:
        channels = {node.index: tuple(range(node.shape[0])) for node in nodes}
        return Choice(channels, exact=2 * total <= room, complete=True)
    side = {
        root: max((sqrt(prod(n.shape[1:])) for n in group if not flat(n)), default=1.0)
        for root, group in groups.items()
    }

    def size(counts: Mapping[int, int]) -> float:
        return sum(_bytes(node, counts, images, 2, False, skipped) for node in nodes)

    factor = float(2**16)
    while True:
        counts = {
            # Behind maps that are too large, there may be smaller ones.
            node.index: _count(node, factor / side[root], factor)
            or _count(node, factor / sqrt(prod(node.shape[1:])), factor)
            for root, group in groups.items()
            for node in group
        }
        large = [n for n in nodes if not counts[n.index] and len(n.shape) == 3 and not flat(n)]
        left = (1 - _SHARE) * room if large else room
        if size(counts) <= left or factor < 1:
            break
        factor *= 0.85
    for _ in range(_ROUNDS):  # what is left, first to the groups with the largest maps
        for root in sorted(groups, key=lambda each: -side[each]):
            more = {
                node.index: min(counts[node.index] + 1, node.shape[0], MOST)
                for node in groups[root]
                if not flat(node)
            }
            if any(counts[n] != more[n] for n in more) and size({**counts, **more}) <= left:
                counts.update(more)
    for node in large:  # of a group that does not fit, some layers may
        free = node.index in skipped or isinstance(node.op, Concat)
        if free and not all(counts[source.index] for source in node.inputs):
            continue
        if size({**counts, node.index: 1}) <= left:
            counts[node.index] = max(counts[node.index], 1)
    large = [node for node in large if not counts[node.index]]
    pixels = sqrt(_SHARE * room / max(2 * images * REDUCED * len(large), 1))
    longer = int(min(pixels, _MOST_PIXELS)) if pixels >= _LEAST_PIXELS else 0
    return Choice(
        _strongest(groups, outputs, counts),
        exact=False,
        complete=False,
        reduced={n.index: min(longer, *n.shape[1:]) for n in large} if longer else {},
    )


def _count(node: Node, most: float, factor: float) -> int:
    if flat(node):
        return node.shape[0] if node.shape[0] <= MOST_NUMBERS and factor >= 1 else 0
    return min(node.shape[0], MOST, int(most))


def _bytes(
    node: Node,
    counts: Mapping[int, int],
    images: int,
    width: int,
    complete: bool,
    derived: set[int],
) -> float:
    """The size of a layer in a page, before compression."""
    count = counts[node.index]
    free = node.index in derived or isinstance(node.op, Concat)
    values = 0 if free else images * count * prod(node.shape[1:])
    weights = 0.0
    for weight in node.weights:
        kept = min(weight.shape[0], MOST) * images * LISTED * 3 if weight.shape else 1
        if left_out(node, weight) and not complete:
            weights += min(kept, prod(weight.shape))
            continue
        lengths = list(weight.shape)
        for axis, side in enumerate(channel_axes(node, weight)):
            if side is not None:
                lengths[axis] = count if side == "outputs" else counts[node.inputs[0].index]
        weights += prod(lengths) * (1 if len(lengths) > 1 else 2)
    return width * (values + weights)


def left_out(node: Node, weight: Weight) -> bool:
    """Whether the weight is that of a fully connected layer, or of a 1x1 convolution that is one
    (on maps of one pixel), and large: not all of it is there unless everything fits."""
    (source, *_) = node.inputs
    every = weight.shape[:2] == (node.shape[0], source.shape[0]) and not weight.inputs_first
    return every and flat(node) and flat(source) and prod(weight.shape) > SMALL


def channel_axes(node: Node, weight: Weight) -> list[str | None]:
    """What the first two axes of a weight count: channels of the `outputs`, of the (first)
    `inputs`, or something else."""
    if node.op.kind in ("pool", "filter") and len(weight.shape) == 4:
        return [None, None]  # kernels that all channels share
    sides = {"outputs": node.shape[0], "inputs": node.inputs[0].shape[0]}
    order = ("inputs", "outputs") if weight.inputs_first else ("outputs", "inputs")
    return [
        side if length == sides[side] else None
        for side, length in zip(order, weight.shape, strict=False)
    ]


# ---- layers with the same channels -----------------------------------------------------------


_PASS_ON = ("norm", "activation", "dropout", "pool", "filter", "merge", "shape")
"""Kinds of layers whose channel is computed from the channel of the same number."""


def passes_on(node: Node) -> bool:
    """Whether each channel comes from the channels of the same number, if the counts are equal."""
    if node.op.kind == "conv":
        return node.weights[0].shape[:2] == (node.inputs[0].shape[0], 1)
    return node.op.kind in _PASS_ON


def _groups(nodes: list[Node]) -> dict[int, list[Node]]:
    """The layers by group, under the index of its first layer."""
    parent = {node.index: node.index for node in nodes}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for node in nodes:
        if not node.inputs or not passes_on(node):
            continue
        for source in node.inputs:
            if source.shape[0] == node.shape[0] and source.index in parent:
                a, b = root(source.index), root(node.index)
                parent[max(a, b)] = min(a, b)
    groups: dict[int, list[Node]] = {}
    for node in nodes:
        groups.setdefault(root(node.index), []).append(node)
    return groups


def _strongest(
    groups: Mapping[int, list[Node]], outputs: Mapping[int, Tensor], counts: Mapping[int, int]
) -> dict[int, tuple[int, ...]]:
    chosen: dict[int, tuple[int, ...]] = {}
    for group in groups.values():
        order: list[int] | None = None
        for node in group:
            count, channels = counts[node.index], node.shape[0]
            if flat(node) or not count:
                chosen[node.index] = tuple(range(min(count, channels)))
                continue
            if order is None:
                order = _order(group, outputs, chosen)
            chosen[node.index] = tuple(sorted(order[:count]))
    return chosen


def _order(
    group: list[Node], outputs: Mapping[int, Tensor], chosen: Mapping[int, tuple[int, ...]]
) -> list[int]:
    """The channels of a group: those first whose magnitude, relative to the strongest channel, is
    the largest on average over the layers. After a concat, only those that it copies from channels
    in the page: they take no room."""
    total = torch.zeros(group[0].shape[0])
    for node in group:
        each = strength(outputs[node.index]).cpu().nan_to_num(0.0, 0.0, 0.0)
        total += each / each.max().clamp(min=1e-30)
    order = [int(channel) for channel in total.argsort(descending=True, stable=True)]
    for node in group:
        if isinstance(node.op, Concat):
            there = {n for n, (s, c) in enumerate(copies(node)) if c in chosen.get(s.index, ())}
            order = [channel for channel in order if channel in there]
    return order


def copies(node: Node) -> list[tuple[Node, int]]:
    """Of a concat: the input and the channel that each of its channels comes from."""
    return [(source, channel) for source in node.inputs for channel in range(source.shape[0])]
