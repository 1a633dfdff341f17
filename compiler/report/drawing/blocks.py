"""Blocks of a layout: boxes, frames, lines and labels in coordinates of their own.

The first coordinate runs along the trunk, the second across it. The trunk enters a block at (0, 0)
and leaves it at (length, 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from .picture import Arrow, Box, Frame
from .sizes import STACKED, badge_width, box_size, label_width, title_height, title_size

Direction = Literal["down", "up", "right"]
Point = tuple[float, float]
Rect = tuple[float, float, float, float]
"""Along and across: from, from, to, to."""


class End:
    """The beginning or the end of what a frame holds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


BEGIN, FINISH = End("begin"), End("finish")
Vertex: TypeAlias = Box | Frame | End

ARROW = 16.0
"""The room that an arrow needs before its box."""
BUS = 10.0
"""The room for lines that run across, to or from paths side by side."""
BAND = 14.0
"""The room after a box for its output shape."""
LANE = 14.0
"""The distance between lines side by side."""
COLUMN = 22.0
"""The distance between columns."""
PAD = 12.0
"""The margin in a frame."""


class Wire(NamedTuple):
    """A line with corners; without a head it goes on at the border of a frame."""

    arrow: Arrow
    points: Sequence[Point]
    head: bool


@dataclass
class Link:
    """What connects two vertices of a region."""

    arrow: Arrow
    trunk: bool = False
    """Whether it leaves one where the trunk does and enters the other where the trunk does."""
    sides: list[Arrow] = field(default_factory=list)
    """The arrows that leave or enter at a box inside."""


Links: TypeAlias = dict[tuple[Vertex, Vertex], Link]


@dataclass
class Block:
    length: float = 0.0
    left: float = 0.0
    right: float = 0.0
    boxes: dict[Box, Point] = field(default_factory=dict)
    frames: dict[Frame, Rect] = field(default_factory=dict)
    titles: dict[Frame, float] = field(default_factory=dict)
    """Where the title of a frame begins, across."""
    trunks: dict[Frame, float] = field(default_factory=dict)
    """Where the trunk enters and leaves a frame, across."""
    wires: list[Wire] = field(default_factory=list)
    labels: list[tuple[Box, float, float, float]] = field(default_factory=list)
    """Along, from and to; across."""
    spots: dict[Vertex, Rect] = field(default_factory=dict)
    """The extent of every box and frame."""
    entries: dict[Vertex, list[Point]] = field(default_factory=dict)
    """The line from where the trunk enters to each vertex that reads from there."""
    exits: dict[Vertex, list[Point]] = field(default_factory=dict)
    """The line from each vertex that is read outside to where the trunk leaves."""

    def absorb(self, other: Block, m: float, c: float) -> None:
        """Takes over the contents of a block that is placed at a point; its entries and exits, and
        the extent, are left to the caller.
        """
        for box, (a, b) in other.boxes.items():
            self.boxes[box] = a + m, b + c
        for frame, (m0, c0, m1, c1) in other.frames.items():
            self.frames[frame] = m0 + m, c0 + c, m1 + m, c1 + c
        for frame, b in other.titles.items():
            self.titles[frame] = b + c
        for frame, b in other.trunks.items():
            self.trunks[frame] = b + c
        for vertex, (m0, c0, m1, c1) in other.spots.items():
            self.spots[vertex] = m0 + m, c0 + c, m1 + m, c1 + c
        self.wires += [wire._replace(points=shifted(wire.points, m, c)) for wire in other.wires]
        self.labels += [(box, m0 + m, m1 + m, b + c) for box, m0, m1, b in other.labels]

    def widen(self, left: float, right: float) -> None:
        self.left, self.right = min(self.left, left), max(self.right, right)


def shifted(points: Iterable[Point], m: float, c: float) -> list[Point]:
    return [(a + m, b + c) for a, b in points]


def box_block(box: Box, labeled: bool, direction: Direction) -> Block:
    """A box with the band after it, in which its output shape stands."""
    width, height = box_size(box)
    across, size = (height, width) if direction == "right" else (width, height)
    stacked = STACKED if box.count > 1 else 0.0
    # The copies behind a box lie below it and to the right, in whatever direction the trunk runs.
    before = stacked if direction == "up" else 0.0
    # Upward, the badge stands above the box, where its output leaves.
    after = 2 * stacked if direction == "up" else stacked
    band = (label_width(box) + 14 if direction == "right" else BAND) if labeled else 0.0
    block = Block(before + size + after + band, -across / 2, across / 2 + stacked)
    if box.count > 1 and direction != "right":
        block.widen(0, across / 2 + badge_width(box.count) / 2)
    if labeled and direction != "right":
        block.widen(0, 5 + label_width(box))
    elif labeled:
        block.widen(-BAND, 0)
    block.boxes[box] = before + size / 2, 0.0
    block.spots[box] = before, -across / 2, before + size, across / 2
    if labeled:
        block.labels.append((box, before + size + after, block.length, 0.0))
    block.entries[box] = [(0.0, 0.0)]
    block.exits[box] = [(before + size, 0.0), (block.length, 0.0)]
    return block


def frame_block(frame: Frame, inner: Block, links: Links, direction: Direction) -> Block:
    """A frame around its contents. Its title stands beside the trunk, which no line crosses."""
    title, badge = title_size(frame)
    strip = title_height(frame)
    left, right, start = inner.left - PAD, inner.right + PAD, 0.0
    before, after = (8.0, strip) if direction == "up" else (strip, 8.0)
    if direction == "right":
        before, after, left = 8.0, 8.0, left - strip
        after += max(0.0, title + badge + 30 - before - inner.length - after)
    else:
        start, left, right = _beside_the_trunk(title, badge, left, right)
    stacked = STACKED if frame.count > 1 else 0.0
    first = stacked if direction == "up" else 0.0
    last = first + before + inner.length + after
    block = Block(last + stacked - first, left, right + stacked)
    block.absorb(inner, first + before, 0.0)
    block.frames[frame] = block.spots[frame] = first, left, last, right
    block.titles[frame] = start
    block.trunks[frame] = 0.0
    for vertex, points in inner.entries.items():
        entering = [(0.0, 0.0), *shifted(points, first + before, 0.0)]
        block.wires.append(Wire(links[BEGIN, vertex].arrow, entering, isinstance(vertex, Box)))
    for vertex, points in inner.exits.items():
        leaving = [*shifted(points, first + before, 0.0), (block.length, 0.0)]
        block.wires.append(Wire(links[vertex, FINISH].arrow, leaving, False))
    block.entries[frame] = [(0.0, 0.0)]
    block.exits[frame] = [(block.length, 0.0)]
    return block


def _beside_the_trunk(
    title: float, badge: float, left: float, right: float
) -> tuple[float, float, float]:
    """Where a title begins, and how far the frame then reaches to the left and to the right."""
    room = badge + 18 if badge else 0.0
    if not title:
        return 0.0, left, max(right, room)
    on_the_left = min(left, -title - 20), max(right, room)
    on_the_right = left, max(right, 8 + title + max(room, 10.0))
    if on_the_left[1] - on_the_left[0] <= on_the_right[1] - on_the_right[0]:
        return on_the_left[0] + 10, *on_the_left
    return 8.0, *on_the_right
