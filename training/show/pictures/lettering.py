"""Text in pictures: fonts for any alphabet, and lines that fit into a width."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from PIL import ImageFont

from ....dsl.printable import show

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_OTHER = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial.ttf")
_WIDE = (
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "Arial Unicode.ttf",
    "msgothic.ttc",
    *_OTHER,
)
"""Fonts of Chinese, Japanese and Korean; without them, such names are boxes."""


def font_for(line: str, size: int) -> Font:
    """Pillow's own font, the same everywhere; for other alphabets one that is installed."""
    if line.isascii() or all(ord(letter) < 0x180 or letter in "…–—" for letter in line):
        return _usual(size)
    return _installed(_WIDE if any(ord(letter) >= 0x1100 for letter in line) else _OTHER, size)


@cache
def _usual(size: int) -> Font:
    return ImageFont.load_default(size)


@cache
def _installed(names: tuple[str, ...], size: int) -> Font:
    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return _usual(size)


def width_of(line: str, size: int) -> float:
    """The width of a line in pixels."""
    return font_for(line, size).getlength(line)


def wrapped(text: str, room: float, size: int, most: int | None = None) -> list[str]:
    """The lines of a text that is at most `room` pixels wide. A longer word is broken; what needs
    more than `most` lines is cut in the middle, since both ends of a file name tell it apart."""
    text = " ".join(show(text).split())
    lines = _lines(text, room, size)
    if most is None or len(lines) <= most:
        return lines
    kept = _most(len(text) - 1, lambda n: len(_lines(_cut(text, n), room, size)) <= most)
    return _lines(_cut(text, kept), room, size)


def _lines(text: str, room: float, size: int) -> list[str]:
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if width_of(longer, size) <= room:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while len(line) > 1 and width_of(line, size) > room:
            fits = _most(len(line) - 1, lambda n, line=line: width_of(line[:n], size) <= room)  # type: ignore[misc]
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line] if line else lines


def _most(limit: int, holds: Callable[[int], bool]) -> int:
    """The greatest number up to `limit` for which this holds, as it does for all smaller ones; at
    least 1."""
    low, high = 1, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _cut(text: str, kept: int) -> str:
    tail = kept // 3
    return f"{text[: kept - tail]}…{text[len(text) - tail :]}"
