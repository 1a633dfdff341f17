"""Lays out what each frame holds, inner frames first, so that every frame is then a block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .blocks import (
    BEGIN,
    FINISH,
    LANE,
    Block,
    Direction,
    Link,
    Links,
    Point,
    Vertex,
    Wire,
    box_block,
    frame_block,
)
from .compose import Composer
from .picture import Arrow, Box, Frame, Picture


class Regions:
    def __init__(self, picture: Picture, direction: Direction) -> None:
        self.direction = direction
        self.labeled = {arrow.source for arrow in picture.arrows if arrow.labeled}
        self.links: dict[Frame, Links] = {frame: {} for frame in (picture.root, *picture.frames)}
        self.order: dict[Vertex, int] = {}
        """A number for every box and frame, in the order of computation."""
        self._blocks: dict[Vertex, Block] = {}
        self._number(picture)
        self._connect(picture.arrows)
        self._finish(picture)
        for frame in reversed(picture.frames):
            inner = self.block(frame)
            self._blocks[frame] = frame_block(frame, inner, self.links[frame], direction)
        for box in picture.boxes:
            self.order[box] = box.number

    def _number(self, picture: Picture) -> None:
        for box in picture.boxes:
            self.order[box] = box.number
            frame: Frame | None = box.frame
            while frame is not None and frame not in self.order:
                self.order[frame] = box.number
                frame = frame.parent

    def _finish(self, picture: Picture) -> None:
        """The trunk leads to the output of the network; what else nothing reads is beside it."""
        last = picture.boxes[-1]
        arrow = next(arrow for arrow in picture.arrows if arrow.target is last)
        self._link(picture.root, last, FINISH, arrow, True)

    def _connect(self, arrows: list[Arrow]) -> None:
        """Each arrow belongs to the innermost frame around both its ends. It passes the frames in
        between where the trunk does if, of all that passes there, it begins last.
        """
        passing: dict[tuple[Frame, bool], int] = {}
        ways = []
        for arrow in arrows:
            out, into, shared = _frames_between(arrow)
            ways.append((arrow, out, into, shared))
            for frame in out:
                key = frame, True
                passing[key] = max(passing.get(key, -1), arrow.source.number)
            for frame in into:
                key = frame, False
                passing[key] = max(passing.get(key, -1), arrow.source.number)
        for arrow, out, into, shared in ways:
            number = arrow.source.number
            leaves = all(passing[frame, True] == number for frame in out)
            enters = all(passing[frame, False] == number for frame in into)
            source: Vertex = out[-1] if out else arrow.source
            target: Vertex = into[-1] if into else arrow.target
            self._link(shared, source, target, arrow, leaves and enters)
            if not (leaves and enters):
                continue
            self._pass(arrow, out, inward=False)
            self._pass(arrow, into, inward=True)

    def _pass(self, arrow: Arrow, frames: list[Frame], *, inward: bool) -> None:
        """Connects what is in each frame with where the trunk enters or leaves it."""
        inner: Vertex = arrow.target if inward else arrow.source
        for frame in frames:
            source, target = (BEGIN, inner) if inward else (inner, FINISH)
            self._link(frame, source, target, arrow, True)
            inner = frame

    def _link(
        self, frame: Frame, source: Vertex, target: Vertex, arrow: Arrow, trunk: bool
    ) -> None:
        link = self.links[frame].setdefault((source, target), Link(arrow))
        if trunk and not link.trunk:
            link.arrow, link.trunk = arrow, True
        elif not trunk:
            link.sides.append(arrow)

    def vertices(self, frame: Frame) -> list[Vertex]:
        """What a frame holds, in the order of computation."""
        return sorted([*frame.boxes, *frame.frames], key=self.order.__getitem__)

    def composer(self, frame: Frame) -> Composer:
        return Composer(self.links[frame], self.order, self.vertex_block)

    def block(self, frame: Frame) -> Block:
        """What a frame holds, without the frame."""
        composer = self.composer(frame)
        block = composer.compose(self.vertices(frame), *self.ends(frame))
        self.side_arrows(frame, block, composer)
        return block

    def ends(self, frame: Frame) -> tuple[Vertex | None, Vertex | None]:
        links = self.links[frame]
        begins = any(source is BEGIN for source, _ in links)
        finishes = any(target is FINISH for _, target in links)
        return BEGIN if begins else None, FINISH if finishes else None

    def vertex_block(self, vertex: Vertex) -> Block:
        known = self._blocks.get(vertex)
        if known is None:
            assert isinstance(vertex, Box)
            known = box_block(vertex, vertex in self.labeled, self.direction)
            self._blocks[vertex] = known
        return known

    def side_arrows(self, frame: Frame, block: Block, composer: Composer) -> None:
        """Draws the arrows that leave or enter a frame elsewhere than where the trunk does."""
        todo: list[tuple[Arrow, Vertex, Vertex]] = []
        for (source, target), link in self.links[frame].items():
            todo += [(arrow, *_drawn_ends(arrow, source, target, block)) for arrow in link.sides]
            # Lines from and to outside are drawn with the frame.
            known = source is BEGIN and target in block.entries
            known = known or (target is FINISH and source in block.exits)
            if link.trunk and not known and (source, target) not in composer.drawn:
                begin = link.arrow.source if isinstance(source, Frame) else source
                todo.append((link.arrow, begin, target))
        lanes: dict[Vertex, list[tuple[Arrow, Vertex]]] = {}
        for arrow, source, target in todo:
            lanes.setdefault(source, []).append((arrow, target))
        for source, targets in sorted(lanes.items(), key=lambda each: _span(block, *each)):
            lane(block, source, targets)


def _frames_between(arrow: Arrow) -> tuple[list[Frame], list[Frame], Frame]:
    """The frames that an arrow leaves and enters, inner ones first, and the one around both."""
    out, into = _around(arrow.source), _around(arrow.target)
    while len(out) > 1 and len(into) > 1 and out[-2] is into[-2]:
        out.pop()
        into.pop()
    return out[:-1], into[:-1], out[-1]


def _around(box: Box) -> list[Frame]:
    frames = []
    frame: Frame | None = box.frame
    while frame is not None:
        frames.append(frame)
        frame = frame.parent
    return frames


def _drawn_ends(
    arrow: Arrow, source: Vertex, target: Vertex, block: Block
) -> tuple[Vertex, Vertex]:
    """The boxes themselves where they are in this block."""
    begin: Vertex = arrow.source if arrow.source in block.spots else source
    end: Vertex = arrow.target if arrow.target in block.spots else target
    return begin, end


def _level(block: Block, vertex: Vertex, *, out: bool) -> float:
    """Where an arrow leaves or enters at the side of a vertex, along the trunk."""
    if vertex is BEGIN:
        return 3.0
    if vertex is FINISH:
        return block.length - 3.0
    m0, _, m1, _ = block.spots[vertex]
    if isinstance(vertex, Frame):
        return m1 - 5.0 if out else m0 - 4.0
    if out and isinstance(vertex, Box) and vertex.small:
        return below(block, vertex)
    return (m0 + m1) / 2


def below(block: Block, box: Box) -> float:
    """Where an arrow leaves a merge: others enter it at its side, so after its output shape."""
    ends = [end for labeled, _, end, _ in block.labels if labeled is box]
    return max(ends, default=block.spots[box][2]) + 2.0


def _span(block: Block, source: Vertex, targets: Sequence[tuple[Arrow, Vertex]]) -> float:
    start = _level(block, source, out=True)
    return max(_level(block, target, out=False) - start for _, target in targets)


def lane(block: Block, source: Vertex, targets: Sequence[tuple[Arrow, Vertex]]) -> None:
    """The arrows from one vertex that leave at its side, run beside everything in between on one
    lane, and enter at the side: the side where less is in their way. An arrow that would cross
    something there, and nothing on the other side, has a lane on that side.
    """
    both = {side: _Lane(block, source, targets, side) for side in (1, -1)}
    main = min(both, key=lambda side: (both[side].crossed(), both[side].outermost, -side))
    other = [
        target
        for target in targets
        if both[-main].crossed([target]) < both[main].crossed([target]) and len(targets) > 1
    ]
    rest = [target for target in targets if target not in other]
    for side, some in ((main, rest), (-main, other)):
        if some:
            _Lane(block, source, some, side).draw()


class _Lane:
    """A line beside everything between a vertex and those that read it, on one side."""

    def __init__(
        self, block: Block, source: Vertex, targets: Sequence[tuple[Arrow, Vertex]], side: int
    ) -> None:
        self.block, self.source, self.targets, self.side = block, source, targets, side
        self.start = _level(block, source, out=True)
        levels = [self.start, *[_level(block, target, out=False) for _, target in targets]]
        low, high = min(levels), max(levels)
        alone = targets[0][1] if len(targets) == 1 else None
        self.between = [
            (a, b, c, d)
            for vertex, (a, b, c, d) in block.spots.items()
            if a <= high and c >= low and vertex is not source and vertex is not alone
        ]
        runs = [
            (min(m, n), c, max(m, n), c)
            for wire in block.wires
            for (m, c), (n, d) in pairwise(wire.points)
            if c == d and min(m, n) <= high and max(m, n) >= low
        ]
        self.begin = _edge(block, source, side, out=True)
        edges = [self.begin, *[_edge(block, target, side, out=False) for _, target in targets]]
        far = [_far(rect, side) for rect in self.between + runs]
        self.outermost = max(*[side * edge for edge in edges], *far, 0)

    def crossed(self, targets: Sequence[tuple[Arrow, Vertex]] | None = None) -> int:
        """How much is in the way of the lines from the source, and to targets, to the lane."""
        block, side = self.block, self.side
        ends = [
            (_level(block, target, out=False), _edge(block, target, side, out=False))
            for _, target in (self.targets if targets is None else targets)
        ]
        return sum(
            1
            for a, b, c, d in self.between
            for m, edge in ((self.start, self.begin), *ends)
            if a < m < c and (b if side > 0 else -d) > side * edge
        )

    def draw(self) -> None:
        block, source = self.block, self.source
        c = self.side * (self.outermost + LANE)
        for arrow, target in self.targets:
            m = _level(block, target, out=False)
            end = _edge(block, target, self.side, out=False)
            points: list[Point] = [(self.start, self.begin), (self.start, c), (m, c), (m, end)]
            if isinstance(source, Box) and source.small:
                points.insert(0, (block.spots[source][2], self.begin))
            if isinstance(target, Frame):
                points[-1] = m, block.trunks[target]
                points.append((block.spots[target][0], block.trunks[target]))
            block.wires.append(Wire(arrow, points, isinstance(target, Box)))
        block.widen(c - 4, c + 4)


def _edge(block: Block, vertex: Vertex, side: int, *, out: bool) -> float:
    if vertex is BEGIN or vertex is FINISH:
        return 0.0
    _, c0, _, c1 = block.spots[vertex]
    if out and isinstance(vertex, Box) and vertex.small:
        return (c0 + c1) / 2
    return c1 if side > 0 else c0


def _far(rect: tuple[float, float, float, float], side: int) -> float:
    return rect[3] if side > 0 else -rect[1]
