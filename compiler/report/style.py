"""The style of text output: width, colors, wrapping."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

GAP = "  "
BOLD, FAINT, HEAVY, ADDED, REMOVED, CHANGED = "1", "2", "33", "32", "31", "33"


class Style(NamedTuple):
    """The available width, and whether to use colors."""

    width: int = 100
    color: bool = False
    rule: str = "-"

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code and text.strip() else text


PLAIN = Style()


def wrapped(text: str, style: Style, indent: str = "", code: str = FAINT) -> list[str]:
    """Text wrapped to lines."""
    lines = textwrap.wrap(
        text,
        max(style.width, len(indent) + 10),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    return [style.paint(line, code) for line in lines]


def laid_out(pairs: Sequence[tuple[str, str]], style: Style, indent: str = "  ") -> list[str]:
    """Two columns: names, and the wrapped text of each."""
    names = max((len(name) for name, _ in pairs), default=0)
    start = len(indent) + names + len(GAP)
    lines = []
    for name, text in pairs:
        shown = wrapped(text, style, " " * start, code="") or [""]
        first = f"{indent}{style.paint(name.ljust(names), FAINT)}{GAP}{shown[0][start:]}"
        lines += [first, *shown[1:]]
    return [line.rstrip() for line in lines]
