"""Which channels of each layer are in a page, so that the page stays within its size.

Layers that pass channels on one by one (normalization, activation, pooling, sums, depthwise
convolutions) show the same channels as the layers before them, so that a channel can be followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod, sqrt

import torch
from torch import Tensor

from ....compiler.network import Network, Node
from ....compiler.ops.merge import Concat
from ..layer_figures import strength

MOST = 64
"""The most channels of a layer that has maps, if not all layers fit in full."""
MOST_NUMBERS = 2**15
"""The most numbers of a vector: longer ones are left out if not everything fits."""
_ROUNDS = 3
LISTED = 48
"""Of a fully connected layer whose weights do not fit: the products kept for each output."""


@dataclass(frozen=True)
class Choice:
    channels: Mapping[int, tuple[int, ...]]
    """By index of the node, in the order of their numbers; of a vector, its elements."""
    exact: bool
    """Whether all values and weights are there with 32 bits."""
    complete: bool
    """Whether all channels and weights are there."""


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
            node.index: _count(node, factor / side[root], factor)
            for root, group in groups.items()
            for node in group
        }
        if size(counts) <= room or factor < 1:
            break
        factor *= 0.85
    for _ in range(_ROUNDS):  # what is left, first to the groups with the largest maps
        for root in sorted(groups, key=lambda each: -side[each]):
            more = {
                node.index: min(counts[node.index] + 1, node.shape[0], MOST)
                for node in groups[root]
                if not flat(node)
            }
            if any(counts[n] != more[n] for n in more) and size({**counts, **more}) <= room:
                counts.update(more)
    return Choice(_strongest(groups, outputs, counts), exact=False, complete=False)


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
        if len(weight.shape) == 4:
            inputs = weight.shape[1]
            if inputs == node.inputs[0].shape[0]:
                inputs = counts[node.inputs[0].index]
            weights += count * inputs * prod(weight.shape[2:])
        elif len(weight.shape) == 2:
            kept = min(weight.shape[0], MOST) * images * LISTED * 3
            weights += prod(weight.shape) if complete else min(kept, prod(weight.shape))
        else:
            weights += 2 * min(count, *weight.shape, 10**9)
    return width * (values + weights)


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
