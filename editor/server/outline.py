"""The structure of a text: symbols, what can be folded, what is selected next."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types as lsp

from ...dsl.source import Span
from ...dsl.syntax import (
    Block,
    Body,
    Branches,
    Call,
    For,
    If,
    Import,
    Let,
    Network,
    Node,
    Repeat,
    Setting,
    Statement,
    walk,
)
from .document import Document, Version
from .executed import shape_of
from .hints import bodies_of
from .positions import offset, position, range_of

_KIND = lsp.SymbolKind


def symbols(document: Document) -> list[lsp.DocumentSymbol]:
    """Blocks, networks and sections, with the labels and forms in them."""
    return _symbols(document.now, document.now.spec.statements)


def _symbols(version: Version, statements: Sequence[Statement]) -> list[lsp.DocumentSymbol]:
    found: list[lsp.DocumentSymbol] = []
    for statement in statements:
        children: list[lsp.DocumentSymbol] = []
        for body in bodies_of(statement):
            paths = body.paths if isinstance(body, Branches) else (body,)
            for path in paths:
                children += _symbols(version, path.statements)
        name, kind, at = _named(statement)
        if not name:
            found += children
            continue
        items = version.executed.at(statement.span) if version.executed is not None else []
        found.append(
            lsp.DocumentSymbol(
                name=name,
                kind=kind,
                range=range_of(statement.span),
                selection_range=range_of(at),
                detail=shape_of(items[0]) if items else None,
                children=children or None,
            )
        )
    return found


def _named(statement: Statement) -> tuple[str, lsp.SymbolKind, Span]:
    if isinstance(statement, Block):
        return statement.name.value, _KIND.Function, statement.name.span
    if isinstance(statement, Network):
        return statement.name.value, _KIND.Class, statement.name.span
    if isinstance(statement, Let):
        return statement.name.value, _KIND.Constant, statement.name.span
    if isinstance(statement, Import):
        return statement.path.value, _KIND.File, statement.path.span
    if isinstance(statement, Setting):
        return "", _KIND.Null, statement.span
    label = statement.label
    if label is not None:
        return label.value, _KIND.Field, label.span
    if isinstance(statement, Call):
        if statement.body is not None:
            return statement.head.value, _KIND.Module, statement.head.span
        return "", _KIND.Null, statement.span
    word = {Repeat: "repeat", For: "for", If: "if"}[type(statement)]
    start = statement.span.start
    return word, _KIND.Array, Span(statement.span.source, start, start + len(word))


def folding(document: Document) -> list[lsp.FoldingRange]:
    """Bodies over several lines, and runs of comments."""
    version = document.now
    found: dict[int, lsp.FoldingRange] = {}
    for statement in version.spec.statements:
        for node in walk(statement):
            if isinstance(node, Body | Branches):
                first = position(version.source, node.span.start).line
                last = position(version.source, max(node.span.end - 1, node.span.start)).line
                closes = version.source.text[node.span.end - 1 : node.span.end] == "}"
                end = last - 1 if closes else last
                if end > first:
                    found.setdefault(first, lsp.FoldingRange(first, end))
    lines = [position(version.source, c.span.start).line for c in version.spec.comments if c.alone]
    start = 0
    for number, line in enumerate(lines):
        if number + 1 == len(lines) or lines[number + 1] != line + 1:
            if line > lines[start]:
                kind = lsp.FoldingRangeKind.Comment
                found[lines[start]] = lsp.FoldingRange(lines[start], line, kind=kind)
            start = number + 1
    return [found[line] for line in sorted(found)]


def selection(document: Document, positions: Sequence[lsp.Position]) -> list[lsp.SelectionRange]:
    """From the smallest part of the text around each position to the whole."""
    return [_selection(document.now, offset(document.source, at)) for at in positions]


def _selection(version: Version, place: int) -> lsp.SelectionRange:
    spans = [Span(version.source, 0, len(version.source.text))]
    for statement in version.spec.statements:
        if statement.span.start <= place <= statement.span.end:
            inside = [node.span for node in walk(statement) if _holds(node, place)]
            spans += sorted(inside, key=lambda span: span.start - span.end)
    selected: lsp.SelectionRange | None = None
    for span in spans:
        if selected is None or range_of(span) != selected.range:
            selected = lsp.SelectionRange(range_of(span), selected)
    assert selected is not None
    return selected


def _holds(node: Node, place: int) -> bool:
    return node.span.start <= place <= node.span.end
