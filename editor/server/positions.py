"""Offsets of a text, and positions of the protocol, which count UTF-16 units of a line."""

from __future__ import annotations

from bisect import bisect_right

from lsprotocol.types import Position, Range

from ...dsl.source import Source, Span


def position(source: Source, offset: int) -> Position:
    offset = min(offset, len(source.text))
    line = bisect_right(source.line_starts, offset) - 1
    start = source.line_starts[line]
    return Position(line, _units(source.text[start:offset]))


def range_of(span: Span) -> Range:
    return Range(position(span.source, span.start), position(span.source, span.end))


def offset(source: Source, at: Position) -> int:
    """Positions beyond the end of a line, or of the text, are at that end."""
    if at.line >= source.line_count:
        return len(source.text)
    start = source.line_starts[at.line]
    text = source.line(at.line + 1)
    if text.isascii():
        return start + min(at.character, len(text))
    units = 0
    for number, char in enumerate(text):
        if units >= at.character:
            return start + number
        units += 1 + (ord(char) > 0xFFFF)
    return start + len(text)


def text_of(span: Span) -> str:
    return span.source.text[span.start : span.end]


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
