"""Redraws the live display cleanly when the terminal gets narrower.

Terminals wrap lines that have become too long, so the live part takes more rows than were drawn.
Rich moves up only by the rows that it drew, which would leave the topmost ones on the screen; it
has no option for this.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.segment import ControlType


class Reflow(RenderHook):
    """Before each drawing, erases the rows that wrapping has added since the last one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: Sequence[int] = ()
        self._next: Sequence[int] = ()

    def draws(self, widths: Sequence[int]) -> None:
        """Sets the widths of the lines that are drawn next."""
        self._next = widths

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        columns = self._console.width
        added = extra_rows(self._shown, columns)
        self._shown = [min(width, columns) for width in self._next]
        if not added:
            return renderables
        up = [(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * added
        return [Control(ControlType.CARRIAGE_RETURN, *up), *renderables]


def extra_rows(widths: Sequence[int], columns: int) -> int:
    """The rows that wrapping adds to lines of these widths in a window of `columns`."""
    return sum((width - 1) // columns for width in widths if width > columns > 0)
