"""How wide text is, without a font at hand.

Measured after DejaVu Sans, wider than most that a browser might take instead: what fits there, fits
everywhere.
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
"""Of characters beyond Latin ones."""

BOLD = 1.1


def width(text: str, size: float, *, bold: bool = False) -> float:
    """In pixels."""
    ems = sum(_WIDTHS.get(c, _OTHERS if ord(c) < 0x2000 else _WIDE) for c in text)
    return ems * size * (BOLD if bold else 1)


def cut(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Without its middle, where it is too wide."""
    if width(text, size, bold=bold) <= room:
        return text
    for length in range(len(text) - 1, 2, -1):
        behind = length // 3
        shorter = f"{text[: length - behind]}…{text[len(text) - behind :]}"
        if width(shorter, size, bold=bold) <= room:
            return shorter
    return "…"
