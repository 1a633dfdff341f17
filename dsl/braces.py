"""Braces that do not pair: finds the one that was forgotten, or that is one too many.

Counting alone can only say that the text ended inside of some body. How lines are indented says
where the body was meant to end. What is found here is mended in the tokens, so that the parser
behind sees pairs, and the rest of the file is read as it was meant.
"""

from __future__ import annotations

from typing import NamedTuple

from .diagnostics import Diagnostic, Edit, Label
from .lexer import MAX_MISTAKES, Lexed
from .source import Source, Span

_HEADERS = frozenset({"REPEAT", "FOR", "IF", "BLOCK", "NETWORK"})
_DEFINITIONS = frozenset({"BLOCK", "NETWORK", "IMPORT"})
_STATEMENT_ENDS = frozenset({"NEWLINE", "LBRACE", "RBRACE", "VBAR"})


def pair_up(source: Source, tokens: Lexed) -> list[Diagnostic]:
    """What is wrong with the braces; the tokens are mended accordingly."""
    unclosed, unopened = _count(tokens.types)
    pairing = _Pairing(source, tokens, unclosed)
    if unclosed:
        pairing.find_unclosed()
    elif unopened > _headers_without_brace(tokens.types):
        pairing.find_surplus(unopened - _headers_without_brace(tokens.types))
    pairing.mend()
    return pairing.diagnostics


def _count(types: list[str]) -> tuple[int, int]:
    """How many braces are never closed, and how many close nothing."""
    depth = unopened = 0
    for kind in types:
        if kind == "LBRACE":
            depth += 1
        elif kind == "RBRACE":
            unopened += depth == 0
            depth = max(depth - 1, 0)
    return depth, unopened


def _headers_without_brace(types: list[str]) -> int:
    """Lines such as `repeat 3`, whose missing brace the parser will find and explain."""
    count = 0
    open_header = False
    for index, kind in enumerate(types):
        if kind in _HEADERS:
            open_header = index == 0 or types[index - 1] in (*_STATEMENT_ENDS, "COMMA", "COLON")
        elif kind == "ELSE":
            open_header = True
        elif kind == "LBRACE":
            open_header = False
        elif kind == "NEWLINE":
            follows = types[index + 1] if index + 1 < len(types) else ""
            count += open_header and follows != "LBRACE"
            open_header = open_header and follows == "LBRACE"
    return count


class _Open(NamedTuple):
    """A brace not closed yet."""

    token: int
    offset: int
    indent: int
    """How far the line that it stands on is indented."""


class _Mend(NamedTuple):
    token: int
    closes: int
    """How many closing braces to read before this token; -1 to pass it over."""


class _Pairing:
    def __init__(self, source: Source, tokens: Lexed, unclosed: int) -> None:
        self.source = source
        self.tokens = tokens
        self.left = unclosed
        """How many unclosed braces are still to be found."""
        self.open: list[_Open] = []
        self.diagnostics: list[Diagnostic] = []
        self.mends: list[_Mend] = []

    # ---- a brace was forgotten ----

    def find_unclosed(self) -> None:
        types, starts = self.tokens.types, self.tokens.starts
        deeper = False
        """Whether the innermost body is indented, so that less indentation means its end."""
        for index, kind in enumerate(types):
            if not self.left:
                return
            first_on_line = index == 0 or types[index - 1] == "NEWLINE"
            if self.open and (first_on_line or kind == "ELSE"):
                indent = self.indentation(starts[index])
                if index and self.open[-1].token == index - 2:
                    deeper = indent > self.open[-1].indent
                self.close_before(index, indent, deeper)
            if kind == "LBRACE":
                self.open.append(_Open(index, starts[index], self.indentation(starts[index])))
                deeper = False
            elif kind == "RBRACE" and self.open:
                self.open.pop()
                deeper = True
        if self.left and self.open:
            self.unclosed_at_the_end()

    def close_before(self, index: int, indent: int, deeper: bool) -> None:
        """Reports the bodies that, going by the indentation, have ended before a line begins."""
        kind = self.tokens.types[index]
        count = 0
        while self.open and self.left:
            outer = self.open[-1]
            if kind == "RBRACE":
                ended = indent < outer.indent
            elif kind == "ELSE":
                ended = count == 0 and self.tokens.types[index - 1] != "RBRACE"
            elif kind in _DEFINITIONS:
                ended = indent <= outer.indent
            else:
                ended = deeper and indent <= outer.indent
            if not ended:
                break
            count += 1
            self.open.pop()
            self.left -= 1
            self.unclosed(outer, index, count)
        if count:
            self.mends.append(_Mend(index, count))

    def unclosed(self, brace: _Open, index: int, count: int) -> None:
        types, starts, ends = self.tokens.types, self.tokens.starts, self.tokens.ends
        line_begins = index > 0 and types[index - 1] == "NEWLINE"
        at = starts[index - 1] if line_begins else starts[index]
        text = f"\n{' ' * brace.indent}}}" if line_begins else "} "
        label = "by its indentation, its body has ended before this"
        if types[index] == "RBRACE":
            label = "by its indentation, this closes another one"
        # One label for all that end here, at the outermost of them, would be enough; but each
        # mistake is told by itself.
        self.report(brace, text, at, (Label(Span(self.source, starts[index], ends[index]), label),))

    def unclosed_at_the_end(self) -> None:
        """Nothing tells where they were to be closed: the innermost is as good as any."""
        size = len(self.source.text)
        last = self.open[-1]
        lines = [" " * brace.indent + "}" for brace in reversed(self.open)]
        before = "" if self.source.line(self.source.line_count) == "" else "\n"
        others = tuple(
            Label(Span(self.source, brace.offset, brace.offset + 1), "nor is this one")
            for brace in self.open[-4:-1]
        )
        self.report(last, before + "\n".join(lines) + "\n", size, others)
        self.mends.append(_Mend(len(self.tokens.types), len(self.open)))

    def report(self, brace: _Open, text: str, at: int, labels: tuple[Label, ...]) -> None:
        if len(self.diagnostics) < MAX_MISTAKES:
            self.diagnostics.append(
                Diagnostic(
                    "unclosed-brace",
                    "this `{` is never closed",
                    Span(self.source, brace.offset, brace.offset + 1),
                    labels=labels,
                    help="close it with `}` where its body ends",
                    edits=(Edit(Span(self.source, at, at), text),),
                )
            )

    # ---- a brace is one too many ----

    def find_surplus(self, count: int) -> None:
        """A brace that closes a body, but neither at its line's start nor on the body's own line.

        Where none looks like that, the parser will complain of the last one.
        """
        types, starts = self.tokens.types, self.tokens.starts
        for index, kind in enumerate(types):
            if kind == "LBRACE":
                self.open.append(_Open(index, starts[index], self.indentation(starts[index])))
            elif kind == "RBRACE" and self.open:
                if count and self.strange(index, self.open[-1]):
                    count -= 1
                    self.surplus(index)
                else:
                    self.open.pop()

    def strange(self, index: int, opened: _Open) -> bool:
        start = self.tokens.starts[index]
        if "NEWLINE" not in self.tokens.types[opened.token : index]:
            return False
        if self.tokens.types[index - 1] == "NEWLINE":
            return self.indentation(start) > opened.indent
        return True

    def surplus(self, index: int) -> None:
        span = Span(self.source, self.tokens.starts[index], self.tokens.ends[index])
        self.mends.append(_Mend(index, -1))
        if len(self.diagnostics) < MAX_MISTAKES:
            self.diagnostics.append(
                Diagnostic(
                    "unopened-brace",
                    "this `}` closes nothing",
                    span,
                    help="take it out, or write the `{` that it belongs to",
                    edits=(Edit(span, ""),),
                )
            )

    # ---- both ----

    def indentation(self, offset: int) -> int:
        """How far the line around an offset is indented."""
        line_start = offset - self.source.locate(offset)[1] + 1
        text = self.tokens.text
        at = line_start
        while text[at : at + 1] in (" ", "\t"):
            at += 1
        return at - line_start

    def mend(self) -> None:
        """Back to front, so that the places in front stay where they are."""
        types, starts, ends = self.tokens.types, self.tokens.starts, self.tokens.ends
        for token, closes in reversed(self.mends):
            if closes < 0:
                del types[token], starts[token], ends[token]
                continue
            at = starts[token] if token < len(types) else len(self.source.text)
            for _ in range(closes):
                types.insert(token, "RBRACE")
                starts.insert(token, at)
                ends.insert(token, at)
            if token > 0 and types[token - 1] == "NEWLINE" and types[token + closes :]:
                # `}` and then what follows: a line end must stand between the two.
                types.insert(token + closes, "NEWLINE")
                starts.insert(token + closes, at)
                ends.insert(token + closes, at)
