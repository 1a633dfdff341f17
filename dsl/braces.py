"""Unbalanced braces: finds the brace that is missing or superfluous, by indentation. Counting alone
only shows that the text ended inside some body; indentation shows where a body was meant to begin
and end. The tokens are repaired here, so that the parser sees balanced braces and reads the rest of
the file as it was meant.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass

from .diagnostics import Diagnostic, Edit, Label
from .lexer import MAX_MISTAKES, Lexed
from .source import Source, Span

_HEADERS = frozenset({"REPEAT", "FOR", "IF", "BLOCK", "NETWORK"})
_DEFINITIONS = frozenset({"BLOCK", "NETWORK", "IMPORT"})
_BEFORE_A_STATEMENT = frozenset({"NEWLINE", "COMMA", "LBRACE", "RBRACE", "VBAR", "COLON"})
_BLANKS = re.compile(r"[ \t]*")


def pair_up(source: Source, tokens: Lexed, unclosed: int, unopened: int) -> list[Diagnostic]:
    """Reports unbalanced braces, and repairs the tokens accordingly. `unclosed` are those that are
    never closed, `unopened` those that close nothing.
    """
    if unclosed:
        pairing = _Pairing(source, tokens, unclosed)
        pairing.find_unclosed()
    else:
        announced = _bodies_without_brace(tokens.types)
        pairing = _Pairing(source, tokens, unopened - len(announced))
        pairing.find_unopened(announced)
    pairing.mend()
    return pairing.diagnostics


def _bodies_without_brace(types: list[str]) -> set[int]:
    """The ends of statements such as `repeat 3` and `residual:`, whose missing body the parser will
    report.
    """
    indices = set()
    header = False
    before = follows = ""
    for index, kind in enumerate(types):
        if kind == "ELSE" or (kind in _HEADERS and before in ("", *_BEFORE_A_STATEMENT)):
            header = True
        elif kind == "LBRACE":
            header = False
        elif kind == "RBRACE" and header:  # all on one line
            indices.add(index)
            header = False
        elif kind == "NEWLINE":
            follows = types[index + 1] if index + 1 < len(types) else ""
            if follows != "LBRACE" and (header or before == "COLON"):
                indices.add(index)
            header = header and follows == "LBRACE"
        before = kind
    return indices


@dataclass(slots=True)
class _Open:
    """A brace not closed yet."""

    offset: int
    line: int
    indent: int
    """The indentation of its line."""
    indented: bool = False
    """Whether its body is indented further, so that less indentation ends it."""
    imagined: bool = False
    """Whether the brace is missing and only inferred."""


@dataclass(frozen=True, slots=True)
class _Mend:
    """A repair: read `read` instead of `skip` tokens at a place."""

    token: int
    read: tuple[str, ...]
    skip: int = 0


class _Pairing:
    def __init__(self, source: Source, tokens: Lexed, wanted: int) -> None:
        self.source = source
        self.tokens = tokens
        self.wanted = min(wanted, MAX_MISTAKES)
        """The number of unbalanced braces not found yet."""
        self.open: list[_Open] = []
        self.diagnostics: list[Diagnostic] = []
        self.mends: list[_Mend] = []
        self.last_line = (-1, 0)

    def push(self, index: int) -> None:
        start = self.tokens.starts[index]
        line, _ = self.source.locate(start)
        self.open.append(_Open(start, line, self.indentation(line)))

    # ---- a closing brace is missing ----

    def find_unclosed(self) -> None:
        types, starts = self.tokens.types, self.tokens.starts
        before = "NEWLINE"
        for index, kind in enumerate(types):
            if self.open and (before == "NEWLINE" or kind == "ELSE"):
                line, _ = self.source.locate(starts[index])
                indent = self.indentation(line)
                if types[index - 2] == "LBRACE":
                    self.open[-1].indented = indent > self.open[-1].indent
                self.close_before(index, indent)
            if kind == "LBRACE" and self.opens_nothing(index):
                self.stray(index)
            elif kind == "LBRACE":
                self.push(index)
            elif kind == "RBRACE" and self.open:
                self.open.pop()
            if not self.wanted:
                return
            before = kind
        self.unclosed_at_the_end()

    def opens_nothing(self, index: int) -> bool:
        """Whether a brace is directly before a definition, where no body can begin."""
        types = self.tokens.types
        at_start = index == 0 or types[index - 1] in _BEFORE_A_STATEMENT
        return at_start and index + 1 < len(types) and types[index + 1] in _DEFINITIONS

    def stray(self, index: int) -> None:
        span = Span(self.source, self.tokens.starts[index], self.tokens.ends[index])
        self.wanted -= 1
        self.mends.append(_Mend(index, (), skip=1))
        self.diagnostics.append(
            Diagnostic(
                "stray-brace",
                "a `{` opens the body of a word, and there is no word here",
                span,
                help="take it out, or write a word before it: `residual { … }`",
                edits=(Edit(span, ""),),
            )
        )

    def close_before(self, index: int, indent: int) -> None:
        """Reports the bodies that, by indentation, ended before this line."""
        count = 0
        while self.open and self.wanted and self.has_ended(index, indent):
            self.wanted -= 1
            count += 1
            self.unclosed(self.open.pop(), index)
        if count:
            behind = () if self.tokens.types[index] == "ELSE" else ("NEWLINE",)
            self.mends.append(_Mend(index, ("RBRACE",) * count + behind))

    def has_ended(self, index: int, indent: int) -> bool:
        kind, before, inner = self.tokens.types[index], self.tokens.types[index - 1], self.open[-1]
        if kind == "RBRACE":
            return indent < inner.indent
        if kind == "ELSE":
            return before not in ("RBRACE", "LBRACE")
        return indent <= inner.indent and (inner.indented or kind in _DEFINITIONS)

    def unclosed(self, brace: _Open, index: int) -> None:
        types, starts, ends = self.tokens.types, self.tokens.starts, self.tokens.ends
        label = "by its indentation, this is outside the body"
        if types[index] == "RBRACE":
            label = "by its indentation, this closes another one"
        elif types[index] == "ELSE":
            label = "the body has to be closed before this"
        at, text = starts[index], "} "
        if types[index - 1] == "NEWLINE":  # on a line of its own, after the last line of the body
            at, text = starts[index - 1], "\n" + " " * brace.indent + "}"
        labels = (Label(Span(self.source, starts[index], ends[index]), label),)
        line, _ = self.source.locate(starts[index])
        help = "put a `}` before this `else`" if text == "} " else f"put a `}}` before line {line}"
        self.report_unclosed(brace, labels, help, at, text)

    def unclosed_at_the_end(self) -> None:
        """Nothing shows where they should be closed: the innermost is as likely as any."""
        if not self.open:
            return
        size = len(self.source.text)
        labels = tuple(
            Label(Span(self.source, brace.offset, brace.offset + 1), "nor is this one")
            for brace in self.open[-4:-1]
        )
        text = "" if self.source.line(self.source.line_count) == "" else "\n"
        text += "".join(" " * brace.indent + "}\n" for brace in reversed(self.open))
        help = "close it with `}` where its body ends"
        self.report_unclosed(self.open[-1], labels, help, size, text)
        self.mends.append(_Mend(len(self.tokens.types), ("RBRACE",) * len(self.open)))

    def report_unclosed(
        self, brace: _Open, labels: tuple[Label, ...], help: str, at: int, missing: str
    ) -> None:
        self.diagnostics.append(
            Diagnostic(
                "unclosed-brace",
                "this `{` is never closed",
                Span(self.source, brace.offset, brace.offset + 1),
                labels=labels,
                help=help,
                edits=(Edit(Span(self.source, at, at), missing),),
            )
        )

    # ---- an opening brace is missing, or there is a closing brace too many ----

    def find_unopened(self, announced: set[int]) -> None:
        """`announced` are line ends where a brace is missing, which the parser will report."""
        types, starts = self.tokens.types, self.tokens.starts
        before = "NEWLINE"
        first, indent = "", 0
        """The first token of the line before, and its indentation."""
        for index, kind in enumerate(types):
            if self.wanted <= 0:
                return
            if before == "NEWLINE":
                line, _ = self.source.locate(starts[index])
                deeper = self.indentation(line) > indent
                if deeper and first == "WORD" and self.could_have_body(index):
                    self.missing_brace(index)
                first, indent = kind, self.indentation(line)
            if kind == "LBRACE" or index in announced:
                self.push(index)
                self.open[-1].imagined = index in announced
            elif kind == "RBRACE" and self.open:
                self.forget_imagined(index)
                if self.closes_elsewhere(index):
                    self.surplus(index)
                else:
                    self.open.pop()
            before = kind

    def could_have_body(self, index: int) -> bool:
        """Whether the line before this token is a statement without a body that could have one."""
        before = self.tokens.types[index - 2] if index > 1 else "COLON"
        return before not in _BEFORE_A_STATEMENT

    def missing_brace(self, index: int) -> None:
        """Reports a line that is indented like a body, after a line that opens none."""
        end = self.tokens.ends[index - 2]
        gap = Span(self.source, end, end)
        self.wanted -= 1
        self.push(index - 2)
        self.mends.append(_Mend(index - 1, ("LBRACE",)))
        span = Span(self.source, self.tokens.starts[index], self.tokens.ends[index])
        self.diagnostics.append(
            Diagnostic(
                "missing-brace",
                "this line does not open a body",
                gap,
                labels=(Label(span, "but this is indented like one"),),
                help="open it here with `{`",
                edits=(Edit(gap, " {"),),
            )
        )

    def forget_imagined(self, index: int) -> None:
        """Drops inferred bodies without braces: this closing brace does not belong to them."""
        line, _ = self.source.locate(self.tokens.starts[index])
        if self.tokens.types[index - 1] == "NEWLINE":
            while (
                len(self.open) > 1
                and self.open[-1].imagined
                and self.indentation(line) < self.open[-1].indent
            ):
                self.open.pop()

    def closes_elsewhere(self, index: int) -> bool:
        """Whether a closing brace is neither at the end of its body's last line nor on the body's
        own line. If none is, the parser will report the last one.
        """
        line, _ = self.source.locate(self.tokens.starts[index])
        inner = self.open[-1]
        if line == inner.line:
            return False
        return self.tokens.types[index - 1] != "NEWLINE" or self.indentation(line) > inner.indent

    def surplus(self, index: int) -> None:
        span = Span(self.source, self.tokens.starts[index], self.tokens.ends[index])
        self.wanted -= 1
        self.mends.append(_Mend(index, (), skip=1))
        self.diagnostics.append(
            Diagnostic(
                "unopened-brace",
                "this `}` does not close anything",
                span,
                help="take it out, or write the `{` that it belongs to",
                edits=(Edit(span, ""),),
            )
        )

    # ---- both ----

    def indentation(self, line: int) -> int:
        if line != self.last_line[0]:
            start = self.source.line_starts[line - 1]
            blanks = _BLANKS.match(self.tokens.text, start)
            assert blanks is not None
            self.last_line = line, blanks.end() - start
        return self.last_line[1]

    def mend(self) -> None:
        """Copies the tokens with the repairs applied."""
        types, starts, ends = self.tokens.types, self.tokens.starts, self.tokens.ends
        new_types: list[str] = []
        new_starts, new_ends = array("q"), array("q")
        copied = 0
        for mend in self.mends:
            at = mend.token
            place = starts[at] if at < len(types) else len(self.source.text)
            new_types += types[copied:at] + list(mend.read)
            new_starts += starts[copied:at] + array("q", [place] * len(mend.read))
            new_ends += ends[copied:at] + array("q", [place] * len(mend.read))
            copied = at + mend.skip
        types[:] = new_types + types[copied:]
        starts[:] = new_starts + starts[copied:]
        ends[:] = new_ends + ends[copied:]
