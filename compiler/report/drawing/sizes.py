"""The texts of boxes and frames as drawn, and how much room they take, in every format."""

from __future__ import annotations

from . import text_width as measure
from .picture import Box, Frame

MAIN, SMALL, LABEL = 12.0, 10.5, 9.5
"""Font sizes: of a box's main line, of its other lines and titles, of output shapes."""
LINE_HEIGHT = 15.0
_WIDEST = 300.0
"""The largest width of a box's text; longer ones are broken into lines."""
_LINES = 4
"""The most lines of one text; the tooltip shows longer ones in full."""
STACKED = 4.0
"""The offset of the boxes drawn behind a repeated one."""
BADGE_HEIGHT = 16.0
TITLE = 20.0
"""The height of a frame's title of one line."""


def box_size(box: Box) -> tuple[float, float]:
    lines = box_lines(box)
    widths = [_line_width(line, main) for line, main in lines]
    badge = badge_width(box.count) if box.count > 1 else 0
    if box.small:
        return max([*widths, 22.0]) + 20 + badge / 2, 22.0 + LINE_HEIGHT * (len(widths) - 1)
    return max(widths) + 22 + badge, LINE_HEIGHT * len(widths) + 13


def box_lines(box: Box) -> list[tuple[str, bool]]:
    """Its lines, and whether each is the main one."""
    if box.small:
        # In merges, further operations are on the same line.
        label = f"{box.label}: " if box.label else ""
        lines = [(label + " · ".join([*box.before, box.main, *box.after]), False)]
        lines += [(figure, False) for figure in box.figures]
    else:
        lines = box.lines()
    return [
        (piece, main)
        for line, main in lines
        for piece in measure.wrapped(line, MAIN if main else SMALL, _WIDEST, _LINES, bold=main)
    ]


def _line_width(line: str, main: bool) -> float:
    return measure.width(line, MAIN if main else SMALL, bold=main)


def label_width(box: Box) -> float:
    """The width of its output shape."""
    return measure.width(box.output, LABEL)


def title_size(frame: Frame) -> tuple[float, float]:
    """The width of a frame's title and of its badge."""
    title = max([measure.width(line, SMALL) for line in title_lines(frame)], default=0.0)
    return title, badge_width(frame.count) if frame.count > 1 else 0.0


def title_lines(frame: Frame) -> list[str]:
    return measure.wrapped(frame.title, SMALL, 1.6 * _WIDEST, _LINES) if frame.title else []


def title_height(frame: Frame) -> float:
    """The height of the strip in which a frame's title stands."""
    lines = title_lines(frame)
    if not lines and frame.count == 1:
        return 8.0
    return TITLE + LINE_HEIGHT * max(len(lines) - 1, 0)


def badge_width(count: int) -> float:
    return measure.width(badge_text(count), SMALL, bold=True) + 10


def badge_text(count: int) -> str:
    return f"×{count}"
