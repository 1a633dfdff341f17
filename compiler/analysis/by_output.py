"""What each output of a network costs: all that it is computed from, and what only it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..network import Network, Node
from .cost import Cost


class OutputCost(NamedTuple):
    """Figures of one output; the costs of layers that it shares with others are in all of them."""

    name: str
    node: Node
    layers: int
    params: int
    macs: int
    own_params: int
    """Of the layers that no other output needs."""
    own_macs: int


def by_output(network: Network, costs: Sequence[Cost]) -> list[OutputCost]:
    """One entry for each output that exists in evaluation, in the order written."""
    needed = [0] * len(network.nodes)
    """By index of a node: a bit for each output that depends on it."""
    for number, output in enumerate(network.outputs):
        needed[output.node.index] |= 1 << number
    for node in reversed(network.nodes):
        for source in node.inputs:
            needed[source.index] |= needed[node.index]
    weights = [*needed]
    """The same for the weights of a layer, which others may share."""
    for node in network.nodes:
        if node.shared is not None:
            weights[node.shared.index] |= needed[node.index]
    by_needs: dict[int, list[int]] = {}
    """Layers, parameters and multiply-adds, by the outputs that need them."""
    for node in network.nodes:
        if node.inputs:
            sums = by_needs.setdefault(needed[node.index], [0, 0, 0])
            sums[0] += 1
            sums[2] += costs[node.index].macs
            by_needs.setdefault(weights[node.index], [0, 0, 0])[1] += costs[node.index].params
    entries = []
    for number, output in enumerate(network.outputs):
        own = by_needs.get(1 << number, [0, 0, 0])
        all_of = [each for needs, each in by_needs.items() if needs >> number & 1]
        layers, params, macs = (sum(column) for column in zip(*all_of, strict=True))
        entries.append(OutputCost(output.name, output.node, layers, params, macs, own[1], own[2]))
    return entries
