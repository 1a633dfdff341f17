"""Estimates the width of text without a font. The widths are those of DejaVu Sans, which is wider
than most fonts that browsers substitute: text that fits in it fits everywhere.
"""

from __future__ import annotations

_WIDTHS = {
    **dict.fromkeys("iljI|.,:;'!", 0.32),
    **dict.fromkeys("ftr()[]-/\\ ·", 0.40),
    **dict.fromkeys("mwMW@%", 0.94),
    **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ", 0.70),
    **dict.fromkeys("=+<>~×", 0.84),
}
_OTHERS = 0.62
_WIDE = 1.05
"""The width of non-Latin characters."""

BOLD = 1.1


def width(text: str, size: float, *, bold: bool = False) -> float:
    """The width in pixels."""
    ems = sum(_WIDTHS.get(c, _OTHERS if ord(c) < 0x2000 else _WIDE) for c in text)
    return ems * size * (BOLD if bold else 1)


def cut(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Shortens text that is too wide, in the middle."""
    if width(text, size, bold=bold) <= room:
        return text
    for length in range(len(text) - 1, 2, -1):
        tail = length // 3
        shorter = f"{text[: length - tail]}…{text[len(text) - tail :]}"
        if width(shorter, size, bold=bold) <= room:
            return shorter
    return "…"


def wrapped(text: str, size: float, room: float, lines: int, *, bold: bool = False) -> list[str]:
    """Breaks text that is too wide between words, into so many lines at most; what is too long
    even for these is shortened."""
    found: list[str] = []
    left = text.split(" ")
    while left:
        taken = 1
        while taken < len(left) and width(" ".join(left[: taken + 1]), size, bold=bold) <= room:
            taken += 1
        if len(found) == lines - 1:
            taken = len(left)
        found.append(cut(" ".join(left[:taken]), size, room, bold=bold))
        left = left[taken:]
    return found
