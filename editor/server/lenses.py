"""Lines above definitions: the totals of a network, the calls of a block, commands to run."""

from __future__ import annotations

from lsprotocol import types as lsp

from ...compiler.report.figures import short
from ...compiler.shapes import text as shape_text
from ...dsl.syntax import Block, Call, Network
from .document import Document
from .executed import inputs_of, shape_of
from .positions import range_of

NEXT_CALL = "dotcnn.nextCall"
TRAIN, SHOW = "dotcnn.train", "dotcnn.show"
"""Commands of the editor, which start `cnn` in a terminal; those without them show no such lens."""


def lenses(document: Document, terminal: bool) -> list[lsp.CodeLens]:
    version = document.known
    executed = version.executed
    if executed is None or version is not document.now:
        return []
    found: list[lsp.CodeLens] = []
    for statement in version.spec.statements:
        if isinstance(statement, Network) and statement.name.value == executed.network.name:
            where = range_of(statement.name.span)
            total, network = executed.total, executed.network
            shapes = " + ".join(shape_text(node.shape) for node in network.inputs)
            ends = " + ".join(shape_text(output.node.shape) for output in network.outputs)
            found.append(
                _lens(
                    where,
                    f"{shapes} → {ends}: {short(total.parameters)} parameters,"
                    f" {short(total.macs)} multiply-adds, {len(network.nodes):,} layers",
                )
            )
            if terminal:
                found.append(_lens(where, "show", SHOW, document.uri))
        elif isinstance(statement, Block):
            calls = executed.calls.get(statement.span, [])
            if not calls:
                continue
            name = statement.name.value
            number = document.frames.get(name, 0) % len(calls)
            call = calls[number]
            shapes = " + ".join(dict.fromkeys(map(shape_text, inputs_of(call))))
            cost = executed.cost(call)
            times = f"call {number + 1} of {len(calls)}: " if len(calls) > 1 else ""
            title = f"{times}{shapes} → {shape_of(call)}, {short(cost.parameters)} parameters"
            command = NEXT_CALL if len(calls) > 1 else ""
            found.append(_lens(range_of(statement.name.span), title, command, document.uri, name))
        elif isinstance(statement, Call) and statement.head.value == "train" and terminal:
            found.append(_lens(range_of(statement.head.span), "train", TRAIN, document.uri))
    return found


def next_call(document: Document, block: str) -> None:
    """Lets the lines of a block show its next call."""
    document.frames[block] = document.frames.get(block, 0) + 1


def _lens(where: lsp.Range, title: str, command: str = "", *arguments: str) -> lsp.CodeLens:
    return lsp.CodeLens(where, lsp.Command(title, command, arguments=list(arguments) or None))
