"""Memory that autograd keeps between the forward and the backward pass. Memory is counted once,
however many operations keep it; the weights and the input of the network, which exist anyway, are
not counted. Nothing is kept for operations without a trained weight before them: no gradient
reaches them. (The first operation with weights is assumed to keep as much as elsewhere. That holds
for convolutions with any padding; a mixed pool directly on the pixels keeps less.)
"""

from __future__ import annotations

from typing import NamedTuple

from ...dsl.gc_pause import gc_paused
from ..network import Network, Node
from ..ops.base import Kept
from ..shapes import size
from .autocast import FULL, Width, widths
from .peak import Bytes
from .question import question
from .setting import Setting
from .storage import storages

LABEL = 8
"""Bytes of an image's label."""
SCALAR = 4
"""Bytes of a loss, and of the sum of class weights, which it keeps whatever the batch size."""


class SavedTensors(NamedTuple):
    """The memory that one operation keeps."""

    places: tuple[int, ...] = ()
    """Outputs (see `storages`) that are kept for it."""
    own: Bytes = Bytes()
    """Bytes kept beside those outputs."""


NOTHING = SavedTensors()


def requires_grad(network: Network, frozen: frozenset[int]) -> list[bool]:
    """Whether a gradient flows through the output of each node, by index."""
    needs_gradient: list[bool] = []
    for node in network.nodes:
        own = node.index not in frozen and any(weight.trainable for weight in node.weights)
        needs_gradient.append(own or any(needs_gradient[source.index] for source in node.sources))
    return needs_gradient


def saved_tensors(
    network: Network, setting: Setting, places: list[int], needs_gradient: list[bool]
) -> list[SavedTensors]:
    """The memory that each operation keeps, by index."""
    each_width = widths(network, setting)
    known: dict[object, tuple[Kept, Bytes]] = {}
    given = [node.index for node in network.inputs]
    entries: list[SavedTensors] = []
    for node in network.nodes:
        if not needs_gradient[node.index]:
            entries.append(NOTHING)
            continue
        width = each_width[node.index]
        key = question(node) if width is FULL else (width, question(node))
        if key not in known:
            kept = node.op.kept(node.shape, *node.input_shapes)
            known[key] = kept, _own(node, kept, width, setting)
        kept, own = known[key]
        if kept.output or kept.inputs:
            stay = set()
            for position in kept.inputs:
                if not width.converts(position):
                    stay.add(places[node.inputs[position].index])
            if kept.output:
                stay.add(places[node.index])
            stay.difference_update(given)
            entries.append(SavedTensors(tuple(stay), own))
        else:
            entries.append(SavedTensors((), own) if own != Bytes() else NOTHING)
    return entries


def _own(node: Node, kept: Kept, width: Width, setting: Setting) -> Bytes:
    """The bytes kept beside inputs and outputs, with the copies of inputs that were converted."""
    each, fixed = width.inside * kept.own + kept.fixed, 4 * kept.once
    if setting.device == "cuda" and node.op.kind == "dropout" and kept.own == size(node.shape):
        each = kept.own  # its mask consists of bytes on a GPU, of floats on the CPU
    if kept.filters:
        fixed += (4 if setting.precision == "fp32" else 2) * kept.filters
    elif setting.precision != "fp32":
        fixed += 2 * sum(_converted_weights(node, setting))
    for position in kept.inputs:
        if width.converts(position):
            each += width.inside * size(node.inputs[position].shape)
    return Bytes(fixed, each)


def _converted_weights(node: Node, setting: Setting) -> list[int]:
    """The sizes of the weights that are kept in two bytes per element; biases are not kept."""
    if node.op.macs(node.shape, *node.input_shapes):
        return [size(weight.shape) for weight in node.weights if len(weight.shape) > 1]
    if setting.device == "cuda" and node.op.autocast == "low":
        return [size(weight.shape) for weight in node.weights]
    return []


def inputs_of(
    network: Network, part: frozenset[int], places: list[int], needs_gradient: list[bool]
) -> set[int]:
    """The outputs that a part is computed again from, without the inputs of the network."""
    nodes = [network.nodes[index] for index in part if needs_gradient[index]]
    sources = {source.index for node in nodes for source in node.inputs} - part
    return {places[index] for index in sources} - {node.index for node in network.inputs}


def input_size(network: Network) -> int:
    """The number of elements of all inputs, for one image."""
    return sum(size(node.shape) for node in network.inputs)


def outputs(network: Network) -> list[Node]:
    """The nodes that losses are computed from: the output, then the auxiliary heads."""
    return list(network.ends)


def loss(node: Node) -> Bytes:
    """The memory that a cross-entropy on an output keeps: the log-softmax, always in fp32."""
    return Bytes(SCALAR, 4 * size(node.shape))


@gc_paused()
def kept(network: Network, setting: Setting = Setting()) -> Bytes:  # noqa: B008 (a tuple)
    """The total, with a cross-entropy at each output; labels and images are not counted."""
    part_of = setting.part_of
    places = storages(network, part_of=part_of)
    needs_gradient = requires_grad(network, setting.frozen)
    each_width = widths(network, setting)
    total = Bytes()
    stay: set[int] = set()
    saved = saved_tensors(network, setting, places, needs_gradient)
    for node, entry in zip(network.nodes, saved, strict=True):
        if node.index not in part_of:
            total = total.plus(entry.own)
            stay.update(entry.places)
    for part in setting.recompute:
        stay |= inputs_of(network, part, places, needs_gradient)
    for place in stay:
        shape, width = network.nodes[place].shape, each_width[place].output
        total = total.plus(Bytes(0, width * size(shape)))
    for node in outputs(network):
        if needs_gradient[node.index]:
            total = total.plus(loss(node))
    return total
