"""Signs of other languages that are operators here: `conv 64 3x3 same // the stem` has a comment,
`conv 64 3x3 same + bn + relu` a sequence of layers. The errors of such a line are about values. The
sign is what it is elsewhere if the line has no error with the sign of a spec in its place.
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

_COMMENT = re.compile(r"(?<=[ \t])(?://+|--+|%(?!%)|;)|^;")
_PLUS = re.compile(r"(?<![ \t])[ \t]+\+[ \t]*(?=(?P<word>[A-Za-z_]\w*))")
_TEXT_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*+"|#.*')
_WORD = re.compile(r"\b(?!(?:and|or|not|in|as|if|else)\b)[A-Za-z]\w*|->")
_ONE_VALUE = re.compile(r"[\s(]*[\w.]+[\s)]*(?:\s(?:[0-9]+x[0-9]|\w+=).*)?\Z")
"""A value, perhaps followed by arguments: what may be meant as an operand."""

_LONGEST_LINE = 500
_ABOUT_THE_NETWORK = frozenset({"shape", "no-input", "classes", "limit", "missing-body"})
"""Errors that a line may still have with the sign of a spec: the other sign does not cause them."""


class _Meant(NamedTuple):
    """What a line has for a sign of a spec."""

    line: int
    diagnostic: Diagnostic
    is_one_value: bool = False
    """Whether what follows could be an operand: `64 // halves`."""


def with_foreign_signs(
    source: Source,
    diagnostics: Sequence[Diagnostic],
    diagnose: Callable[[str], list[Diagnostic]],
) -> list[Diagnostic]:
    """The diagnostics, with one error for the signs of another language in a line instead of those
    that they cause.
    """
    found = {meant.line: meant for meant in _meant(source, diagnostics)}
    if not found:
        return list(diagnostics)
    text = source.text
    edits = [edit for meant in found.values() for edit in meant.diagnostic.edits]
    for span, written in sorted(edits, key=lambda edit: -edit.span.start):
        # As long as before, so that every error keeps its place.
        same_length = written.strip().ljust(span.end - span.start)
        text = f"{text[: span.start]}{same_length}{text[span.end :]}"
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
            notes = (*diagnostic.notes, about.diagnostic.message) if may_be else diagnostic.notes
            result.append(replace(diagnostic, notes=notes))
        elif about.line not in told:
            told.add(about.line)
            result.append(about.diagnostic)
    return result


def _meant(source: Source, diagnostics: Sequence[Diagnostic]) -> Iterator[_Meant]:
    """What may be meant in the lines that have errors."""
    errors = [d for d in diagnostics if d.severity == "error"]
    known = {_line(d, source) for d in errors if d.code == CODE}
    for line in {_line(d, source) for d in errors} - known - {0}:
        place = next(d.span.start for d in errors if d.span and _line(d, source) == line)
        start = source.text.rfind("\n", 0, place) + 1
        end = source.text.find("\n", start)
        written = source.text[start : end if end >= 0 else None]
        if len(written) > _LONGEST_LINE:
            continue
        code = _TEXT_OR_COMMENT.sub(lambda found: "_" * len(found[0]), written)
        meant = _comment(source, line, start, code) or _sequence(source, line, start, code)
        if meant is not None:
            yield meant


def _comment(source: Source, line: int, start: int, code: str) -> _Meant | None:
    """`conv 64 3x3 same // the stem`."""
    sign = _COMMENT.search(code)
    words = _WORD.findall(code[sign.end() :]) if sign else []
    if sign is None or not words or (sign[0] == ";" and words[0] in layer_words()):
        return None
    place = Span(source, start + sign.start(), start + sign.end())
    diagnostic = Diagnostic(
        CODE, "a comment starts with `#`", place,
        help=f"write `#` instead of `{sign[0]}`", edits=(Edit(place, "#"),),
    )  # fmt: skip
    return _Meant(line, diagnostic, bool(_ONE_VALUE.match(code, sign.end())))


def _sequence(source: Source, line: int, start: int, code: str) -> _Meant | None:
    """`conv 64 3x3 same + bn + relu`."""
    signs = [found for found in _PLUS.finditer(code) if found["word"] in layer_words()]
    if not signs:
        return None
    places = [Span(source, start + each.start(), start + each.end()) for each in signs]
    first = start + code.index("+", signs[0].start())
    return _Meant(
        line,
        Diagnostic(
            "foreign-sign",
            "layers that follow one another are separated by a comma, not by `+`",
            Span(source, first, first + 1),
            help="write a comma in its place",
            edits=tuple(Edit(place, ", ") for place in places),
        ),
    )


def _line(diagnostic: Diagnostic, source: Source) -> int:
    """The line of a diagnostic; 0 if it is not in this text."""
    span = diagnostic.span
    return span.line if span is not None and span.source is source else 0


def _is_before(diagnostic: Diagnostic, meant: _Meant) -> bool:
    """Whether an error is about the sign or what precedes it, not about the result of both."""
    span, sign = diagnostic.span, meant.diagnostic.span
    return span is None or sign is None or span.start < sign.end >= span.end
