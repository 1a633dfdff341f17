"""Where a name is defined and used: definition, references, highlights, rename, calls of blocks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lsprotocol import types as lsp

from ...compiler.language.vocabulary import layer_words
from ...dsl.builder import RESERVED
from ...dsl.diagnostics import SpecError
from ...dsl.files import read_file, specs_in
from ...dsl.source import Source, Span
from ...dsl.syntax import Block, Network, Parameter, Spec
from .document import Document, Version, uri_of
from .names import Symbol
from .positions import offset, range_of

_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*\Z")
MOST_FILES = 50
"""Specs of a folder that are searched for uses of a block of one of them."""


def definition(document: Document, at: lsp.Position) -> lsp.Location | None:
    version = document.now
    place = offset(version.source, at)
    for span, source in version.names.imports:
        if span.start <= place <= span.end:
            return lsp.Location(uri_of(source, document), range_of(Span(source, 0, 0)))
    symbol = version.names.at(place)
    return _location(symbol.span, document) if symbol is not None else None


def references(document: Document, at: lsp.Position, with_definition: bool) -> list[lsp.Location]:
    symbol = document.now.names.at(offset(document.source, at))
    if symbol is None:
        return []
    places = _everywhere(document, symbol)
    return [
        _location(span, document) for span in places if with_definition or span is not places[0]
    ]


def highlights(document: Document, at: lsp.Position) -> list[lsp.DocumentHighlight]:
    symbol = document.now.names.at(offset(document.source, at))
    if symbol is None:
        return []
    kind = lsp.DocumentHighlightKind
    return [
        lsp.DocumentHighlight(range_of(span), kind.Write if span is symbol.span else kind.Read)
        for span in symbol.places
        if span.source is document.source
    ]


# ---- rename ------------------------------------------------------------------------------------


class CannotRename(Exception):
    """Why not, in words for the user."""


def prepare_rename(document: Document, at: lsp.Position) -> lsp.Range:
    place = offset(document.source, at)
    symbol = document.now.names.at(place)
    if symbol is None:
        raise CannotRename("this is not a name of this file")
    return next(
        range_of(span)
        for span in symbol.places
        if span.source is document.source and span.start <= place <= span.end
    )


def rename(document: Document, at: lsp.Position, name: str) -> lsp.WorkspaceEdit:
    place = offset(document.source, at)
    symbol = document.now.names.at(place)
    if symbol is None:
        raise CannotRename("this is not a name of this file")
    if not _NAME.match(name):
        raise CannotRename(f"`{name[:40]}` is not a name: letters, digits and _ make one")
    if name in RESERVED or (symbol.kind == "block" and name in layer_words()):
        raise CannotRename(f"`{name}` is a word of the language")
    others = document.now.names.known(symbol.span.start)
    if name != symbol.name and (name in others or any(name in document.now.names.known(u.start)
                                                     for u in symbol.uses)):  # fmt: skip
        raise CannotRename(f"`{name}` is a name here already")
    places = _everywhere(document, symbol)
    for chosen in (places, [*places, *symbol.in_sections]):
        if _is_the_same_network(document, chosen, name):
            break
    else:
        raise CannotRename(f"with `{name}`, it would be another network, or none")
    changes: dict[str, list[lsp.TextEdit]] = {}
    for span in chosen:
        uri = uri_of(span.source, document)
        changes.setdefault(uri, []).append(lsp.TextEdit(range_of(span), name))
    return lsp.WorkspaceEdit(changes=changes)


def _is_the_same_network(document: Document, places: Sequence[Span], name: str) -> bool:
    """Whether the text compiles as before with another name at these places of it; for a text that
    does not compile, nothing is known. Imported files are not there yet as they would be."""
    before = document.now
    if before.network is None or any(s.source is not before.source for s in places):
        return True
    text = before.source.text
    for span in sorted(set(places), key=lambda each: each.start, reverse=True):
        text = text[: span.start] + name + text[span.end :]
    after = Version(Source(before.source.name, text, before.source.path), None)
    if after.network is None or len(after.diagnostics) != len(before.diagnostics):
        return False
    nodes = zip(before.network.nodes, after.network.nodes, strict=False)
    same = all(one.op == two.op and one.shape == two.shape for one, two in nodes)
    return same and len(before.network.nodes) == len(after.network.nodes)


def _everywhere(document: Document, symbol: Symbol) -> list[Span]:
    """All places of a name, its definition first: of a block, also in the other files of the
    folder that import the one that defines it, and in that."""
    found = {(uri_of(span.source, document), span.start): span for span in symbol.places}
    defined, own = symbol.span.source.path, document.source.path
    of_block = symbol.kind == "block" or isinstance(symbol.node, Parameter)
    if of_block and defined is not None and own is not None:
        for name in specs_in(own.parent)[:MOST_FILES]:
            try:
                names = Version(read_file(own.parent / name), None).names
            except SpecError:
                continue
            for each in names.symbols:
                if (each.span.source.path, each.span.start) == (defined, symbol.span.start):
                    for span in each.places:
                        found.setdefault((uri_of(span.source, document), span.start), span)
    return list(found.values())


def _location(span: Span, document: Document) -> lsp.Location:
    return lsp.Location(uri_of(span.source, document), range_of(span))


# ---- calls of blocks -----------------------------------------------------------------------------


def prepare_calls(document: Document, at: lsp.Position) -> list[lsp.CallHierarchyItem] | None:
    symbol = document.now.names.at(offset(document.source, at))
    if symbol is None or not isinstance(symbol.node, Block | Network):
        return None
    return [_item(symbol.node, document)]


def incoming(
    document: Document, item: lsp.CallHierarchyItem
) -> list[lsp.CallHierarchyIncomingCall]:
    symbol = _symbol(document, item)
    if symbol is None:
        return []
    found: dict[Span, tuple[Block | Network, list[lsp.Range]]] = {}
    for use in symbol.uses:
        around = _around(document.now.spec, use)
        if around is not None:
            found.setdefault(around.span, (around, []))[1].append(range_of(use))
    return [
        lsp.CallHierarchyIncomingCall(_item(around, document), places)
        for around, places in found.values()
    ]


def outgoing(
    document: Document, item: lsp.CallHierarchyItem
) -> list[lsp.CallHierarchyOutgoingCall]:
    around = _symbol(document, item)
    if around is None or around.node is None:
        return []
    span = around.node.span
    found: list[lsp.CallHierarchyOutgoingCall] = []
    for symbol in document.now.names.symbols:
        uses = [use for use in symbol.uses if use.source is span.source]
        inside = [use for use in uses if span.start <= use.start < span.end]
        if isinstance(symbol.node, Block) and inside:
            places = [range_of(use) for use in inside]
            found.append(lsp.CallHierarchyOutgoingCall(_item(symbol.node, document), places))
    return found


def _symbol(document: Document, item: lsp.CallHierarchyItem) -> Symbol | None:
    for symbol in document.now.names.symbols:
        defines = symbol.name == item.name and isinstance(symbol.node, Block | Network)
        if defines and range_of(symbol.span) == item.selection_range:
            return symbol
    return None


def _item(node: Block | Network, document: Document) -> lsp.CallHierarchyItem:
    kind = lsp.SymbolKind.Function if isinstance(node, Block) else lsp.SymbolKind.Class
    return lsp.CallHierarchyItem(
        name=node.name.value,
        kind=kind,
        uri=uri_of(node.span.source, document),
        range=range_of(node.span),
        selection_range=range_of(node.name.span),
    )


def _around(spec: Spec, place: Span) -> Block | Network | None:
    for statement in spec.statements:
        holds = statement.span.start <= place.start < statement.span.end
        if holds and isinstance(statement, Block | Network):
            return statement
    return None
