"""Cleans up the live display when the terminal gets narrower.

Terminals wrap the lines that have become too long, so that the live part takes more rows than were
drawn. Rich moves up by as many rows as it drew, and would leave the topmost behind on the screen;
it has no option for this.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.segment import ControlType


class Reflow(RenderHook):
    """Before each drawing, removes the rows that have come about since the last."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: Sequence[int] = ()
        self._next: Sequence[int] = ()

    def draws(self, widths: Sequence[int]) -> None:
        """How wide the lines are that come next."""
        self._next = widths

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        columns = self._console.width
        more = extra_rows(self._shown, columns)
        self._shown = [min(width, columns) for width in self._next]
        if not more:
            return renderables
        up = [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * more
        return [Control(ControlType.CARRIAGE_RETURN, *up), *renderables]


def extra_rows(widths: Sequence[int], columns: int) -> int:
    """How many more rows lines take in a window of so many columns than there are lines."""
    return sum((width - 1) // columns for width in widths if width > columns > 0)
