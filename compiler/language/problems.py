"""Problem: the exception for one error found while compiling."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Argument, Call

MAX_MISTAKES = 50
"""Compilation stops after this many errors."""


_LINE = 400
"""The longest message: names and lists can have any length."""


class Problem(Exception):
    """An error with its place; the code that continues after it reports it."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        labels: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        help: str = "",
        edits: tuple[Edit, ...] = (),
        proposals: Iterable[tuple[Edit, ...]] = (),
        otherwise: str = "",
    ) -> None:
        message, help = _clipped(message), _clipped(help)
        super().__init__(message)
        self.diagnostic = Diagnostic(
            code, message, span, label, labels, notes, help, edits,
            proposals=proposals, otherwise=otherwise,
        )  # fmt: skip
        """`proposals` are candidate fixes, the best first, generated when they are tried
        (`..diagnose.trial`).
        """


def _clipped(text: str) -> str:
    """A line of a message; the middle of a huge value is left out."""
    return text if len(text) <= _LINE else f"{text[: _LINE // 2]} … {text[-_LINE // 2 :]}"


class Quiet(Exception):
    """Something depends on an error that has been reported; no further message is needed."""


def did_you_mean(word: str, candidates: Iterable[str], span: Span) -> tuple[str, tuple[Edit, ...]]:
    """Help and edit for a misspelled word; empty if no word is similar."""
    close = closest(word, candidates)
    return (f"did you mean `{close}`?", (Edit(span, close),)) if close else ("", ())


_COMMAS_BEFORE = re.compile(r"[ \t]*,(?:[\w.%]+[ \t]*,)*")
"""From right to left: a pattern that ends at the end takes long to find."""


def without_comma(head: Span) -> tuple[Edit, ...]:
    """The edits that join a word to the statement before it on its line: `conv 64 3x3, same`."""
    line = head.source.text.rfind("\n", 0, head.start) + 1
    found = _COMMAS_BEFORE.match(head.source.text[max(line, head.start - 200) : head.start][::-1])
    if found is None:
        return ()
    start = head.start - found.end()
    return tuple(
        Edit(Span(head.source, start + comma.start(), start + comma.end()), " ")
        for comma in re.finditer(r",[ \t]*", found[0][::-1])
    )


def missing_separator(call: Call, argument: Argument, word: str) -> Problem:
    """The error for a word among the arguments that must begin the next statement."""
    index = next(i for i, other in enumerate(call.arguments) if other is argument)
    before = call.arguments[index - 1].span if index else call.head.span
    return Problem(
        "missing-separator",
        f"`{word}` begins another statement, without a separator between them",
        argument.span,
        help=f"put a comma before `{word}`",
        edits=(Edit(Span(argument.span.source, before.end, argument.span.start), ", "),),
    )
