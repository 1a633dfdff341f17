"""The table of syntax mistakes: each row is a broken snippet and the function that recognises it.
Functions are tried in the order written; the first that recognises the mistake explains it. A test
checks that every snippet is recognized by its own row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..diagnostics import Diagnostic, Edit, Label
from ..source import Span
from ..trouble import Explanation, Mend, Trouble

Recogniser = Callable[[Trouble], Explanation | None]
TABLE: list[tuple[str, str, Recogniser]] = []
"""Code, broken snippet, and the function that recognises it."""


def mistake(code: str, *snippets: str) -> Callable[[Recogniser], Recogniser]:
    """Decorator: adds a function to the table, with snippets that it recognises."""

    def enter(recognise: Recogniser) -> Recogniser:
        TABLE.extend((code, snippet, recognise) for snippet in snippets)
        return recognise

    return enter


def say(
    code: str,
    message: str,
    span: Span,
    help: str = "",
    *,
    label: str = "",
    labels: tuple[Label, ...] = (),
    edits: tuple[Edit, ...] = (),
    mend: Mend | None = None,
    otherwise: str = "",
) -> Explanation:
    diagnostic = Diagnostic(
        code, message, span, label, labels, help=help, edits=edits, otherwise=otherwise
    )
    return Explanation(diagnostic, mend)


def tokens(at: Trouble, first: int, behind: int) -> Iterator[tuple[str, int, int]]:
    """The tokens of a range, for a recovery: type, start, end."""
    for offset in range(first, behind):
        span = at.span_at(offset)
        yield at.kind_at(offset), span.start, span.end
