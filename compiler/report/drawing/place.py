"""Layout of drawings: where every box, frame, arrow and label is; it needs no library.

The trunk of a network is one straight line; paths that run beside it are columns, shortcuts are
lanes at the side. The layout is composed from the inside out: a frame is laid out with what is in
it (compose.py) and is then a block like a box. Coordinates are along the trunk and across it, so
the same layout reads downward, upward (a side of a U, ushape.py) or to the right.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .blocks import Rect, Wire
from .picture import Arrow, Box, Frame, Picture
from .regions import Regions
from .sizes import title_size
from .ushape import Turned, u_shape

Point = tuple[float, float]

TITLE_BASE = 18.0
"""The baseline of a frame's title below its top."""


class Label(NamedTuple):
    """The output shape of a box, beside the beginning of its arrows."""

    box: Box
    x: float
    y: float
    anchor: Literal["start", "middle"]


@dataclass
class Placed:
    """Positions from the top left corner, in pixels."""

    width: float
    height: float
    boxes: dict[Box, Point] = field(default_factory=dict)
    """The center of each box."""
    frames: dict[Frame, Rect] = field(default_factory=dict)
    """Left, top, right, bottom of each frame."""
    titles: dict[Frame, Point] = field(default_factory=dict)
    """Where the text of each frame's title begins."""
    arrows: list[tuple[Arrow, list[Point], bool]] = field(default_factory=list)
    """The corners of each line, and whether it ends in an arrowhead; a line without one goes on at
    the border of a frame."""
    labels: list[Label] = field(default_factory=list)


def place(picture: Picture, *, horizontal: bool = False) -> Placed:
    """Lays out a picture, downward or to the right."""
    with _deep():
        turned = u_shape(picture)
        if turned is None:
            block = Regions(picture, "right" if horizontal else "down").block(picture.root)
            turned = [Turned(block, "right" if horizontal else "down", 0.0, 0.0)]
    return _settled(turned)


@contextmanager
def _deep() -> Iterator[None]:
    """Shortcuts around shortcuts are laid out by recursion, and a spec may nest hundreds."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 30_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _settled(parts: list[Turned]) -> Placed:
    """Pixels from the top left corner, from blocks with a direction of their own each."""
    placed = Placed(0, 0)
    edges: list[Rect] = []
    for part in parts:
        block, point = part.block, part.point
        edges.append(part.rect(0, block.left, block.length, block.right))
        for box, (m, c) in block.boxes.items():
            placed.boxes[box] = point(m, c)
        for frame, (m0, c0, m1, c1) in block.frames.items():
            x0, y0, _, _ = placed.frames[frame] = part.rect(m0, c0, m1, c1)
            if title_size(frame)[0]:
                # Across the trunk the title has its own place, beside the line that enters.
                across = point(m0, block.titles[frame])[0] if part.direction != "right" else x0 + 10
                placed.titles[frame] = across, y0 + TITLE_BASE
        for wire in block.wires:
            points = _corners([point(m, c) for m, c in wire.points])
            placed.arrows.append((wire.arrow, points, wire.head))
        for box, m0, m1, c in block.labels:
            x0, y0, x1, _ = part.rect(m0, c, m1, c)
            if part.direction == "right":
                placed.labels.append(Label(box, (x0 + x1) / 2, y0 - 5, "middle"))
            else:
                placed.labels.append(Label(box, x0 + 5, y0 + 11, "start"))
    left, top = min(edge[0] for edge in edges), min(edge[1] for edge in edges)
    placed.width = max(edge[2] for edge in edges) - left
    placed.height = max(edge[3] for edge in edges) - top
    return _moved(placed, -left, -top)


def _moved(placed: Placed, dx: float, dy: float) -> Placed:
    def at(point: Point) -> Point:
        return point[0] + dx, point[1] + dy

    return Placed(
        placed.width,
        placed.height,
        {box: at(point) for box, point in placed.boxes.items()},
        {f: (x0 + dx, y0 + dy, x1 + dx, y1 + dy) for f, (x0, y0, x1, y1) in placed.frames.items()},
        {frame: at(point) for frame, point in placed.titles.items()},
        [(arrow, [at(point) for point in points], head) for arrow, points, head in placed.arrows],
        [label._replace(x=label.x + dx, y=label.y + dy) for label in placed.labels],
    )


def _corners(points: list[Point]) -> list[Point]:
    """Without points that lie on a straight line between their neighbors."""
    kept: list[Point] = []
    for point in points:
        if kept and _same(kept[-1], point):
            continue
        if len(kept) > 1 and _between(kept[-2], kept[-1], point):
            kept[-1] = point
        else:
            kept.append(point)
    return kept if len(kept) > 1 else [*kept, kept[0]]


def _same(one: Point, two: Point) -> bool:
    return abs(one[0] - two[0]) < 0.01 and abs(one[1] - two[1]) < 0.01


def _between(one: Point, two: Point, three: Point) -> bool:
    across = all(abs(one[0] - point[0]) < 0.01 for point in (two, three))
    down = all(abs(one[1] - point[1]) < 0.01 for point in (two, three))
    return across or down


__all__ = ["Label", "Placed", "Point", "Rect", "Wire", "place"]
