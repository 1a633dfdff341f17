"""What stands before the cursor: read off the tokens alone, since a text that is being typed is
seldom correct. Statements, braces and brackets are those of the lexer.
"""

from __future__ import annotations

from typing import NamedTuple

from ...compiler.language.vocabulary import SECTIONS
from ...compiler.plan.directive import directives, vocabulary
from ...dsl.lexer import lex
from ...dsl.source import Source

_STARTS = frozenset("NEWLINE COMMA LBRACE VBAR COLON".split())
_CLOSERS = {"RPAR": "LPAR", "RSQB": "LSQB"}


class Context(NamedTuple):
    """Where the cursor is."""

    heads: tuple[str, ...]
    """The first words of the statements whose bodies it is in, the outermost first: `network`,
    `repeat`, `residual`."""
    statement: tuple[str, ...]
    """The tokens of its statement before it, without a label, and without the word it is in."""
    start: int
    """Where the word that is being typed begins; the cursor, if none is."""
    word: str
    key: str
    """The name of the argument whose value is being typed: `stride` after `stride=`."""
    brackets: int
    """Brackets that are open in the statement."""

    @property
    def section(self) -> str:
        """The section around; empty in networks and blocks."""
        return next((head for head in self.heads if head in SECTIONS), "")

    @property
    def in_network(self) -> bool:
        return bool(self.heads) and self.heads[0] in ("network", "block")

    def directive(self, series: bool) -> str:
        """The word, or two, of the directive that the statement has so far."""
        known = directives(vocabulary(self.section, series))
        two = " ".join(self.statement[:2])
        return two if two in known else self.statement[0] if self.statement else ""


def context(source: Source, offset: int) -> Context:
    before = source.text[:offset]
    start = len(before)
    while start and (before[start - 1].isalnum() or before[start - 1] in "_."):
        start -= 1
    lexed = lex(Source(source.name, before[:start]))
    heads: list[str] = []
    statement: list[str] = []
    brackets = 0
    stack: list[list[str]] = []
    for kind, begin, end in zip(lexed.types, lexed.starts, lexed.ends, strict=True):
        token = lexed.text[begin:end].strip()
        if kind in ("LPAR", "LSQB"):
            brackets += 1
        elif kind in _CLOSERS:
            brackets = max(brackets - 1, 0)
        if kind == "LBRACE":
            stack.append(statement)
            heads.append(statement[0] if statement else "")
            statement, brackets = [], 0
        elif kind == "RBRACE":
            # What follows on the line continues nothing but `else`.
            statement = []
            if heads:
                heads.pop()
                stack.pop()
        elif kind == "COLON" or (kind in _STARTS and not brackets):
            statement = []
        elif token:
            statement.append(token)
    key = ""
    if statement and statement[-1].endswith("=") and statement[-1] != "=":
        key = statement.pop()[:-1]
    return Context(tuple(heads), tuple(statement), start, before[start:], key, brackets)
