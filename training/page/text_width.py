"""How wide text is in a chart. The font of the reader is not known: this is what text needs in the
widest of the usual ones (DejaVu Sans, Verdana), bold."""

from __future__ import annotations

from unicodedata import combining, east_asian_width

_NARROW = frozenset("iljIftr.,:;'|!()[]{} -/\\\"`")
_WIDE = frozenset("mwMW@%&…—")
_EM = {"narrow": 0.5, "usual": 0.72, "upper": 0.86, "wide": 1.12}


def text_width(text: str, size: float) -> float:
    """The width of text, in the unit of its size."""
    return size * sum(map(_em, text))


def cut_to_width(text: str, size: float, width: float) -> str:
    """Text that is not wider than this. Where it has to be cut, three dots stand for its middle:
    names of runs often differ at their end only."""
    if text_width(text, size) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        before, after = text[: (kept + 1) // 2], text[len(text) - kept // 2 :] if kept > 1 else ""
        short = f"{before.rstrip()}…{after.lstrip()}"
        if text_width(short, size) <= width:
            return short
    return "…"


def _em(letter: str) -> float:
    if combining(letter):
        return 0.0
    if east_asian_width(letter) in "WF":
        return 1.05
    if letter in _NARROW:
        return _EM["narrow"]
    if letter in _WIDE or ord(letter) > 0x2E80:
        return _EM["wide"]
    return _EM["upper" if letter.isupper() else "usual"]
