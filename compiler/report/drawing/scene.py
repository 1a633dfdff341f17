"""A drawing as shapes and texts, in pixels from the top left corner: what every format draws.

Colors are named, see palette.PAINTS: a format looks them up for light or dark screens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from . import text_width as measure
from .palette import TINTS

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

MARGIN = 24.0
_LEAST_WIDTH = 330.0
_TITLE, _SUBTITLE, _LEGEND = 18.0, 11.5, 10.0


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    paint: str
    radius: float = 0.0
    dashed: bool = False


@dataclass(frozen=True)
class Line:
    """A line with rounded corners."""

    points: Sequence[Point]
    head: bool = False
    dashed: bool = False
    paint: str = "line"
    radius: float = 7.0
    thick: float = 1.3


@dataclass(frozen=True)
class Polygon:
    points: Sequence[Point]
    paint: str
    shade: float = 0.0
    """How much darker than its paint, from 0 to 1."""


@dataclass(frozen=True)
class Words:
    """A line of text; `halo` separates it from lines behind it."""

    x: float
    y: float
    text: str
    size: float
    bold: bool = False
    paint: str = "ink"
    anchor: Anchor = "middle"
    halo: bool = False


@dataclass(frozen=True)
class Group:
    """Shapes that belong together, with data for pages that hold the drawing."""

    items: Sequence[Item]
    kind: str
    tooltip: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    focusable: bool = False


Item: TypeAlias = Rectangle | Line | Polygon | Words | Group


@dataclass(frozen=True)
class Scene:
    title: str
    width: float
    height: float
    heading: Sequence[Words]
    """Title and first subtitle; in a paper, the caption says that."""
    items: Sequence[Item]


def assembled(
    title: str, subtitle: Sequence[str], kinds: Sequence[str], inner: Sequence[Item],
    width: float, height: float,
) -> Scene:  # fmt: skip
    """A drawing below its title, its subtitle and a legend of colors."""
    texts = [measure.width(line, _SUBTITLE) for line in subtitle]
    least = max(_LEAST_WIDTH, measure.width(title, _TITLE, bold=True), *texts)
    room = max(width, least)
    heading = [Words(MARGIN, MARGIN + 12, title, _TITLE, bold=True, anchor="start")]
    y = MARGIN + 31
    lines = []
    for line in subtitle:
        lines.append(Words(MARGIN, y, line, _SUBTITLE, paint="faint", anchor="start"))
        y += 17
    heading += lines[:1]
    y -= 4
    legend, used = _legend(kinds, room)
    items: list[Item] = [*lines[1:], *[moved(item, MARGIN, y) for item in legend]]
    top = y + used + 10
    items += [moved(item, MARGIN + (room - width) / 2, top) for item in inner]
    return Scene(title, room + 2 * MARGIN, top + height + MARGIN, heading, items)


def _legend(kinds: Sequence[str], width: float) -> tuple[list[Item], float]:
    items: list[Item] = []
    x = y = 0.0
    for kind in kinds:
        meaning = TINTS[kind].meaning
        needed = 17 + measure.width(meaning, _LEGEND) + 14
        if x and x + needed > width:
            x, y = 0.0, y + 18
        items.append(Rectangle(x, y, 12, 12, kind, radius=3))
        items.append(Words(x + 17, y + 10, meaning, _LEGEND, paint="faint", anchor="start"))
        x += needed
    return items, y + 18 if kinds else 0.0


def moved(item: Item, dx: float, dy: float) -> Item:
    """The same elsewhere."""
    if isinstance(item, Group):
        return replace(item, items=[moved(each, dx, dy) for each in item.items])
    if isinstance(item, Line | Polygon):
        return replace(item, points=[(x + dx, y + dy) for x, y in item.points])
    return replace(item, x=item.x + dx, y=item.y + dy)
