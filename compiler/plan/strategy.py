"""The strategy of a transfer section: which layers are frozen when, learning rates, new layers.

strategy = strategy_of(network, plan.transfer)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..network import Network, Node
from ..shapes import size
from .directive import Context
from .layer_names import LayerNames, learning
from .plan import Transfer, in_section
from .transfer import frozen_from, head_of


class Stage(NamedTuple):
    """A stage of training: from an epoch on, until the next stage."""

    epoch: int
    """Its first epoch, counted from 1."""
    frozen: frozenset[int]
    """Indices of frozen layers, with or without weights."""


class Group(NamedTuple):
    """A group of layers with a common learning rate: a layer with its norm, or a block."""

    name: str
    nodes: tuple[Node, ...]

    @property
    def weights(self) -> int:
        """The number of trainable weights."""
        return sum(trainable(node) for node in self.nodes)


@dataclass(frozen=True)
class Strategy:
    network: Network
    stages: tuple[Stage, ...]
    """At least one stage, in order."""
    factors: Mapping[int, float]
    """Factors of learning rates, by the index of a layer; 1 for others."""
    new_layers: tuple[str, ...]
    """The layers with weights that are initialized at random."""
    strength: float
    """The strength of L2-SP, which pulls weights towards their initial values."""

    def stage(self, epoch: int) -> Stage:
        """The stage of an epoch, counted from 1."""
        return [stage for stage in self.stages if stage.epoch <= epoch][-1]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        return groups_of(self.network)


def strategy_of(network: Network, transfer: Transfer) -> Strategy:
    """The strategy of a section whose policy, if any, has been decided."""
    parts = LayerNames(network)
    context = Context(network, {"transfer": list(in_section(transfer))})
    stages = tuple(Stage(epoch, _settled(frozen)) for epoch, frozen in frozen_from(context))
    return Strategy(
        network,
        stages,
        _factors(network, transfer, parts, context),
        tuple(_new_layers(network, transfer, parts, context)),
        transfer.l2.strength if transfer.l2 else 0.0,
    )


# ---- frozen layers ---------------------------------------------------------------------------


def _settled(frozen: Iterable[Node]) -> frozenset[int]:
    """Without the layers after the last frozen weights: a dropout before a trained head belongs to
    the head.
    """
    nodes = list(frozen)
    last = max((node.index for node in nodes if node.weights), default=-1)
    return frozenset(node.index for node in nodes if node.index <= last)


# ---- learning rates --------------------------------------------------------------------------


def _factors(
    network: Network, transfer: Transfer, parts: LayerNames, context: Context
) -> dict[int, float]:
    """The product of the factors of `decay`, `lr` and `head`; of several matching `lr` entries the
    last applies.
    """
    factors: dict[int, float] = {}
    if transfer.decay is not None:
        for depth, group in enumerate(reversed(groups_of(network))):
            for node in group.nodes:
                factors[node.index] = transfer.decay.factor**depth
    if transfer.rates is not None:
        set_factors: dict[int, float] = {}
        for name, factor in transfer.rates.factors:
            set_factors |= {node.index: factor for node in parts.nodes(name)}
        for index, factor in set_factors.items():
            factors[index] = factors.get(index, 1.0) * factor
    if transfer.features is not None and transfer.features.lr != 1:
        for node in parts.up_to(transfer.features.name):
            factors[node.index] = factors.get(node.index, 1.0) * transfer.features.lr
    if transfer.head is not None and transfer.head.lr != 1:
        for node in head_of(context):
            factors[node.index] = factors.get(node.index, 1.0) * transfer.head.lr
    return {index: factor for index, factor in factors.items() if network.nodes[index].weights}


def groups_of(network: Network) -> tuple[Group, ...]:
    """Groups of all layers with trainable weights, from the input on: layers with a common first
    name (`layer1`, or an iteration of a loop, `layer1.0`), and norms with the layer before them.
    """
    by_name: dict[str, list[Node]] = {}
    last = ""
    for node in learning(network.nodes):
        key = _key(node.name)
        if key == node.name and node.op.kind == "norm" and last:
            key = last
        by_name.setdefault(key, []).append(node)
        last = key
    return tuple(Group(name, tuple(nodes)) for name, nodes in by_name.items())


def _key(name: str) -> str:
    pieces = name.split(".")
    return ".".join(pieces[:2]) if len(pieces) > 2 and pieces[1].isdecimal() else pieces[0]


# ---- new layers ------------------------------------------------------------------------------


def _new_layers(
    network: Network, transfer: Transfer, parts: LayerNames, context: Context
) -> Iterator[str]:
    nodes: list[Node] = []
    if transfer.features is not None:
        taken = parts.up_to(transfer.features.name)
        nodes = network.nodes[len(taken) + 1 :]
    elif transfer.head is not None and transfer.head.reset:
        nodes = [*head_of(context), *_ends_of_auxiliary_heads(network)]
    for node in nodes:
        if node.weights:
            yield node.name


def _ends_of_auxiliary_heads(network: Network) -> Iterator[Node]:
    """The last layers of auxiliary heads: they predict the same classes as the head."""
    for head in network.aux:
        yield from [node for node in head.own if node.weights][-1:]


def trainable(node: Node) -> int:
    """The number of trainable weights of a layer."""
    return sum(size(weight.shape) for weight in node.weights if weight.trainable)
