"""Mistakes found while compiling: the error that carries one."""

from __future__ import annotations

from collections.abc import Iterable

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Argument, Call

MAX_MISTAKES = 50
"""Compiling ends after as many."""


_LINE = 400
"""Characters of a message; names and lists have any length."""


class Problem(Exception):
    """A mistake with its place; whoever carries on after it reports it."""

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
        """Its proposals are changes that may mend it, the best first, worked out when they
        are tried (`..diagnose.trial`)."""


def _clipped(text: str) -> str:
    """A line of a message, without the middle of a huge value."""
    return text if len(text) <= _LINE else f"{text[: _LINE // 2]} … {text[-_LINE // 2 :]}"


class Quiet(Exception):
    """Something rests on a mistake already reported; there is nothing to say about it."""


def did_you_mean(word: str, candidates: Iterable[str], span: Span) -> tuple[str, tuple[Edit, ...]]:
    """Help and edit for a misspelt word; empty where nothing is close."""
    close = closest(word, candidates)
    return (f"did you mean `{close}`?", (Edit(span, close),)) if close else ("", ())


def missing_separator(call: Call, argument: Argument, word: str) -> Problem:
    """For a word among the arguments that can only be the next statement's first."""
    index = next(i for i, other in enumerate(call.arguments) if other is argument)
    before = call.arguments[index - 1].span if index else call.head.span
    return Problem(
        "missing-separator",
        f"`{word}` begins another statement, without a separator between them",
        argument.span,
        help=f"put a comma before `{word}`",
        edits=(Edit(Span(argument.span.source, before.end, argument.span.start), ", "),),
    )
