"""Shared memory: which outputs are views of others, and where operations may work in place."""

from __future__ import annotations

from collections.abc import Mapping

from ..network import Network, Node
from ..ops.base import Op

MAX_CHAIN = 16
"""The most outputs in the same memory that are followed back; beyond that, nothing is done in
place.
"""


def storages(
    network: Network, *, training: bool = True, part_of: Mapping[int, int] | None = None
) -> list[int]:
    """For each node, the index of the node that allocated the memory of its output. In evaluation,
    a dropout returns its input. `part_of` has the parts that are computed again: nothing in them
    overwrites what comes from outside.
    """
    part_of = part_of or {}
    indices: list[int] = []
    for node in network.nodes:
        op = node.op
        shares = op.shares_storage if training else op.shares_storage_in_evaluation
        same = bool(node.inputs) and shares
        if same and node.op.inplace and node.index in part_of:
            same = part_of[node.index] == part_of.get(node.inputs[0].index)
        indices.append(indices[node.inputs[0].index] if same else node.index)
    return indices


def legal_in_place(network: Network, node: Node) -> bool:
    """Whether an operation may overwrite its input: neither another operation, nor the backward
    pass, nor the caller reads it later. To be called for nodes in order, with `inplace` of each set
    before the next call.
    """
    if not node.op.in_place or not node.inputs:
        return False
    handed_out = network.returned
    source = node.inputs[0]
    if source.op.gives_view(*source.input_shapes):
        return False
    if source.shape != node.shape or (len({*node.input_shapes}) > 1 and node.op.kind == "merge"):
        return False  # what is broadcast is smaller
    needed_backward = True  # until an operation in between makes a copy in training
    for _ in range(MAX_CHAIN):
        if not source.inputs or source.index in handed_out:
            return False  # the user's
        if len(network.consumers[source.index]) != 1:
            return False
        shared = source.op.shares_storage
        if needed_backward:
            kept = source.op.kept(source.shape, *source.input_shapes)
            if kept.output or (shared and 0 in kept.inputs):
                return False
        if not shared:
            if not source.op.shares_storage_in_evaluation:
                return True
            needed_backward = False
        source = source.inputs[0]
    return False


def write_over(network: Network) -> None:
    """Sets `inplace` wherever that is legal, as people write `inplace=True` by hand."""
    known: dict[int, tuple[Op, Op]] = {}
    for node in network.nodes:
        if not node.op.inplace and legal_in_place(network, node):
            # Repeated parts keep sharing operations. The entry keeps the replaced one alive, so
            # that its id is not reused.
            op = node.op
            known.setdefault(id(op), (op, op.replace(inplace=True)))
            node.op = known[id(op)][1]
    for node in network.nodes:
        if node.shared is not None and node.op.inplace != node.shared.op.inplace:
            node.shared.op = node.shared.op.replace(inplace=False)
    for node in network.nodes:
        if node.shared is not None:
            node.op = node.shared.op
