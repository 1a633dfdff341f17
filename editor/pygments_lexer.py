"""Colors for Pygments, and so for Sphinx, MkDocs and rich: the tokens are those of the language's
own lexer, so that they cannot differ. Pygments finds it by the name `cnn` and the ending .cnn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pygments.lexer import Lexer
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
    _TokenType,
)  # fmt: skip

from ..compiler.language.vocabulary import FORMS, SECTIONS, STATEMENTS
from ..dsl.lexer import lex
from ..dsl.source import Source

_STARTS = frozenset("NEWLINE COMMA LBRACE RBRACE VBAR COLON".split())
_BY_KIND = {
    "STRING": String.Double, "NUMBER": Number, "SIZE": Number, "PERCENT": Number,
    "FACTOR": Number, "DURATION": Number, "SWITCH": Keyword.Constant, "FUNCTION_NAME": Name.Builtin,
    "PATH": Name.Variable, "PLACE": Name.Variable, "ERROR": Error, "OUTPUT": Keyword,
    "AND": Operator.Word, "OR": Operator.Word, "NOT": Operator.Word,
}  # fmt: skip
_WORDS = frozenset("AS BLOCK ELSE FOR IF IMPORT IN LET NETWORK REPEAT".split())
_DECLARES = frozenset({"BLOCK", "NETWORK", "LET"})
_SIGNS = frozenset("COMMA LBRACE RBRACE LPAR RPAR LSQB RSQB VBAR COLON".split())
_FORMS = {*FORMS, *STATEMENTS, *SECTIONS}


class CnnLexer(Lexer):  # type: ignore[misc]
    name = "dotcnn"
    url = ""
    aliases: ClassVar[list[str]] = ["cnn", "dotcnn"]
    filenames: ClassVar[list[str]] = ["*.cnn"]
    mimetypes: ClassVar[list[str]] = ["text/x-cnn"]

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, _TokenType, str]]:
        """Every character once, in order."""
        at = 0
        for start, end, kind in sorted(_tokens(text)):
            if start < at:
                continue
            yield from _between(text, at, start)
            yield start, kind, text[start:end]
            at = end
        yield from _between(text, at, len(text))


def _between(text: str, start: int, end: int) -> Iterator[tuple[int, _TokenType, str]]:
    """Blanks; and what the lexer has given up on."""
    if start < end:
        gap = text[start:end]
        yield start, Whitespace if gap.isspace() else Text, gap


def _tokens(text: str) -> Iterator[tuple[int, int, _TokenType]]:
    lexed = lex(Source("<text>", text))
    for comment in lexed.comments:
        yield comment.span.start, comment.span.end, Comment.Single
    before, first, depth = "", True, 0
    columns = list(zip(lexed.types, lexed.starts, lexed.ends, strict=True))
    for number, (kind, start, end) in enumerate(columns):
        following = columns[number + 1][0] if number + 1 < len(columns) else ""
        depth += (kind in ("LPAR", "LSQB")) - (kind in ("RPAR", "RSQB"))
        if kind == "NEWLINE":
            pass
        elif kind in _SIGNS:
            yield start, end, Punctuation
        elif kind in _WORDS:
            yield start, end, Keyword
        elif kind == "KEY":
            yield start, end - 1, Name.Attribute
            yield end - 1, end, Operator
        elif kind == "FUNCTION_NAME" and before in _DECLARES:  # `block unit(width)`
            yield start, end, Name.Class
        elif kind in _BY_KIND:
            yield start, end, _BY_KIND[kind]
        elif kind == "WORD":
            yield start, end, _word(text[start:end], before, following, first)
        else:
            yield start, end, Operator
        first = kind in _STARTS and depth <= 0
        before = kind


def _word(word: str, before: str, following: str, first: bool) -> _TokenType:
    if before in _DECLARES:
        return Name.Variable if before == "LET" else Name.Class
    if following == "COLON":
        return Name.Label
    if first:
        return Keyword.Declaration if word in _FORMS else Name.Function
    return Name.Variable
