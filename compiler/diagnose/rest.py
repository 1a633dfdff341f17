"""The errors behind an error that hides the rest of a text, as a syntax error or a misspelled
`network` does: the rest is checked with that error's fix made, or without its statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from ...dsl.diagnostics import Diagnostic, Edit, Label, SpecError
from ...dsl.program import Program, load_program
from ...dsl.source import Source, Span
from .trial import apply, statements_around


def errors_in_the_rest(
    source: Source,
    found: Sequence[Diagnostic],
    check: Callable[[Program], list[Diagnostic]],
    read_on: Callable[[Source, Sequence[Diagnostic]], list[Diagnostic]] | None = None,
) -> Iterator[Diagnostic]:
    """The errors of a text besides those found: with their fixes made where they have one, and
    without their statements where they have none. `read_on` completes what is said of a text that
    still cannot be parsed."""
    errors = [d for d in found if d.severity == "error"]
    if any(d.span is None for d in errors):
        return
    left_out = _left_out(source, errors)
    fixes = (edit for d in errors for edit in d.edits if not _overlaps(edit, left_out))
    edits = sorted([*fixes, *left_out], key=lambda e: e.span.start)
    if any(a.span.end > b.span.start for a, b in pairwise(edits)):
        return
    text = apply(source.text, edits)
    places = _Places(source, edits)
    spans = [d.span for d in errors if d.span is not None]
    touched = [statements_around(source.text, span.start, span.end) for span in spans]
    changed = Source(source.name, text, source.path)
    try:
        further = check(load_program(changed))
    except SpecError as error:
        if read_on is None or left_out:
            return
        further = read_on(changed, error.diagnostics)
    for diagnostic in further:
        moved = places.moved(diagnostic)
        if moved is None or moved.span is None or moved.severity != "error":
            continue
        if any(_belongs_to(moved.span, start, end) for start, end in touched):
            continue
        if not left_out or _is_independent(moved, left_out):
            notes = tuple(note for note in moved.notes if "of 1 rounds of repeat" not in note)
            yield replace(moved, notes=notes) if left_out else moved


def _belongs_to(span: Span, start: int, end: int) -> bool:
    """Whether a place is in a statement, or is the word of a body on the same line around it."""
    between = span.source.text[span.end : start]
    opens = between.count("{") > between.count("}") and "\n" not in between
    return start <= span.start <= end or opens


_INDEPENDENT = frozenset(
    {
        "argument",
        "argument-order",
        "missing-argument",
        "missing-equals",
        "missing-separator",
        "misplaced-directive",
        "repeated-argument",
        "second-directive",
        "too-many-arguments",
        "unexpected-body",
        "unknown-argument",
        "unknown-directive",
        "unknown-flag",
        "unknown-kind",
        "unknown-layer",
    }
)
"""Mistakes within one statement, whatever stands before it."""


def _left_out(source: Source, errors: Sequence[Diagnostic]) -> list[Edit]:
    """The statements with a mistake that has no fix, each taken out; a body stays."""
    places: list[tuple[int, int]] = []
    for diagnostic in sorted(errors, key=lambda d: d.span.start if d.span else 0):
        if diagnostic.edits or diagnostic.span is None:
            continue
        start, end = statements_around(source.text, diagnostic.span.start, diagnostic.span.end)
        if places and start <= places[-1][1]:
            start, end = places[-1][0], max(end, places.pop()[1])
        places.append((start, end))
    return [
        Edit(Span(source, start, end), "repeat 1" if _BODY.match(source.text, end) else "")
        for start, end in places
    ]


_BODY = re.compile(r"[ \t]*\{")


def _overlaps(edit: Edit, others: Sequence[Edit]) -> bool:
    span = edit.span
    return any(span.start <= o.span.end and o.span.start <= span.end for o in others)


def _is_independent(diagnostic: Diagnostic, left_out: Sequence[Edit]) -> bool:
    """Whether a mistake is none of what has been left out."""
    assert diagnostic.span is not None
    if diagnostic.code == "shape":
        # Shapes run from top to bottom, but in blocks, which are called from anywhere.
        called = any("called at" in note for note in diagnostic.notes)
        return not called and diagnostic.span.start < left_out[0].span.start
    defined = any(edit.span.text.startswith(("block", "import")) for edit in left_out)
    unsure = defined and diagnostic.code == "unknown-layer"
    return diagnostic.code in _INDEPENDENT and not unsure


class _Places:
    """Maps places of an edited text back to the original text."""

    def __init__(self, source: Source, edits: Sequence[Edit]) -> None:
        self.source = source
        self.edits = edits

    def back(self, offset: int) -> int:
        """The offset in the original text; -1 inside text that an edit inserted."""
        shift = 0
        for edit in self.edits:
            begin = edit.span.start + shift
            if offset < begin:
                break
            if offset < begin + len(edit.text):
                return -1
            shift += len(edit.text) - (edit.span.end - edit.span.start)
        return offset - shift

    def span(self, span: Span) -> Span | None:
        if span.source.name != self.source.name:
            return span
        start, end = self.back(span.start), self.back(span.end)
        return Span(self.source, start, end) if 0 <= start <= end else None

    def moved(self, diagnostic: Diagnostic) -> Diagnostic | None:
        """The diagnostic moved to its place in the original text; None within an edit."""
        span = self.span(diagnostic.span) if diagnostic.span is not None else None
        if span is None:
            return None
        labels = [(self.span(label.span), label.message) for label in diagnostic.labels]
        edits = [(self.span(edit.span), edit.text) for edit in diagnostic.edits]
        whole = all(place is not None for place, _ in edits)
        return replace(
            diagnostic,
            span=span,
            labels=tuple(Label(place, message) for place, message in labels if place is not None),
            edits=tuple(Edit(place, text) for place, text in edits if place is not None)
            if whole
            else (),
        )
