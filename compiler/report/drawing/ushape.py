"""Draws a U-Net as a U: the side that shrinks maps goes down, the other goes up, and shortcuts run
across between maps of the same size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ...shapes import size
from .blocks import ARROW, COLUMN, Block, Direction, Point, Rect, Vertex, Wire
from .compose import Plan, Side
from .picture import Box, Frame, Picture, boxes_in
from .regions import Regions, below

_LEAST = 2
"""Fewer shortcuts across make no U."""


@dataclass
class Turned:
    """A block in the direction in which it is drawn."""

    block: Block
    direction: Direction
    x: float = 0.0
    y: float = 0.0
    """Where the trunk enters it."""

    def point(self, m: float, c: float) -> Point:
        if self.direction == "right":
            return self.x + m, self.y + c
        return self.x + c, self.y + (m if self.direction == "down" else -m)

    def points(self, points: Sequence[Point]) -> list[Point]:
        return [self.point(m, c) for m, c in points]

    def rect(self, m0: float, c0: float, m1: float, c1: float) -> Rect:
        """Left, top, right, bottom."""
        (x0, y0), (x1, y1) = self.point(m0, c0), self.point(m1, c1)
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


@dataclass
class _Level:
    """A shortcut across: its ends are elements of the trunk."""

    source: int
    target: int
    sides: list[Side] = field(default_factory=list)
    """What lies on the way: a crop, a convolution."""


def u_shape(picture: Picture) -> list[Turned] | None:
    """The picture as a U; None if the network does not have this shape."""
    down = Regions(picture, "down")
    root = picture.root
    composer = down.composer(root)
    plan = Plan()
    composer.plan(down.vertices(root), *down.ends(root), plan)
    levels = _levels(plan)
    if len(levels) < _LEAST or any(link.sides for link in down.links[root].values()):
        return None
    parts = _parts(plan, levels)
    if parts is None:
        return None
    return _Drawn(picture, down, plan, levels, parts).placed()


# ---- recognizing it --------------------------------------------------------------------------


def _levels(plan: Plan) -> list[_Level]:
    """The shortcuts between maps around smaller maps, outermost first; none unless each lies within
    the one before.
    """
    position = {
        element.vertices[0]: number
        for number, element in enumerate(plan.elements)
        if not element.columns
    }
    levels: dict[tuple[int, int], _Level] = {}
    for source, target in plan.skips:
        if source in position and target in position:
            key = position[source], position[target]
            levels.setdefault(key, _Level(*key))
    for side in plan.sides:
        if len(side.sources) == len(side.targets) == 1:
            source, target = side.sources[0], side.targets[0]
            if source in position and target in position:
                key = position[source], position[target]
                levels.setdefault(key, _Level(*key)).sides.append(side)
    across = [level for level in levels.values() if _around_smaller(plan, level)]
    across.sort(key=lambda level: level.source)
    nested = all(a.source < b.source and b.target < a.target for a, b in pairwise(across))
    return across if nested else []


def _around_smaller(plan: Plan, level: _Level) -> bool:
    between = plan.elements[level.source + 1 : level.target]
    sizes = [_extent(vertex) for element in between for vertex in element.vertices]
    source = plan.elements[level.source].vertices[0]
    target = plan.elements[level.target].vertices[0]
    if not sizes or not isinstance(target, Box):
        return False
    # What comes back has the size of a map again: no gate does.
    smallest = min(sizes)
    return smallest < _extent(source) and smallest < min(_extent(target), sizes[-1])


def _extent(vertex: Vertex) -> int:
    """The number of positions of its output."""
    box = boxes_in(vertex)[-1] if isinstance(vertex, Frame) else vertex
    if not isinstance(box, Box) or not box.nodes:
        return 1
    shape = box.nodes[-1].shape
    return size(shape[1:])


def _parts(plan: Plan, levels: list[_Level]) -> list[range] | None:
    """The elements of each part, from the beginning to the end; None if something else connects
    two parts.
    """
    count = len(plan.elements)
    downward = [0, *[level.source + 1 for level in levels]]
    upward = [level.target for level in reversed(levels)]
    borders = [*downward, *upward, count]
    parts = [range(a, b) for a, b in pairwise(borders)]
    across = {(level.source, level.target) for level in levels}
    position = {v: n for n, element in enumerate(plan.elements) for v in element.vertices}
    others = [
        *plan.skips,
        *[(s, t) for side in plan.sides for s in side.sources for t in side.targets],
    ]
    for source, target in others:
        ends = position.get(source, -1), position.get(target, count)
        if ends in across:
            continue
        if not any(part.start - 1 <= ends[0] and ends[1] <= part.stop for part in parts):
            return None
    loose = any(not side.targets or not side.sources for side in plan.sides)
    return None if loose else parts


# ---- placing it ------------------------------------------------------------------------------


class _Drawn:
    def __init__(
        self,
        picture: Picture,
        down: Regions,
        plan: Plan,
        levels: list[_Level],
        parts: list[range],
    ) -> None:
        self.root = picture.root
        self.down, self.up = down, Regions(picture, "up")
        self.right = Regions(picture, "right")
        self.plan, self.levels = plan, levels
        self.count = len(levels)
        self.lefts, self.bottom = list(parts[: self.count]), parts[self.count]
        self.rights = list(reversed(parts[self.count + 1 :]))
        self.lines = Block()
        """The lines between the parts: along is downward."""
        self._shorten_bottom()

    def _shorten_bottom(self) -> None:
        """What shrinks the map for the last time goes down, and what first enlarges it goes up;
        convolutions without padding also shrink it a little.
        """
        start, stop = self.bottom.start, self.bottom.stop
        extents = {n: _extent(self._vertex(n)) for n in range(start - 1, stop)}
        half = (n + 1 for n in self.bottom if extents[n] < 0.6 * extents[n - 1])
        first = next(half, start)
        double = (n for n in range(first, stop) if extents[n] > 1.5 * extents[n - 1])
        last = next(double, stop)
        if start < first < last and self._singles(start, first):
            self.lefts.append(range(start, first))
            start = first
        if start < last < stop and self._singles(last, stop):
            self.rights.append(range(last, stop))
            stop = last
        self.bottom = range(start, stop)

    def _vertex(self, number: int) -> Vertex:
        return self.plan.elements[number].vertices[-1]

    def _singles(self, start: int, stop: int) -> bool:
        return not any(self.plan.elements[n].columns for n in range(start, stop))

    def _compose(
        self, regions: Regions, part: range, begin: Vertex | None, end: Vertex | None
    ) -> Block:
        inside = {v for number in part for v in self.plan.elements[number].vertices}
        across = [side for level in self.levels for side in level.sides]
        for side in self.plan.sides:
            ends = [*side.sources, *side.targets]
            if side not in across and any(vertex in inside for vertex in ends):
                inside.update(side.vertices)
        vertices = sorted(inside, key=regions.order.__getitem__)
        return regions.composer(self.root).compose(vertices, begin, end)

    def placed(self) -> list[Turned]:
        lefts = [
            Turned(self._compose(self.down, part, self._before(part), None), "down")
            for part in self.lefts
        ]
        rights = [
            Turned(self._compose(self.up, part, None, self._after(part)), "up")
            for part in self.rights
        ]
        bottom = Turned(
            self._compose(
                self.right, self.bottom, self._before(self.bottom), self._after(self.bottom)
            ),
            "right",
        )
        across = [[self._across(level, side) for side in level.sides] for level in self.levels]
        low = self._along(lefts, rights)
        x = max(self._width(*three) for three in zip(lefts, rights, across, strict=False))
        x = max(x, bottom.block.length + 2 * COLUMN)
        for turned in rights:
            turned.x = x
        bottom.x = (x - bottom.block.length) / 2
        bottom.y = low + COLUMN - bottom.block.left
        self._lines_along(lefts, rights, bottom)
        for level, left, right, sides in zip(self.levels, lefts, rights, across, strict=False):
            self._lines_across(level, left, right, sides)
        everything = [*lefts, *rights, bottom, *[side for sides in across for side in sides]]
        return [*everything, Turned(self.lines, "down")]

    def _before(self, part: range) -> Vertex | None:
        return self._vertex(part.start - 1) if part.start else None

    def _after(self, part: range) -> Vertex | None:
        return self._vertex(part.stop) if part.stop < len(self.plan.elements) else None

    def _across(self, level: _Level, side: Side) -> Turned:
        source, target = self._vertex(level.source), self._vertex(level.target)
        composer = self.right.composer(self.root)
        return Turned(composer.compose(side.vertices, source, target), "right")

    def _along(self, lefts: list[Turned], rights: list[Turned]) -> float:
        """Places both sides so that the ends of every shortcut are level; returns the lowest y."""
        left_end = right_end = 0.0
        for number, level in enumerate(self.levels):
            left, right = lefts[number], rights[number]
            source = _departure(left.block, self._leaving(level))[-1][0]
            target = _middle(right.block, self._vertex(level.target))
            gap = ARROW if number else 0.0
            y = max(left_end + source, right_end + gap + right.block.length - target)
            left.y, right.y = y - source, y + target
            left_end, right_end = left.y + left.block.length, right.y
        for left in lefts[self.count :]:
            left.y = left_end
            left_end += left.block.length
        for right in rights[self.count :]:
            right_end += ARROW + right.block.length
            right.y = right_end
        return max(left_end, right_end)

    def _leaving(self, level: _Level) -> Vertex:
        """The box from which a shortcut leaves; in a frame, the one that leads out of it."""
        vertex = self._vertex(level.source)
        links = self.down.links[self.root].items()
        return next(link.arrow.source for (source, _), link in links if source is vertex)

    def _width(self, left: Turned, right: Turned, sides: list[Turned]) -> float:
        """From the trunk of one side to that of the other."""
        between = max([side.block.length + ARROW for side in sides], default=0.0)
        return left.block.right - right.block.left + between + 2 * COLUMN

    # ---- lines ----

    def _line(self, points: list[Point], source: Vertex, target: Vertex) -> None:
        arrow = self.down.links[self.root][source, target].arrow
        turned = [(y, x) for x, y in points]
        self.lines.wires.append(Wire(arrow, turned, isinstance(target, Box)))

    def _lines_along(self, lefts: list[Turned], rights: list[Turned], bottom: Turned) -> None:
        for part, left, following in zip(self.lefts, lefts, lefts[1:], strict=False):
            source = self._vertex(part.stop - 1)
            for target, points in following.block.entries.items():
                self._line([_foot(left, source), *following.points(points)], source, target)
        source = self._vertex(self.lefts[-1].stop - 1)
        for target, points in bottom.block.entries.items():
            begin = _foot(lefts[-1], source)
            corner = begin[0], bottom.y
            self._line([begin, corner, *bottom.points(points)], source, target)
        target = self._vertex(self.rights[-1].start)
        for vertex, points in bottom.block.exits.items():
            tip = rights[-1].x, rights[-1].y
            corner = tip[0], bottom.y
            self._line([*bottom.points(points), corner, tip], vertex, target)
        for part, right, lower in zip(self.rights, rights, rights[1:], strict=False):
            target = self._vertex(part.start)
            tip = right.x, right.y
            for vertex, points in lower.block.exits.items():
                self._line([*lower.points(points), tip], vertex, target)

    def _lines_across(
        self, level: _Level, left: Turned, right: Turned, sides: list[Turned]
    ) -> None:
        source, target = self._vertex(level.source), self._vertex(level.target)
        start = left.points(_departure(left.block, self._leaving(level)))
        begin = start[-1]
        end = right.rect(*right.block.spots[target])[0], begin[1]
        if (source, target) in self.down.links[self.root]:
            self._line([*start, end], source, target)
        low = 0.0
        for side in sides:
            block = side.block
            side.x = begin[0] + (end[0] - ARROW - begin[0] - block.length) / 2
            side.y = begin[1] + low
            low += block.right - block.left + COLUMN
            for vertex, points in block.entries.items():
                self._line([*start, *side.points(points)], source, vertex)
            for vertex, points in block.exits.items():
                self._line([*side.points(points), end], vertex, target)


def _middle(block: Block, vertex: Vertex) -> float:
    m0, _, m1, _ = block.spots[vertex]
    return (m0 + m1) / 2


def _departure(block: Block, box: Vertex) -> list[Point]:
    """Where a shortcut across leaves: at the side, or below a merge, which others enter there."""
    _, c0, m1, c1 = block.spots[box]
    if isinstance(box, Box) and box.small:
        c = (c0 + c1) / 2
        return [(m1, c), (below(block, box), c)]
    return [(_middle(block, box), c1)]


def _foot(turned: Turned, vertex: Vertex) -> Point:
    """Where the line from the last vertex of a part begins."""
    return turned.point(turned.block.spots[vertex][2], 0.0)
