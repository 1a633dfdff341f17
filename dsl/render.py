"""Diagnostics as text for a person, and as JSON and SARIF for programs.

A spec may come from anywhere, so nothing of it reaches a terminal as it is: what would move the
cursor, change colours or reorder a line is written out as an escape (`\\x1b`, `\\u202e`). Of a line
only the part that is shown is ever looked at character by character.

Nothing returned here ends in a newline.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from .diagnostic import Diagnostic, Edit, Severity
from .printable import show, show_character, terminal_width
from .source import Source, Span

_TAB = 4
_MIN_ROOM = 20
"""Columns of a line that are shown on however narrow a terminal."""
_GAP = 2
"""Columns between one label's text and the next marker on the same row."""

_SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

# ---- text: the part of a line that is shown ----------------------------------------------------


class _Window(NamedTuple):
    """The part of a line that is shown, and where its characters stand."""

    shown: str
    first: int
    """The offset of the first character shown."""
    last: int
    """The last offset that can be marked: a character's, or the line's end where that is shown."""
    columns: list[int]
    """Of each character from `first` on, and of what follows them."""

    def holds(self, offset: int) -> bool:
        return self.first <= offset <= self.last

    def under(self, start: int, end: int) -> tuple[int, int]:
        """The columns to mark, at least one, for a stretch whose start is shown."""
        columns = self.columns
        behind = len(columns) - 1
        at = start - self.first
        while 0 < at < behind and columns[at] == columns[at + 1]:
            at -= 1  # no room of its own: mark the letter that it sits on
        stop = columns[min(end - self.first, behind)]
        if end > self.first + behind:
            stop += 1  # the rest of it is under the `…`
        return columns[at], max(stop, columns[at] + 1)


def _window(source: Source, line: tuple[int, int], start: int, end: int, room: int) -> _Window:
    """As much of a line around the stretch as there is room for.

    One column is kept for a caret behind the last character.
    """
    line_start, line_end = line
    # Few characters take no column, so this many to either side fill the room.
    low = max(line_start, start - room)
    high = min(line_end, min(end, start + room) + room)
    pieces, columns = _lay_out(source.text[low:high])
    width = columns[-1]
    if low == line_start and high == line_end and width < room:
        return _Window("".join(pieces), low, line_end, columns)

    left = _left_edge(columns, start - low, end - low, room)
    if high == line_end:
        left = max(0, min(left, width + 1 - room))  # no empty columns behind the line's end
    first, shift = 0, 0
    if left > 0 or low > line_start:
        first = _first_behind(columns, left, start - low)
        shift = 1 - columns[first]
    if high == line_end and width + shift < room:
        stop, last = len(pieces), line_end
    else:
        stop = bisect_right(columns, room - 1 - shift) - 1
        last = low + stop - 1
    clipped_left, clipped_right = low + first > line_start, low + stop < line_end
    return _Window(
        "…" * clipped_left + "".join(pieces[first:stop]) + "…" * clipped_right,
        low + first,
        last,
        [column + shift for column in columns[first : stop + 1]],
    )


def _lay_out(text: str) -> tuple[list[str], list[int]]:
    """Each character as it is shown; the column of each, and the one behind them all."""
    pieces, columns, column = [], [0], 0
    for char in text:
        piece = " " * (_TAB - column % _TAB) if char == "\t" else show_character(char)
        column += terminal_width(piece)
        pieces.append(piece)
        columns.append(column)
    return pieces, columns


def _left_edge(columns: list[int], start: int, end: int, room: int) -> int:
    """The first column to show so that the stretch is seen, with something before and behind it."""
    end = min(max(end, start + 1), len(columns) - 1)  # an escape may be ten columns wide
    start_column, end_column = columns[start], columns[end]
    context = room // 4
    if end_column + context <= room:
        return 0
    return max(0, start_column - max(context, (room - (end_column - start_column)) // 3))


def _first_behind(columns: list[int], left: int, wanted: int) -> int:
    """The first character that a `…` in column `left` does not cover, `wanted` at the latest."""
    first = bisect_left(columns, left + 1)
    while first < wanted and columns[first] == columns[first + 1]:
        first += 1  # an accent whose letter is covered
    return min(first, wanted)


# ---- text: which lines are shown, and what is marked on them -----------------------------------


class _Place(NamedTuple):
    span: Span
    text: str
    primary: bool


class _Mark(NamedTuple):
    start: int
    end: int
    text: str
    primary: bool


@dataclass
class _Line:
    number: int
    marks: list[_Mark] = field(default_factory=list)
    primary: bool = False
    gap: bool = False
    """Something marked on it goes on below, and not all of that is shown."""


class _Section(NamedTuple):
    """What is shown of one file."""

    head: Span
    lines: list[_Line]


def _sections(diagnostic: Diagnostic) -> list[_Section]:
    """What is shown of each file, the diagnostic's own first."""
    places = [_Place(label.span, label.message, False) for label in diagnostic.labels]
    if diagnostic.span:
        places.insert(0, _Place(diagnostic.span, diagnostic.label, True))
    files: dict[Source, list[_Place]] = {}
    for place in places:
        files.setdefault(place.span.source, []).append(place)
    return [_section(places) for places in files.values()]


def _section(places: list[_Place]) -> _Section:
    """The diagnostic's own place comes first; the others follow from top to bottom."""
    places = sorted(places, key=lambda place: (not place.primary, place.span.start))
    lines: dict[int, _Line] = {}
    for place in places:
        _enter(place, lines)
    in_order = sorted(lines.values(), key=lambda line: (not line.primary, line.number))
    return _Section(places[0].span, in_order)


def _enter(place: _Place, lines: dict[int, _Line]) -> None:
    """Marks a place on its line; a longer one on its first and on its last, which has the text."""
    source = place.span.source
    start, end = _without_line_ends_behind(place.span)
    first, last = source.locate(start)[0], source.locate(end)[0]
    gap = last > first + 2  # to leave out a single line would not make it shorter
    for number in (first, last) if gap else range(first, last + 1):
        line = lines.setdefault(number, _Line(number))
        line.primary |= place.primary
        line.gap |= gap and number == first
        line_start, line_end = _extent(source, number)
        mark_start = start if number == first else _indented(source.text, line_start, line_end)
        mark_start = min(mark_start, line_end)  # it may be between \r and \n
        mark_end = min(end, line_end)
        if number < last:
            mark_end = mark_start + len(source.text[mark_start:line_end].rstrip(" \t"))
        if mark_end > mark_start or number in (first, last):
            text = place.text if number == last else ""
            line.marks.append(_Mark(mark_start, mark_end, text, place.primary))


def _without_line_ends_behind(span: Span) -> tuple[int, int]:
    """Its extent, less the blanks in front of a line on which nothing of it stands."""
    text = span.source.text
    start = min(span.start, len(text))
    covered = text[start : span.end]
    if "\n" in covered or "\r" in covered:
        covered = covered.rstrip(" \t\r\n")
    return start, start + len(covered)


def _extent(source: Source, number: int) -> tuple[int, int]:
    """Where a line starts and ends; the text itself may be too long to copy for this."""
    text, starts = source.text, source.line_starts
    start = starts[number - 1]
    end = starts[number] if number < len(starts) else len(text)
    for line_end in "\n\r":
        if end > start and text[end - 1] == line_end:
            end -= 1
    return start, end


_NOT_A_BLANK = re.compile(r"[^ \t]")


def _indented(text: str, start: int, end: int) -> int:
    match = _NOT_A_BLANK.search(text, start, end)
    return match.start() if match else end


# ---- text: the rows ----------------------------------------------------------------------------

_Style = Literal["error", "warning", "strong", "gutter", "other", "help"]
_Paint = Callable[[str, _Style], str]

_SGR: dict[_Style, str] = {
    "error": "1;31",
    "warning": "1;33",
    "strong": "1",
    "gutter": "1;34",
    "other": "1;34",
    "help": "1;36",
}


def _plain(text: str, style: _Style) -> str:
    return text


def _in_color(text: str, style: _Style) -> str:
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if text else text


class _Piece(NamedTuple):
    column: int
    text: str
    style: _Style


class _Row:
    """A row of markers and texts under a line."""

    def __init__(self, *pieces: _Piece, full: bool = False) -> None:
        self.pieces = list(pieces)
        self.full = full

    def has_room_for(self, new: _Piece) -> bool:
        return not self.full and all(
            new.column >= old.column + terminal_width(old.text) + _GAP
            or old.column >= new.column + terminal_width(new.text) + _GAP
            for old in self.pieces
        )

    def painted(self, paint: _Paint) -> str:
        text, column = "", 0
        for piece in sorted(self.pieces):
            text += " " * (piece.column - column) + paint(piece.text, piece.style)
            column = piece.column + terminal_width(piece.text)
        return text


def _rows(marks: list[_Mark], window: _Window, room: int, severity: Severity) -> list[_Row]:
    """The rows under a line: as few as will do, the first with what comes first in `marks`."""
    rows: list[_Row] = []
    for mark in marks:
        start, end = window.under(mark.start, mark.end)
        style: _Style = severity if mark.primary else "other"
        sign = ("^" if mark.primary else "-") * (end - start)
        text = show(mark.text)
        if text and end + 1 + terminal_width(text) > room:
            # Too long to stand beside the marker: below it, as far to the left as it needs.
            column = max(0, min(start, room - terminal_width(text)))
            rows.append(_Row(_Piece(start, sign, style), full=True))
            rows.append(_Row(_Piece(column, text, style), full=True))
            continue
        piece = _Piece(start, f"{sign} {text}".rstrip(), style)
        for row in rows:
            if row.has_room_for(piece):
                row.pieces.append(piece)
                break
        else:
            rows.append(_Row(piece))
    return rows


class _Page:
    """One diagnostic as text."""

    def __init__(self, diagnostic: Diagnostic, width: int, paint: _Paint) -> None:
        self.diagnostic = diagnostic
        self.paint = paint
        self.sections = _sections(diagnostic)
        numbers = [line.number for section in self.sections for line in section.lines]
        self.margin = " " * len(str(max(numbers, default=1)))
        self.room = max(width - len(f"{self.margin} | "), _MIN_ROOM)

    def rows(self) -> Iterator[str]:
        it = self.diagnostic
        yield from self.prose("", f"{it.severity}[{show(it.code)}]:", it.severity, it.message)
        if not it.span and it.where:
            yield self.arrow("-->", show(it.where))
        for section in self.sections:
            span = section.head
            arrow = "-->" if it.span and span.source is it.span.source else ":::"
            yield self.arrow(arrow, f"{show(span.source.name)}:{span.line}:{span.column}")
            yield self.paint(f"{self.margin} |", "gutter")
            for line in section.lines:
                yield from self.line(span.source, line)
        for note in it.notes:
            yield from self.prose(f"{self.margin} ", "=", "gutter", note)
        if it.help:
            yield from self.prose(f"{self.margin} ", "help:", "help", it.help)

    def arrow(self, arrow: str, place: str) -> str:
        return self.margin + self.paint(arrow, "gutter") + f" {place}"

    def prose(self, indent: str, head: str, style: _Style, text: str) -> Iterator[str]:
        """A text with a word in front of it; further lines of it are indented to its start."""
        before = indent + self.paint(head, style)
        for line in map(show, text.split("\n")):
            strong = self.paint(line, "strong") if style == self.diagnostic.severity else line
            yield f"{before} {strong}".rstrip(" ")
            before = " " * len(indent + head)

    def line(self, source: Source, line: _Line) -> Iterator[str]:
        """The line, with markers; once more for those that are too far away to be on one row."""
        extent = _extent(source, line.number)
        number = self.paint(f"{line.number:>{len(self.margin)}} |", "gutter")
        pending = sorted(line.marks, key=lambda mark: (not mark.primary, mark.start))
        while True:
            window = self.window(source, extent, pending)
            yield f"{number} {window.shown}".rstrip(" ")
            marks = [mark for mark in pending if window.holds(mark.start)]
            for row in _rows(marks, window, self.room, self.diagnostic.severity):
                yield self.paint(f"{self.margin} |", "gutter") + f" {row.painted(self.paint)}"
            pending = [mark for mark in pending[1:] if not window.holds(mark.start)]
            if not pending:
                break
        if line.gap:
            yield self.paint("...", "gutter")

    def window(self, source: Source, extent: tuple[int, int], marks: list[_Mark]) -> _Window:
        """The part of the line around the first mark, and around those that fit in beside it."""
        if not marks:
            return _window(source, extent, extent[0], extent[0], self.room)
        start, end = marks[0].start, marks[0].end
        for mark in marks:
            wider = min(start, mark.start), max(end, mark.end)
            if wider[1] - wider[0] < self.room * 3 // 4:
                start, end = wider
        window = _window(source, extent, start, end, self.room)
        if window.holds(marks[0].start):
            return window
        # The characters between them are wide ones.
        return _window(source, extent, marks[0].start, marks[0].end, self.room)


def render_text(
    diagnostics: Iterable[Diagnostic], *, color: bool = False, width: int = 100, limit: int = 20
) -> str:
    """For a person to read. Lines of a spec are cut to fit the width; texts are not."""
    reported = list(diagnostics)
    # Where not all are shown, no warning keeps an error from being shown.
    by_weight = sorted(range(len(reported)), key=lambda n: reported[n].severity != "error")
    shown, left_out = sorted(by_weight[:limit]), by_weight[limit:]
    paint = _in_color if color else _plain
    blocks = ["\n".join(_Page(reported[n], width, paint).rows()) for n in shown]
    if left_out:
        blocks.append("… and " + _count((reported[n] for n in left_out), "more "))
    return "\n\n".join(blocks)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`"""
    return _count(diagnostics) or "no errors"


def _count(diagnostics: Iterable[Diagnostic], more: str = "") -> str:
    severities = [diagnostic.severity for diagnostic in diagnostics]
    counts = [(severities.count(severity), severity) for severity in ("error", "warning")]
    return ", ".join(f"{n} {more}{severity}{'s' * (n > 1)}" for n, severity in counts if n)


# ---- JSON and SARIF ----------------------------------------------------------------------------


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """For a program; what the fields are is said in the documentation of `cnn check`."""
    return _dump({"diagnostics": [_json_diagnostic(diagnostic) for diagnostic in diagnostics]})


def _json_diagnostic(diagnostic: Diagnostic) -> dict[str, object]:
    span = diagnostic.span
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.where,
        "start": _point(span.source, span.start) if span else None,
        "end": _point(span.source, span.end) if span else None,
        "label": diagnostic.label,
        "labels": [{"message": it.message, **_extent_in_file(it.span)} for it in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
        "edits": [{**_extent_in_file(it.span), "text": it.text} for it in diagnostic.edits],
    }


def _extent_in_file(span: Span) -> dict[str, object]:
    return {
        "file": span.source.name,
        "start": _point(span.source, span.start),
        "end": _point(span.source, span.end),
    }


def _point(source: Source, offset: int) -> dict[str, int]:
    line, column = source.locate(offset)
    return {"line": line, "column": column}


def render_sarif(diagnostics: Iterable[Diagnostic], version: str) -> str:
    """SARIF 2.1.0, which code hosts and editors read; `version` is the program's own."""
    reported = list(diagnostics)
    codes = sorted({diagnostic.code for diagnostic in reported})
    driver = {"name": "dotcnn", "version": version, "rules": [{"id": code} for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(it, codes.index(it.code)) for it in reported],
    }
    return _dump({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _sarif_result(diagnostic: Diagnostic, rule: int) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": _sarif_message(_in_full(diagnostic)),
        "locations": _sarif_place(diagnostic),
    }
    if diagnostic.labels:
        result["relatedLocations"] = [
            _sarif_location(label.span, label.message) for label in diagnostic.labels
        ]
    if diagnostic.edits:
        result["fixes"] = [_sarif_fix(diagnostic.help, diagnostic.edits)]
    return result


def _in_full(diagnostic: Diagnostic) -> str:
    """With notes and help, for which a result has no fields of its own."""
    help = (f"help: {diagnostic.help}",) if diagnostic.help else ()
    return "\n".join((diagnostic.message, *diagnostic.notes, *help))


def _sarif_message(text: str) -> dict[str, str]:
    # The standard wants braces doubled (3.11.5), but GitHub and editors show them as they are.
    return {"text": text}


def _sarif_place(diagnostic: Diagnostic) -> list[dict[str, object]]:
    if diagnostic.span:
        return [_sarif_location(diagnostic.span, diagnostic.label)]
    if diagnostic.where:
        return [{"physicalLocation": {"artifactLocation": {"uri": _uri(diagnostic.where)}}}]
    return []


def _sarif_location(span: Span, message: str) -> dict[str, object]:
    place = {
        "artifactLocation": {"uri": _uri(span.source.name)},
        "region": _sarif_region(span),
    }
    return {"physicalLocation": place, **({"message": _sarif_message(message)} if message else {})}


def _sarif_region(span: Span) -> dict[str, int]:
    (line, column), (end_line, end_column) = map(span.source.locate, span[1:])
    return {
        "startLine": line,
        "startColumn": column,
        "endLine": end_line,
        "endColumn": end_column,
    }


def _sarif_fix(help: str, edits: Iterable[Edit]) -> dict[str, object]:
    files: dict[Source, list[dict[str, object]]] = {}
    for edit in edits:
        content = {"insertedContent": {"text": edit.text}} if edit.text else {}
        replacement = {"deletedRegion": _sarif_region(edit.span), **content}
        files.setdefault(edit.span.source, []).append(replacement)
    changes = [
        {"artifactLocation": {"uri": _uri(source.name)}, "replacements": replacements}
        for source, replacements in files.items()
    ]
    return {**({"description": _sarif_message(help)} if help else {}), "artifactChanges": changes}


def _uri(name: str) -> str:
    """A file's name as a URI reference; a relative one stays relative, as code hosts want it."""
    from pathlib import Path
    from urllib.parse import quote

    try:
        path = Path(name)
        return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
    except UnicodeEncodeError:  # no system has a file with such a name
        return quote(name, errors="replace")


def _dump(value: object) -> str:
    import json

    return json.dumps(_without_surrogates(value), indent=2)


def _without_surrogates(value: Any) -> Any:
    """Half a character is allowed in JSON as Python writes it, but other readers refuse it."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_surrogates(item) for key, item in value.items()}
    return value
