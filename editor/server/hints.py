"""Inlay hints: the shape that each line leaves, at its end; the names of arguments in calls of
blocks. In a block, they show one of its calls, and say how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types as lsp

from ...compiler.network import Node, Scope
from ...compiler.report.figures import short
from ...dsl.syntax import (
    Block,
    Body,
    Branches,
    Call,
    For,
    If,
    Let,
    Network,
    Repeat,
    Statement,
    arms_of,
)  # fmt: skip
from .document import Document, Version
from .executed import Executed, output_of, shape_of, within
from .positions import position


def hints(document: Document, asked: lsp.Range) -> list[lsp.InlayHint]:
    """Those in a range of lines. While the text has mistakes, lines that were not changed keep
    theirs."""
    version = document.known
    found = _all(version, document.frames)
    if version is not document.now:
        found = list(_moved(found, version, document.now))
    first, last = asked.start.line, asked.end.line
    return [hint for hint in found if first <= hint.position.line <= last]


def _all(version: Version, frames: dict[str, int]) -> list[lsp.InlayHint]:
    executed = version.executed
    if executed is None:
        return []
    at_ends: dict[int, lsp.InlayHint] = {}
    beside: list[lsp.InlayHint] = []
    for definition in version.spec.statements:
        frame, others = None, ""
        if isinstance(definition, Block):
            calls = executed.calls.get(definition.span, [])
            if not calls:
                continue
            number = frames.get(definition.name.value, 0) % len(calls)
            frame = calls[number]
            others = f" (call {number + 1} of {len(calls)})" if len(calls) > 1 else ""
        elif not isinstance(definition, Network) or definition.name.value != executed.network.name:
            continue
        for statement in _statements(definition.body):
            items = executed.at(statement.span)
            if frame is not None:
                items = [item for item in items if within(item, frame)]
            if not items:
                continue
            hint = _shape(version, statement, items, executed, others)
            if hint is not None:
                at_ends[hint.position.line] = hint
            beside += _names(version, statement, items[0])
    return [*at_ends.values(), *beside]


def _statements(body: Body | Branches) -> Iterator[Statement]:
    """All statements, inner ones before those around them end."""
    paths = body.paths if isinstance(body, Branches) else (body,)
    for path in paths:
        for statement in path.statements:
            for inner in bodies_of(statement):
                yield from _statements(inner)
            yield statement


def bodies_of(statement: Statement) -> list[Body | Branches]:
    if isinstance(statement, If):
        return arms_of(statement)
    if isinstance(statement, Repeat | For | Call | Block | Network):
        return [] if statement.body is None else [statement.body]
    return []


def _shape(
    version: Version,
    statement: Statement,
    items: list[Scope | Node],
    executed: Executed,
    others: str,
) -> lsp.InlayHint | None:
    """At the end of its line: what the statement leaves, and what its rounds have together."""
    if isinstance(statement, Let) or output_of(items[0]) is None:
        return None
    text = shape_of(items[0])
    if not text:
        return None
    if isinstance(statement, Repeat | For | Call) and isinstance(items[0], Scope):
        parameters = executed.cost(items[0]).parameters
        rounds = [each for each in items[0].children if isinstance(each, Scope)]
        times = f"x{len(rounds)} = " if items[0].kind == "loop" and len(rounds) > 1 else ""
        if parameters:
            text += f"  {times}{short(parameters)}"
    end = position(version.source, statement.span.end)
    line_end = len(version.source.line(end.line + 1).partition("#")[0].rstrip())
    start = version.source.line_starts[end.line]
    at = position(version.source, max(start + line_end, statement.span.end))
    return lsp.InlayHint(
        position=at,
        label=f"{text}{others}",
        kind=lsp.InlayHintKind.Type,
        padding_left=True,
        tooltip=_tooltip(items[0], executed),
    )


def _tooltip(item: Scope | Node, executed: Executed) -> str:
    cost = executed.cost(item)
    return f"{short(cost.parameters)} parameters, {short(cost.macs)} multiply-adds"


def _names(version: Version, call: Statement, item: Scope | Node) -> Iterator[lsp.InlayHint]:
    """Before each argument of a block that is given without its name."""
    if not isinstance(call, Call) or not isinstance(item, Scope) or item.definition is None:
        return
    parameters = [each.name.value for each in item.definition.parameters]
    plain = [argument for argument in call.arguments if argument.name is None]
    for name, argument in zip(parameters, plain, strict=False):
        if version.source.text[argument.span.start : argument.span.end] != name:
            yield lsp.InlayHint(
                position=position(version.source, argument.span.start),
                label=f"{name}=",
                kind=lsp.InlayHintKind.Parameter,
            )


def _moved(found: list[lsp.InlayHint], before: Version, now: Version) -> Iterator[lsp.InlayHint]:
    """The hints of an earlier text on the lines of the later one that are the same: those before
    the first that differs, and those after the last."""
    old = before.source.text.splitlines()
    new = now.source.text.splitlines()
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    for hint in found:
        line = hint.position.line
        if line < head:
            yield hint
        elif line >= len(old) - tail:
            hint.position = lsp.Position(line + len(new) - len(old), hint.position.character)
            yield hint
