"""Semantic tokens: the colors that follow from what a word is, which patterns cannot know: a block
or a layer, a parameter or a flag, a label.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from lsprotocol import types as lsp

from ...compiler.build.forms import SIGNATURES
from ...compiler.language.vocabulary import FORMS, SECTIONS, STATEMENTS
from ...dsl.lexer import grammar_tables, lex
from ...dsl.source import Span
from ...dsl.syntax import (
    Argument,
    Call,
    Duration,
    Factor,
    Function,
    Name,
    Node,
    Number,
    Percent,
    Size,
    String,
    Switch,
    walk,
)
from .document import Document, Version
from .positions import position

TYPES = (
    "keyword", "function", "class", "parameter", "variable", "property", "enumMember", "number",
    "string", "comment", "label", "method",
)  # fmt: skip
MODIFIERS = ("declaration", "defaultLibrary")
LEGEND = lsp.SemanticTokensLegend(list(TYPES), list(MODIFIERS))

_DECLARED, _OURS = 1, 2
_RESERVED = frozenset(kind for kind in grammar_tables().literals.values() if kind.isalpha())
"""Tokens that are words: `repeat`, `block`, `in`."""
_KEYWORDS = {*FORMS, *STATEMENTS, *SIGNATURES, *SECTIONS}
_BY_KIND = {
    "block": "function", "network": "class", "parameter": "parameter", "let": "variable",
    "label": "label", "loop name": "variable", "input": "label",
}  # fmt: skip


def tokens(document: Document) -> lsp.SemanticTokens:
    """All, as differences from one to the next, as the protocol wants them."""
    version = document.now
    data: list[int] = []
    line = column = 0
    end = -1
    for span, kind, modifiers in sorted(_tokens(version), key=lambda each: each[0][1:]):
        if span.start < end or span.end == span.start:
            continue  # two names of one place: the first says what it is
        end = span.end
        at, until = position(version.source, span.start), position(version.source, span.end)
        if until.line != at.line:
            continue
        first = at.line != line
        data += [
            at.line - line,
            at.character if first else at.character - column,
            until.character - at.character,
            TYPES.index(kind),
            modifiers,
        ]
        line, column = at.line, at.character
    return lsp.SemanticTokens(data)


def _tokens(version: Version) -> Iterator[tuple[Span, str, int]]:
    source = version.source
    known: set[tuple[int, int]] = set()
    for symbol in version.names.symbols:
        kind = _BY_KIND[symbol.kind]
        for span in symbol.places:
            if span.source is source:
                known.add((span.start, span.end))
                yield span, kind, _DECLARED if span is symbol.span else 0
    lexed = lex(source)
    for kind, start, end in zip(lexed.types, lexed.starts, lexed.ends, strict=True):
        if kind in _RESERVED:
            yield Span(source, start, end), "keyword", 0
    for comment in version.spec.comments:
        yield comment.span, "comment", 0
    for statement in version.spec.statements:
        for node in walk(statement):
            span = node.span
            if isinstance(node, Call):
                head = node.head.span
                if (head.start, head.end) not in known:
                    keyword = node.head.value in _KEYWORDS
                    yield head, "keyword" if keyword else "class", _OURS
            elif isinstance(node, Argument) and node.name is not None:
                yield node.name_span, "property", 0
            elif isinstance(node, Function):
                yield node.name.span, "method", _OURS
            elif isinstance(node, Number | Percent | Factor | Duration | Size):
                yield span, "number", 0
            elif isinstance(node, String):
                yield span, "string", 0
            elif isinstance(node, Switch) or _is_word(node, known):
                yield span, "enumMember", 0


def _is_word(node: Node, known: Container[tuple[int, int]]) -> bool:
    """Whether it is a bare word that is no name of the text: a flag, a choice."""
    return type(node) is Name and (node.span.start, node.span.end) not in known
