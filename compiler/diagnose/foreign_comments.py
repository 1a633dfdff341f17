"""Comments of other languages behind a statement: `conv 64 3x3 same // the stem`. `//`, `--` and
`%` are operators of a spec, too, so the errors of such a line are about values. It is a comment if
the line has no error with `#` in place of the sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ...dsl.diagnostics import Diagnostic, Edit
from ...dsl.source import Source, Span
from ..language.vocabulary import layer_words

CODE = "comment"
_MESSAGE = "a comment starts with `#`"

_SIGN = re.compile(r"(?<=[ \t])(?://+|--+|%(?!%)|;)|^;")
_TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*+"|#.*')
_WORD = re.compile(r"\b[A-Za-z]\w*|->")
_ONE_VALUE = re.compile(r"[\s(]*[\w.]+[\s)]*(?:\s(?:[0-9]+x[0-9]|\w+=).*)?\Z")
"""A value, perhaps followed by arguments: what may be meant as an operand."""

_LONGEST_LINE = 500
_ABOUT_THE_NETWORK = frozenset({"shape", "no-input", "classes", "limit", "missing-body"})
"""Errors that a line may still have without its comment: a comment does not cause them."""


class _Comment(NamedTuple):
    line: int
    sign: Span
    is_one_value: bool
    """Whether it could be an operand: `64 // halves`."""


def with_comments(
    source: Source,
    diagnostics: Sequence[Diagnostic],
    diagnose: Callable[[str], list[Diagnostic]],
) -> list[Diagnostic]:
    """The diagnostics, with one error for each comment of another language instead of those that
    it causes.
    """
    found = {comment.line: comment for comment in _comments(source, diagnostics)}
    if not found:
        return list(diagnostics)
    text = source.text
    for comment in sorted(found.values(), key=lambda c: -c.sign.start):
        # As long as before, so that every error keeps its place.
        text = f"{text[: comment.sign.start]}#{text[comment.sign.start + 1 :]}"
    left = {
        d.span.line
        for d in diagnose(text)
        if d.severity == "error" and d.span is not None and d.code not in _ABOUT_THE_NETWORK
    }
    told: set[int] = set()
    result = []
    for diagnostic in diagnostics:
        about = found.get(_line(diagnostic, source))
        if about is None or about.line in left or diagnostic.severity != "error":
            result.append(diagnostic)
        elif about.is_one_value and not _is_before(diagnostic, about):
            may_be = not diagnostic.edits and not diagnostic.proposals
            notes = (*diagnostic.notes, _MESSAGE) if may_be else diagnostic.notes
            result.append(replace(diagnostic, notes=notes))
        elif about.line not in told:
            told.add(about.line)
            result.append(_error(about))
    return result


def _error(comment: _Comment) -> Diagnostic:
    return Diagnostic(
        CODE, _MESSAGE, comment.sign,
        help=f"write `#` instead of `{comment.sign.text}`",
        edits=(Edit(comment.sign, "#"),),
    )  # fmt: skip


def _comments(source: Source, diagnostics: Sequence[Diagnostic]) -> Iterator[_Comment]:
    """What may be comments, in the lines that have errors."""
    errors = [d for d in diagnostics if d.severity == "error"]
    known = {_line(d, source) for d in errors if d.code == CODE}
    for line in {_line(d, source) for d in errors} - known - {0}:
        start = next(d.span for d in errors if d.span and _line(d, source) == line).start
        start = source.text.rfind("\n", 0, start) + 1
        end = source.text.find("\n", start)
        written = source.text[start : end if end >= 0 else None]
        if len(written) > _LONGEST_LINE:
            continue
        code = _TEXT_OR_COMMENT.sub(lambda found: "_" * len(found[0]), written)
        sign = _SIGN.search(code)
        words = _WORD.findall(written[sign.end() :]) if sign else []
        if sign is None or not words or (sign[0] == ";" and words[0] in layer_words()):
            continue
        place = Span(source, start + sign.start(), start + sign.end())
        yield _Comment(line, place, bool(_ONE_VALUE.match(written, sign.end())))


def _line(diagnostic: Diagnostic, source: Source) -> int:
    """The line of a diagnostic; 0 if it is not in this text."""
    span = diagnostic.span
    return span.line if span is not None and span.source is source else 0


def _is_before(diagnostic: Diagnostic, comment: _Comment) -> bool:
    """Whether an error is about the sign or what precedes it, not about the result of both."""
    span = diagnostic.span
    return span is None or span.start < comment.sign.end >= span.end
