"""Dead layers: those whose results reach no output of the network. They would be counted, and never
computed. What arrives at a statement is dropped only by `from`, which continues elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...dsl.diagnostics import Diagnostic, Label
from ...dsl.source import Span
from ..language.problems import MAX_MISTAKES
from ..network import AuxHead, Node, Scope
from ..ops.merge import Chunk
from .blame import first_line


def dead_layers(
    nodes: Sequence[Node], output: Node, heads: Sequence[AuxHead], left_at: Mapping[int, Span]
) -> Iterator[tuple[Diagnostic, Scope]]:
    """An error, with the scope around it, for the last layer of each chain that nothing reads;
    `left_at` says by index where a `from` continues elsewhere.
    """
    alive = bytearray(len(nodes))
    for last in (output, *(head.output for head in heads)):
        alive[last.index] = 1
    for node in reversed(nodes):
        if alive[node.index]:
            for source in node.inputs:
                alive[source.index] = 1
    if all(alive):
        return
    dead = [node for node in nodes if not alive[node.index]]
    read = {source.index for node in dead for source in node.inputs}
    told: set[Span] = set()  # a loop makes the same mistake in every round
    for node in dead:
        if node.index not in read and node.span not in told and len(told) < MAX_MISTAKES:
            told.add(node.span)
            yield _dead(node, alive, left_at.get(node.index)), node.scope


def _dead(last: Node, alive: bytearray, left_at: Span | None) -> Diagnostic:
    chain, before = _chain(last, alive)
    labels = []
    if before is not None:
        labels.append(Label(first_line(before.span), "the last before it that is used"))
    if left_at is not None:
        labels.append(Label(left_at, "continues from another layer"))
    label = last.label or _label_around(last)
    what = f"`{label}`" if label else _described(last)
    name = label or "side"
    help = (
        f"merge it with the rest (`concat {name}`, `add {name}`), or take it out; a second output"
        " that is only there in training is written `aux { … }`"
    )
    if isinstance(last.op, Chunk):
        help = "begin the path without `from`; paths of `concat` all have the whole input"
    elif not label:
        help = f"label it, `{name}: …`, and {help}"
    notes: tuple[str, ...] = ()
    if chain > 1:
        notes = (f"it is the last of {chain} layers that do not lead to the output",)
    return Diagnostic(
        "dead-layer",
        f"nothing reads {what}, and so no output depends on it",
        first_line(last.span),
        labels=tuple(labels),
        notes=notes,
        help=help,
    )


def _chain(last: Node, alive: bytearray) -> tuple[int, Node | None]:
    """The number of layers that only lead to a dead layer, and the last before them that is not
    dead.
    """
    stack, seen = [last], {last.index}
    before: Node | None = None
    while stack:
        for source in stack.pop().inputs:
            if alive[source.index]:
                if before is None or source.index > before.index:
                    before = source
            elif source.index not in seen:
                seen.add(source.index)
                stack.append(source)
    return len(seen), before


def _label_around(node: Node) -> str:
    """The label of the statement that ends in a node, if it has one."""
    for scope in node.scope.chain():
        if scope.output is not node:
            return ""
        if scope.label:
            return scope.label
    return ""


def _described(node: Node) -> str:
    if isinstance(node.op, Chunk):
        return f"the channels that this `{node.span.text}` gives to path {node.op.index + 1}"
    return f"this `{node.span.text if node.op.kind == 'merge' else node.op.word}`"
