"""Which outputs are the same memory, and where an operation may write over its input."""

from __future__ import annotations

from ..network import Network, Node
from ..ops.base import Op

MAX_CHAIN = 16
"""How many outputs in the same memory are followed back; beyond that, nothing is written over."""


def storages(network: Network, *, training: bool = True) -> list[int]:
    """By the index of a node: the index of the node that made the memory its output lies in.

    In evaluation a dropout hands on what arrives.
    """
    found: list[int] = []
    for node in network.nodes:
        same = bool(node.inputs) and (
            node.op.shares_storage or (not training and node.op.kind == "dropout")
        )
        found.append(found[node.inputs[0].index] if same else node.index)
    return found


def legal_in_place(network: Network, node: Node) -> bool:
    """Whether an operation may write over its input: nobody reads that later, neither another
    operation, nor the backward pass, nor who called the network.

    Asked of nodes in order, each answered one with its `inplace` set before the next is asked.
    """
    if not node.op.in_place or not node.inputs:
        return False
    handed_out = {network.output.index, *(head.output.index for head in network.aux)}
    source = node.inputs[0]
    needed_backward = True  # until something between makes a copy while training
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
            if source.op.kind != "dropout":
                return True
            needed_backward = False  # in evaluation, it hands on what arrives
        source = source.inputs[0]
    return False


def write_over(network: Network) -> None:
    """Lets operations work in place wherever that is legal, as people do with `inplace=True`."""
    known: dict[int, tuple[Op, Op]] = {}
    for node in network.nodes:
        if not node.op.inplace and legal_in_place(network, node):
            # Repeated parts go on sharing their operations. The entry keeps the one replaced alive,
            # or its id could be that of another.
            op = node.op
            known.setdefault(id(op), (op, op.replace(inplace=True)))
            node.op = known[id(op)][1]
