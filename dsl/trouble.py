"""The place where the parser found what does not fit: what stands around it, and how to go on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .characters import shorten
from .diagnostics import Diagnostic, Edit
from .lexer import END, Lexed
from .source import Source, Span

STATEMENT_ENDS = ("NEWLINE", "LBRACE", "RBRACE", "VBAR")
NOTHING_MORE = ("NEWLINE", "COMMA", "RBRACE", "VBAR", END)
HEADERS = {"REPEAT": "repeat", "FOR": "for", "IF": "if", "BLOCK": "block", "NETWORK": "network"}
DEFINITIONS = ("BLOCK", "NETWORK")
KEYWORDS = frozenset("REPEAT FOR IF ELSE LET BLOCK NETWORK IMPORT AS IN AND OR NOT SWITCH".split())
VALUES = frozenset("NUMBER PERCENT FACTOR DURATION SIZE STRING SWITCH LPAR LSQB NEGATIVE".split())
WORDS = frozenset({"WORD", "PATH", "PLACE", "FUNCTION_NAME"})
OPERANDS = frozenset(
    "WORD PATH PLACE NUMBER PERCENT FACTOR DURATION SIZE STRING SWITCH RPAR RSQB".split()
)
OPERATORS = frozenset("PLUS POWER TIMES DIVIDE FLOOR_DIVIDE MODULO COMPARISON AND OR TO".split())
SIGNS = frozenset({*OPERATORS, "MINUS", "NEGATIVE", "NOT"})

_MAX_BODY = 1000
"""Lines of a body without braces that are looked through for its end."""


@dataclass(frozen=True)
class Mend:
    """How reading can go on as if it had been written right: with other tokens in some places."""

    read: tuple[tuple[str, int, int], ...] = ()
    """Tokens to read: type, start, end."""
    skip: int = 0
    """How many they replace, from the one that did not fit on."""
    back: int = 0
    """How many before it they replace as well; at most what stands as it was read."""
    surplus: int = 0
    """By how much this changes the number of closing braces too many."""


@dataclass(frozen=True)
class Explanation:
    diagnostic: Diagnostic
    mend: Mend | None = None
    """None where the statement is given up."""


@dataclass(frozen=True)
class Trouble:
    """The place where the parser found a token that does not fit."""

    source: Source
    tokens: Lexed
    position: int
    begin: int
    """The position of the first token of the statement around it."""
    accepts: frozenset[str]
    """What would have fitted."""
    braces: Sequence[int]
    """The offsets of the braces open here, outermost first."""
    surplus: int
    """How many more braces close than open, in the whole text."""

    # ---- the tokens around it; offsets are relative to the one that does not fit ----

    @property
    def kind(self) -> str:
        return self.tokens.types[self.position]

    @property
    def start(self) -> int:
        return self.tokens.starts[self.position]

    @property
    def end(self) -> int:
        return self.tokens.ends[self.position]

    @property
    def text(self) -> str:
        return self.text_at(0)

    @property
    def span(self) -> Span:
        return self.span_at(0)

    def kind_at(self, offset: int) -> str:
        """The type of a token near this one; END past either end."""
        at = self.position + offset
        return self.tokens.types[at] if 0 <= at < len(self.tokens.types) else END

    def text_at(self, offset: int) -> str:
        return self.span_at(offset).text

    def span_at(self, offset: int) -> Span:
        at = self.position + offset
        if not 0 <= at < len(self.tokens.types):
            return Span(self.source, self.start, self.start)
        return Span(self.source, self.tokens.starts[at], self.tokens.ends[at])

    def span_of(self, first: int, last: int) -> Span:
        return Span(self.source, self.span_at(first).start, self.span_at(last).end)

    def words(self, first: int, behind: int, otherwise: str = "…") -> str:
        """What is written from one token up to another, in short."""
        return shorten(self.span_of(first, behind - 1).text) if behind > first else otherwise

    def end_of_head(self, offset: int = 0) -> int:
        """The offset behind the last token before a body, or before the end of the statement."""
        while self.kind_at(offset) not in (*STATEMENT_ENDS, "COMMA", END):
            offset = (
                self.matching(offset) if self.kind_at(offset) in ("LPAR", "LSQB", "AT") else offset
            )
            offset += 1
        return offset

    @property
    def before(self) -> str:
        return self.kind_at(-1)

    @property
    def after(self) -> str:
        return self.kind_at(1)

    @property
    def previous(self) -> Span:
        return self.span_at(-1) if self.position else self.gap

    @property
    def gap(self) -> Span:
        """Just behind the token before: where something is missing."""
        at = self.tokens.ends[self.position - 1] if self.position else 0
        return Span(self.source, at, at)

    def follows_closely(self, offset: int) -> bool:
        """Whether no blank stands between a token and the one before it."""
        return self.span_at(offset).start == self.span_at(offset - 1).end

    def matching(self, offset: int) -> int:
        """The offset of the bracket that closes the one at an offset."""
        depth = 0
        while self.kind_at(offset) != END:
            kind = self.kind_at(offset)
            depth += (kind in ("LPAR", "LSQB", "AT")) - (kind in ("RPAR", "RSQB"))
            if depth <= 0:
                return offset
            offset += 1
        return offset - 1

    def behind_value(self, offset: int) -> int:
        """The offset behind the signs, the operand and the brackets that begin at one."""
        while self.kind_at(offset) in ("NEGATIVE", "MINUS", "NOT"):
            offset += 1
        if self.kind_at(offset) == "FUNCTION_NAME":
            offset += 1
        if self.kind_at(offset) in ("LPAR", "LSQB", "AT"):
            offset = self.matching(offset)
        return offset + 1

    def end_of_line(self) -> int:
        """The offset of the last token on this line."""
        offset = 0
        while self.kind_at(offset + 1) not in ("NEWLINE", END):
            offset += 1
        return offset

    # ---- the statement around it ----

    @property
    def first(self) -> int:
        """Where the statement begins, as an offset from here (0, or negative)."""
        return self.begin - self.position

    @property
    def opening(self) -> str:
        """The type of the statement's first token behind its label."""
        first = self.first
        if self.kind_at(first) == "WORD" and self.kind_at(first + 1) == "COLON":
            first += 2
        return self.kind_at(first)

    @property
    def header(self) -> str:
        """The keyword that a body is to follow, or nothing."""
        if self.before == "ELSE":
            return "else"
        return HEADERS.get(self.opening, "")

    @property
    def has_no_body(self) -> bool:
        return self.opening in ("LET", "IMPORT")

    def behind_braces(self, position: int) -> int:
        """The position behind a group of braces, and behind what an `else` adds to it."""
        types, depth = self.tokens.types, 0
        while types[position] != END:
            depth += (types[position] == "LBRACE") - (types[position] == "RBRACE")
            position += 1
            if depth == 0 and types[position] == "ELSE":
                while types[position] not in STATEMENT_ENDS and types[position] != END:
                    position += 1
            if depth == 0 and types[position] != "LBRACE":
                break
        return position

    @property
    def at_statement_start(self) -> bool:
        return "WORD" in self.accepts and "REPEAT" in self.accepts

    @property
    def can_separate(self) -> bool:
        """Whether a statement is complete here, so that a separator could stand."""
        return "NEWLINE" in self.accepts

    @property
    def in_parentheses(self) -> bool:
        return bool({"RPAR", "RSQB"} & self.accepts)

    def indentation(self, line: int) -> int:
        text = self.source.line(line)
        return len(text) - len(text.lstrip(" \t"))

    def indented_lines(self) -> range:
        """The numbers of the lines that follow this one and are indented further."""
        here = self.source.locate(self.gap.start)[0]
        indent, last = self.indentation(here), here
        for line in range(here + 1, min(here + _MAX_BODY, self.source.line_count + 1)):
            if self.source.line(line).strip(" \t"):
                if self.indentation(line) <= indent:
                    break
                last = line
        return range(here + 1, last + 1)

    @property
    def brace_was_forgotten(self) -> bool:
        """Whether a closing brace too many belongs to the body that should begin here."""
        lines = self.indented_lines()
        if self.surplus <= 0 or not lines:
            return self.surplus > 0
        behind = lines.stop
        while behind < self.source.line_count and not self.source.line(behind).strip(" \t"):
            behind += 1
        if behind > self.source.line_count:
            return False
        closes = self.source.line(behind).lstrip(" \t").startswith("}")
        return closes and self.indentation(behind) == self.indentation(lines.start - 1)

    def braces_around_body(self, sign: Span) -> tuple[Edit, ...]:
        """Puts braces around an indented body; the first replaces a sign, or stands in a gap."""
        lines = self.indented_lines()
        if not lines:
            return ()
        end = self.source.line_starts[lines[-1] - 1] + len(self.source.line(lines[-1]))
        indent = " " * self.indentation(self.source.locate(sign.start)[0])
        return Edit(sign, " {"), Edit(Span(self.source, end, end), f"\n{indent}}}")

    def follows(self, reported: Sequence[int]) -> bool:
        """Whether something before, in the same statement, has already been explained."""
        begin = min(self.tokens.starts[self.begin], self.start)
        return bisect_left(reported, begin) < bisect_right(reported, self.end)

    # ---- how to read on ----

    def insert(self, *kinds: str, surplus: int = 0) -> Mend:
        at = self.start
        return Mend(tuple((kind, at, at) for kind in kinds), surplus=surplus)

    def drop(self, count: int = 1) -> Mend:
        return Mend(skip=count)

    def instead(self, *kinds: str, surplus: int = 0) -> Mend:
        read = tuple((kind, self.start, self.end) for kind in kinds)
        return Mend(read, skip=1, surplus=surplus)
