"""The cost of a network for one image: parameters, multiply-adds, elementwise operations, output
size. Costs are those of evaluation: dropout costs nothing, and auxiliary heads are counted
separately. A multiply-add is one product and sum of a convolution or a linear layer, and counts as
two FLOPs; biases and everything else are elementwise operations, in a separate column. All figures
are exact.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

from ...dsl.gc_pause import gc_paused
from ..network import Network, Node
from ..shapes import size
from .question import question


class Cost(NamedTuple):
    """The cost of one node, for one image."""

    trainable: int = 0
    """Trainable parameters."""
    frozen: int = 0
    """Frozen parameters, which training does not change."""
    buffers: int = 0
    """Elements of buffers: running statistics, fixed filters."""
    macs: int = 0
    elementwise: int = 0
    activations: int = 0
    """Elements of the output."""
    connections: int = 0
    """The connections that a fully connected layer between the same two shapes would have; 0
    without multiply-adds. Compared with it, `macs` shows how sparse a layer is, and `params` how
    many weights its connections share.
    """

    @property
    def params(self) -> int:
        return self.trainable + self.frozen

    @property
    def flops(self) -> int:
        return 2 * self.macs


class Totals(NamedTuple):
    """The totals of a network, for one image."""

    trainable: int
    frozen: int
    buffers: int
    macs: int
    elementwise: int
    activations: int
    """Elements written by all operations together.

    The input, views (`flatten`) and the output of a dropout are not counted.
    """
    layers: int
    """The number of operations without the input."""
    aux_params: int
    """The cost of auxiliary heads; not included in the figures above."""
    aux_macs: int

    @property
    def params(self) -> int:
        return self.trainable + self.frozen

    @property
    def flops(self) -> int:
        return 2 * self.macs


@gc_paused()
def costs(network: Network, frozen: Container[int] = ()) -> list[Cost]:
    """The cost of every node, by index; `frozen` are the indices of nodes whose weights are not
    trained.
    """
    known: dict[object, Cost] = {}
    node_costs: list[Cost] = []
    for node in network.nodes:
        key = (question(node), node.shared is None)
        cost = known.get(key)
        if cost is None:
            cost = known[key] = _cost(node)
        if cost.trainable and node.index in frozen:
            cost = cost._replace(trainable=0, frozen=cost.params)
        node_costs.append(cost)
    return node_costs


def _cost(node: Node) -> Cost:
    if not node.inputs:
        return Cost(activations=size(node.shape))
    shapes = node.input_shapes
    macs = node.op.macs(node.shape, *shapes)
    trainable = fixed = buffers = 0
    for weight in node.weights:
        if weight.trainable:
            trainable += size(weight.shape)
        elif weight.fixed:
            fixed += size(weight.shape)
        else:
            buffers += size(weight.shape)
    elements = size(node.shape)
    return Cost(
        trainable=trainable,
        frozen=fixed,
        buffers=buffers,
        macs=macs,
        elementwise=node.op.elementwise(node.shape, *shapes),
        activations=elements,
        connections=elements * sum(map(size, shapes)) if macs else 0,
    )


def totals(network: Network, node_costs: list[Cost]) -> Totals:
    """The totals over the result of `costs`."""
    nodes = [node for node in network.nodes if not node.aux]
    heads = [node_costs[node.index] for node in network.nodes if node.aux]
    main = [node_costs[node.index] for node in nodes]
    return Totals(
        trainable=sum(cost.trainable for cost in main),
        frozen=sum(cost.frozen for cost in main),
        buffers=sum(cost.buffers for cost in main),
        macs=sum(cost.macs for cost in main),
        elementwise=sum(cost.elementwise for cost in main),
        activations=sum(node_costs[node.index].activations for node in writing(nodes)),
        layers=sum(1 for node in nodes if node.inputs),
        aux_params=sum(cost.params for cost in heads),
        aux_macs=sum(cost.macs for cost in heads),
    )


def writing(nodes: Iterable[Node]) -> Iterable[Node]:
    """The nodes that write an output of their own."""
    for node in nodes:
        view = node.op.shares_storage and not node.op.inplace
        if node.inputs and not view and node.op.kind != "dropout":
            yield node
