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
    entries = []
    for number, output in enumerate(network.outputs):
        mine = [n for n in network.nodes if n.inputs and needed[n.index] >> number & 1]
        own = [node for node in mine if needed[node.index] == 1 << number]
        read = [node for node in network.nodes if weights[node.index] >> number & 1]
        entries.append(
            OutputCost(
                output.name,
                output.node,
                len(mine),
                sum(costs[node.index].params for node in read),
                sum(costs[node.index].macs for node in mine),
                sum(costs[n.index].params for n in read if weights[n.index] == 1 << number),
                sum(costs[node.index].macs for node in own),
            )
        )
    return entries
