"""Composes the boxes and frames of one frame into a block.

The vertices that every path passes are the trunk, one below another on a straight line. Between two
of them, paths of equal rank become columns on both sides of that line; where one path is the main
one (the body of a residual block) it continues the trunk, and the others stand beside it. A direct
connection is a lane at the side. Where nothing divides a tangle, its longest path is the trunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .blocks import ARROW, BUS, COLUMN, LANE, Block, Links, Point, Vertex, Wire, shifted
from .picture import Box, Frame, boxes_in

_MAIN, _MAIN_OF_MANY = 3, 8
"""A path with this many times more boxes than the other, or than each of several, is the main
one."""


@dataclass
class _Element:
    """A piece of the trunk: one vertex, or paths side by side."""

    block: Block
    vertices: list[Vertex]
    columns: bool = False


@dataclass
class Side:
    """Vertices beside the trunk, and between which vertices of it."""

    vertices: list[Vertex]
    sources: list[Vertex]
    targets: list[Vertex]


@dataclass
class Plan:
    elements: list[_Element] = field(default_factory=list)
    skips: list[tuple[Vertex, Vertex]] = field(default_factory=list)
    sides: list[Side] = field(default_factory=list)


class Composer:
    """Composes vertices of one region, whose connections are `links`."""

    def __init__(
        self,
        links: Links,
        order: Mapping[Vertex, int],
        block_of: Callable[[Vertex], Block],
    ) -> None:
        self.links = links
        self.order = order
        self.block_of = block_of
        self.after: dict[Vertex, list[Vertex]] = {}
        self.before: dict[Vertex, list[Vertex]] = {}
        for source, target in links:
            self.after.setdefault(source, []).append(target)
            self.before.setdefault(target, []).append(source)
        self.drawn: set[tuple[Vertex, Vertex]] = set()
        """The connections that have a line."""

    def compose(
        self, vertices: Sequence[Vertex], begin: Vertex | None, end: Vertex | None
    ) -> Block:
        """A block of vertices between two others, which are outside; None if nothing is read from
        outside or nothing outside reads.
        """
        plan = Plan()
        if not self._passed(vertices, begin, end)[0]:
            # In a tangle, nothing may lead from one to the other; lines are drawn afterwards.
            begin = end = None
        self.plan(vertices, begin, end, plan)
        return _Builder(self, plan, begin, end).build()

    # ---- the trunk and what is beside it ----

    def plan(
        self, vertices: Sequence[Vertex], begin: Vertex | None, end: Vertex | None, plan: Plan
    ) -> None:
        """Divides vertices, in the order of computation, into pieces of the trunk and others."""
        main, rest = self._passed(vertices, begin, end)
        cuts = self._cuts(main, begin, end)
        loose = self.connected(rest)
        at = 0
        previous = begin
        for cut in [*cuts, end]:
            until = len(main) if cut is None or cut is end else main.index(cut, at)
            paths = self.connected(main[at:until])
            loose = self._absorb(loose, paths)
            if paths and not cuts and len(paths[0]) == len(vertices):
                self._longest(paths[0], begin, end, plan)
            elif paths:
                # Whoever plans what is between two vertices also draws the line between them.
                direct = bool(cuts) and (previous, cut) in self.links
                self._between(paths, previous, cut, direct, plan)
            if cut is not end:
                assert cut is not None
                plan.elements.append(_Element(self.block_of(cut), [cut]))
                at, previous = until + 1, cut
        for group in loose:
            plan.sides.append(self._side(group, begin, end, within=set(vertices)))

    def _passed(
        self, vertices: Sequence[Vertex], begin: Vertex | None, end: Vertex | None
    ) -> tuple[list[Vertex], list[Vertex]]:
        """The vertices on a path from begin to end, and the others."""
        inside = set(vertices)
        forth: set[Vertex] = set()
        for vertex in vertices:
            sources = self.before.get(vertex, [])
            known = [source for source in sources if source in inside]
            starts = begin in sources if begin is not None else not known
            if starts or any(source in forth for source in known):
                forth.add(vertex)
        back: set[Vertex] = set()
        for vertex in reversed(vertices):
            targets = self.after.get(vertex, [])
            known = [target for target in targets if target in inside]
            ends = end in targets if end is not None else not known
            if ends or any(target in back for target in known):
                back.add(vertex)
        both = forth & back
        return [v for v in vertices if v in both], [v for v in vertices if v not in both]

    def _cuts(
        self, main: Sequence[Vertex], begin: Vertex | None, end: Vertex | None
    ) -> list[Vertex]:
        """The vertices that no connection passes by; one from begin to end aside."""
        position = {vertex: number for number, vertex in enumerate(main)}
        last = len(main)

        def reach(vertex: Vertex) -> int:
            targets = self.after.get(vertex, [])
            inside = [position[target] for target in targets if target in position]
            leaves = end in targets if end is not None else not inside
            return last if leaves else max(inside)

        if begin is not None:
            starts = [position[t] for t in self.after.get(begin, []) if t in position]
        else:
            starts = [
                number
                for vertex, number in position.items()
                if not any(source in position for source in self.before.get(vertex, []))
            ]
        furthest = max(starts, default=-1)
        cuts = []
        for number, vertex in enumerate(main):
            if furthest <= number:
                cuts.append(vertex)
            furthest = max(furthest, reach(vertex))
        return cuts

    def connected(self, vertices: Iterable[Vertex]) -> list[list[Vertex]]:
        """Divides vertices into groups that are connected among themselves."""
        left = dict.fromkeys(vertices)
        groups = []
        while left:
            first = next(iter(left))
            del left[first]
            group, todo = [first], [first]
            while todo:
                vertex = todo.pop()
                for other in (*self.after.get(vertex, []), *self.before.get(vertex, [])):
                    if other in left:
                        del left[other]
                        group.append(other)
                        todo.append(other)
            groups.append(sorted(group, key=self.order.__getitem__))
        return groups

    def _absorb(self, loose: list[list[Vertex]], paths: list[list[Vertex]]) -> list[list[Vertex]]:
        """Adds what hangs on vertices of one path only to this path; returns the others."""
        owner = {vertex: number for number, path in enumerate(paths) for vertex in path}
        left = []
        for group in loose:
            inside = set(group)
            around = {
                owner.get(other)
                for vertex in group
                for other in (*self.after.get(vertex, []), *self.before.get(vertex, []))
                if other not in inside
            }
            number = around.pop() if len(around) == 1 else None
            if number is None:
                left.append(group)
                continue
            paths[number] = sorted([*paths[number], *group], key=self.order.__getitem__)
        return left

    def _between(
        self,
        paths: list[list[Vertex]],
        begin: Vertex | None,
        end: Vertex | None,
        direct: bool,
        plan: Plan,
    ) -> None:
        """Arranges the paths between two neighbors of the trunk."""
        if direct and _is_gate(end):
            plan.sides += [self._side(path, begin, end, within=set()) for path in paths]
            return
        if direct and begin is not None and end is not None:
            plan.skips.append((begin, end))
        main = paths[0] if len(paths) == 1 else _main_path(paths, end)
        if main is None:
            self._columns(paths, begin, end, plan)
            return
        self.plan(main, begin, end, plan)
        for path in paths:
            if path is not main:
                plan.sides.append(self._side(path, begin, end, within=set()))

    def _columns(
        self,
        paths: list[list[Vertex]],
        begin: Vertex | None,
        end: Vertex | None,
        plan: Plan,
    ) -> None:
        blocks = [self.compose(path, begin, end) for path in paths]
        vertices = [vertex for path in paths for vertex in path]
        plan.elements.append(_Element(_side_by_side(blocks), vertices, columns=True))

    def _side(
        self,
        group: Sequence[Vertex],
        begin: Vertex | None,
        end: Vertex | None,
        within: set[Vertex],
    ) -> Side:
        inside = set(group)
        outside = {begin, end} | within
        sources = {s for v in group for s in self.before.get(v, []) if s not in inside}
        targets = {t for v in group for t in self.after.get(v, []) if t not in inside}
        return Side(
            list(group), [s for s in sources if s in outside], [t for t in targets if t in outside]
        )

    def _longest(
        self,
        vertices: Sequence[Vertex],
        begin: Vertex | None,
        end: Vertex | None,
        plan: Plan,
    ) -> None:
        """Makes the longest path the trunk; everything else is beside it."""
        main, _ = self._passed(vertices, begin, end)
        inside = set(main)
        length: dict[Vertex, int] = {}
        came: dict[Vertex, Vertex | None] = {}
        for vertex in main:
            known = [source for source in self.before.get(vertex, []) if source in inside]
            best = max(known, key=length.__getitem__, default=None)
            came[vertex] = best
            length[vertex] = _weight([vertex]) + (length[best] if best is not None else 0)
        ends = [v for v in main if end in self.after.get(v, [])] if end is not None else main
        step: Vertex | None = max(ends, key=length.__getitem__)
        trunk: list[Vertex] = []
        while step is not None:
            trunk.insert(0, step)
            step = came[step]
        plan.elements += [_Element(self.block_of(vertex), [vertex]) for vertex in trunk]
        place = {vertex: number for number, vertex in enumerate(trunk)}
        if begin is not None:
            place[begin] = -1
        if end is not None:
            place[end] = len(trunk)
        for source, target in self.links:
            if (source, target) == (begin, end) or source not in place or target not in place:
                continue
            if place[target] - place[source] > 1:
                plan.skips.append((source, target))
        for group in self.connected(v for v in vertices if v not in place):
            side = self._side(group, begin, end, within=set(trunk))
            lowest = max([place[source] for source in side.sources], default=-1)
            highest = min([place[target] for target in side.targets], default=len(trunk))
            if lowest < highest:
                plan.sides.append(side)
                continue
            for vertex in group:
                plan.sides.append(self._side([vertex], begin, end, within=set(trunk)))


def boxes_of(vertex: Vertex) -> list[Box]:
    if isinstance(vertex, Frame):
        return boxes_in(vertex)
    return [vertex] if isinstance(vertex, Box) else []


def _weight(vertices: Iterable[Vertex]) -> int:
    return sum(len(boxes_in(v)) if isinstance(v, Frame) else 1 for v in vertices)


def _main_path(paths: list[list[Vertex]], end: Vertex | None) -> list[Vertex] | None:
    """The path that continues the trunk; None if all have the same rank."""
    first, second = sorted(paths, key=_weight, reverse=True)[:2]
    if _weight(first) >= (_MAIN if len(paths) == 2 else _MAIN_OF_MANY) * _weight(second):
        return first
    # What is added to a path is less than the path; what is concatenated has the same rank.
    adds = isinstance(end, Box) and end.joins in ("add", "mul")
    return first if adds and len(paths) == 2 and _weight(first) > _weight(second) else None


def _is_gate(vertex: Vertex | None) -> bool:
    return isinstance(vertex, Box) and vertex.joins == "mul"


def _side_by_side(blocks: list[Block]) -> Block:
    """Columns around the trunk: with an odd number, the middle one continues it."""
    whole = Block()
    longest = max(block.length for block in blocks)
    middle = len(blocks) // 2
    offsets = [0.0] * len(blocks)
    if len(blocks) % 2:
        right, left = blocks[middle].right + COLUMN, blocks[middle].left - COLUMN
    else:
        right, left = COLUMN / 2, -COLUMN / 2
    for number in range(middle + len(blocks) % 2, len(blocks)):
        offsets[number] = right - blocks[number].left
        right = offsets[number] + blocks[number].right + COLUMN
    for number in reversed(range(middle)):
        offsets[number] = left - blocks[number].right
        left = offsets[number] + blocks[number].left - COLUMN
    whole.length = longest + 2 * BUS
    out, into = BUS / 2, whole.length - BUS / 2
    for block, c in zip(blocks, offsets, strict=True):
        m = BUS + (longest - block.length) / 2
        whole.absorb(block, m, c)
        whole.widen(c + block.left, c + block.right)
        for vertex, points in block.entries.items():
            whole.entries[vertex] = [(0, 0), (out, 0), (out, c), *shifted(points, m, c)]
        for vertex, points in block.exits.items():
            whole.exits[vertex] = [
                *shifted(points, m, c), (into, c), (into, 0), (whole.length, 0),
            ]  # fmt: skip
    return whole


class _Builder:
    """Places the elements of a plan, what is beside them, and the lines."""

    def __init__(
        self, composer: Composer, plan: Plan, begin: Vertex | None, end: Vertex | None
    ) -> None:
        self.composer = composer
        self.links = composer.links
        self.plan = plan
        self.begin, self.end = begin, end
        self.elements = plan.elements
        self.last = len(plan.elements)
        self.owner: dict[Vertex, int] = {
            vertex: number
            for number, element in enumerate(plan.elements)
            for vertex in element.vertices
        }
        if begin is not None:
            self.owner[begin] = -1
        if end is not None:
            self.owner[end] = self.last
        self.leaving = {-1: 0.0, **dict.fromkeys(range(self.last), 0.0)}
        """Room after an element for lines that leave the trunk there."""
        self.arriving = dict.fromkeys(range(self.last + 1), 0.0)
        """Room before an element for lines that come back to the trunk there."""
        self.extra = dict.fromkeys(range(self.last + 1), 0.0)
        """Room before an element for what stands beside the trunk."""
        self.start: list[float] = []
        self.block = Block()
        self.beside: list[tuple[float, float, float, float]] = []

    def build(self) -> Block:
        sides = [self._composed(side) for side in self.plan.sides]
        skips = [skip for skip in self.plan.skips if skip in self.links]
        skips = [skip for skip in skips if self.links[skip].trunk]
        for side, _ in sides:
            begin, end = self._source(side), self._target(side)
            if begin is not None:
                self.leaving[self.owner[begin]] = BUS
            if end is not None and not self._has_side(end):
                self.arriving[self.owner[end]] = BUS
        for source, target in skips:
            if not self._leaves_at_side(source):
                self.leaving[self.owner[source]] = BUS
            if not self._has_side(target):
                self.arriving[self.owner[target]] = BUS
        self._place()
        self._make_room(sides)
        for element, m in zip(self.elements, self.start, strict=True):
            self.block.absorb(element.block, m, 0.0)
            self.block.widen(element.block.left, element.block.right)
        self._trunk_lines()
        pending: list[tuple[float, Callable[[], None]]] = []
        for side, inner in sides:
            low, high = self._range(side)
            span = inner.length if high is None else high - low
            pending.append((span, lambda s=side, i=inner: self._beside(s, i)))  # type: ignore[misc]
        lanes: dict[Vertex, list[Vertex]] = {}
        for source, target in skips:
            lanes.setdefault(source, []).append(target)
        for source, targets in lanes.items():
            span = max(self._in(target) for target in targets) - self._out(source)
            pending.append((span, lambda s=source, t=targets: self._skip(s, t)))  # type: ignore[misc]
        for _, draw in sorted(pending, key=lambda each: each[0]):
            draw()
        return self.block

    # ---- along the trunk ----

    def _gap(self, number: int) -> float:
        """Between an element and the one before it."""
        if number == 0 and self.begin is None:
            return self.extra[0]
        head = 0.0 if number == self.last else self._head(number)
        return self.leaving[number - 1] + self.arriving[number] + self.extra[number] + head

    def _head(self, number: int) -> float:
        """The room for arrowheads before an element; columns have it themselves."""
        return 3.0 if self.elements[number].columns else ARROW

    def _place(self) -> None:
        m = 0.0
        self.start = []
        for number, element in enumerate(self.elements):
            m += self._gap(number)
            self.start.append(m)
            m += element.block.length
        self.block.length = m + self._gap(self.last)

    def _make_room(self, sides: list[tuple[Side, Block]]) -> None:
        """Moves elements on where what stands beside the trunk is longer than the trunk there."""
        for side, inner in sorted(sides, key=lambda each: self._first_target(each[0])):
            low, high = self._range(side)
            if high is None:
                continue
            missing = low + inner.length - high
            if missing > 0:
                self.extra[self._first_target(side)] += missing
                self._place()

    def _first_target(self, side: Side) -> int:
        return min([self.owner[target] for target in side.targets], default=self.last + 1)

    def _source(self, side: Side) -> Vertex | None:
        """The one vertex from which a side is drawn: the last that it reads."""
        return max(side.sources, key=self._position, default=None)

    def _target(self, side: Side) -> Vertex | None:
        """The one vertex to which a side is drawn: the first that reads it."""
        return min(side.targets, key=self._position, default=None)

    def _position(self, vertex: Vertex) -> tuple[int, int]:
        return self.owner[vertex], self.composer.order.get(vertex, 0)

    def _composed(self, side: Side) -> tuple[Side, Block]:
        side.sources = [source for source in side.sources if source in self.owner]
        side.targets = [target for target in side.targets if target in self.owner]
        source, target = self._source(side), self._target(side)
        return side, self.composer.compose(side.vertices, source, target)

    def _range(self, side: Side) -> tuple[float, float | None]:
        """From where to where a side may reach."""
        source, target = self._source(side), self._target(side)
        # Lines to others may run across where the block begins.
        low = self._out(source, bus=True) if source is not None else BUS
        if target is None:
            return low, None
        return low, self._in(target) - (8.0 if self._has_side(target) else 0.0)

    # ---- where lines leave and enter ----

    def _has_side(self, vertex: Vertex) -> bool:
        """Whether lines can enter at its side."""
        number = self.owner[vertex]
        single = 0 <= number < self.last and not self.elements[number].columns
        return isinstance(vertex, Box) and single

    def _on_trunk(self, vertex: Vertex) -> bool:
        number = self.owner[vertex]
        return not (0 <= number < self.last and self.elements[number].columns)

    def _leaves_at_side(self, vertex: Vertex) -> bool:
        """Merges and the input are small, and lines enter them at the side."""
        return isinstance(vertex, Box) and self._has_side(vertex) and not vertex.small

    def _end_of(self, number: int) -> float:
        return self.start[number] + self.elements[number].block.length if number >= 0 else 0.0

    def _out(self, vertex: Vertex, *, bus: bool = False) -> float:
        number = self.owner[vertex]
        if self._leaves_at_side(vertex) and not bus:
            m0, _, m1, _ = self.elements[number].block.spots[vertex]
            return self.start[number] + (m0 + m1) / 2
        return self._end_of(number) + BUS / 2

    def _in(self, vertex: Vertex) -> float:
        number = self.owner[vertex]
        if self._has_side(vertex):
            m0, _, m1, _ = self.elements[number].block.spots[vertex]
            return self.start[number] + (m0 + m1) / 2
        if number == self.last:
            return self.block.length - BUS / 2
        return self.start[number] - self._head(number) - BUS / 2

    def _from(self, vertex: Vertex, number: int) -> list[Point]:
        """The line from a vertex to the end of its element."""
        if number < 0:
            return [(0.0, 0.0)]
        return shifted(self.elements[number].block.exits[vertex], self.start[number], 0.0)

    def _to(self, vertex: Vertex, number: int) -> list[Point]:
        if number == self.last:
            return [(self.block.length, 0.0)]
        return shifted(self.elements[number].block.entries[vertex], self.start[number], 0.0)

    # ---- lines ----

    def _line(self, source: Vertex, target: Vertex, points: list[Point]) -> None:
        """A line between two vertices; one to or from outside is completed there."""
        if source is self.begin:
            self.block.entries.setdefault(target, points)
        elif target is self.end:
            self.block.exits.setdefault(source, points)
        else:
            self.composer.drawn.add((source, target))
            arrow = self.links[source, target].arrow
            self.block.wires.append(Wire(arrow, points, isinstance(target, Box)))

    def _trunk_lines(self) -> None:
        for number in range(-1, self.last):
            following = number + 1
            for source in self._exits(number):
                for target in self._entries(following):
                    link = self.links.get((source, target))
                    if link is not None and link.trunk:
                        points = [*self._from(source, number), *self._to(target, following)]
                        self._line(source, target, points)

    def _exits(self, number: int) -> list[Vertex]:
        if number >= 0:
            return list(self.elements[number].block.exits)
        return [] if self.begin is None else [self.begin]

    def _entries(self, number: int) -> list[Vertex]:
        if number < self.last:
            return list(self.elements[number].block.entries)
        return [] if self.end is None else [self.end]

    def _skip(self, source: Vertex, targets: Sequence[Vertex]) -> None:
        """Lines from one vertex past others, on one lane."""
        m0, last = self._out(source), max(self._in(target) for target in targets)
        c = self._free(m0, last, 1) + LANE
        self._occupy(m0, last, c, c)
        for target in targets:
            m1 = self._in(target)
            points = [*self._leave(source, m0, 1), (m0, c), (m1, c), *self._enter(target, m1, 1)]
            self._line(source, target, points)

    def _leave(self, vertex: Vertex, m: float, side: int, *, bus: bool = False) -> list[Point]:
        number = self.owner[vertex]
        if self._leaves_at_side(vertex) and not bus:
            return [(m, self._edge(vertex, side))]
        if vertex is self.begin:
            return [(0.0, 0.0), (m, 0.0)]
        exits = self.elements[number].block.exits
        before = shifted(exits[vertex], self.start[number], 0.0) if vertex in exits else []
        return [*before, (m, 0.0)]

    def _enter(self, vertex: Vertex, m: float, side: int) -> list[Point]:
        if self._has_side(vertex):
            return [(m, self._edge(vertex, side))]
        return [(m, 0.0), *self._to(vertex, self.owner[vertex])]

    def _edge(self, vertex: Vertex, side: int) -> float:
        block = self.elements[self.owner[vertex]].block
        return block.spots[vertex][3 if side > 0 else 1]

    def _beside(self, side: Side, inner: Block) -> None:
        source, target = self._source(side), self._target(side)
        low, high = self._range(side)
        hand = 1 if target is not None else self._lighter(side, low, low + inner.length)
        m = low
        if high is not None:
            room = max(0.0, high - low - inner.length)
            m += room / 2 if source is not None else room
        last = max(m + inner.length, high or 0.0)
        reach = inner.left if hand > 0 else inner.right
        c = self._free(low, last, hand) + hand * COLUMN - reach
        self.block.absorb(inner, m, c)
        self._occupy(low, last, c + inner.left, c + inner.right)
        self.block.length = max(self.block.length, m + inner.length)
        # A line to one of several columns is drawn when all boxes have their place.
        if source is not None and self._on_trunk(source):
            begin = self._leave(source, low, hand, bus=True)
            for vertex, points in inner.entries.items():
                self._line(source, vertex, [*begin, (low, c), *shifted(points, m, c)])
        if target is not None and self._on_trunk(target):
            at = self._in(target)
            for vertex, points in inner.exits.items():
                enter = self._enter(target, at, hand)
                self._line(vertex, target, [*shifted(points, m, c), (at, c), *enter])

    def _lighter(self, side: Side, low: float, high: float) -> int:
        """What does not come back stands on the left if it is an auxiliary head, and where less is
        on the right; other outputs are spread over both sides."""
        aux = any(box.aux for vertex in side.vertices for box in boxes_of(vertex))
        left, right = self._free(low, high, -1), self._free(low, high, 1)
        return -1 if aux or -left <= right else 1

    # ---- room at the sides ----

    def _free(self, m0: float, m1: float, hand: int) -> float:
        """The nearest place across that is free along a range."""
        taken = [
            (start, 0.0 + start + element.block.length, element.block.left, element.block.right)
            for element, start in zip(self.elements, self.start, strict=True)
        ]
        edges = [
            right if hand > 0 else left
            for a, b, left, right in (*taken, *self.beside)
            if a < m1 and b > m0
        ]
        return max([0.0, *edges]) if hand > 0 else min([0.0, *edges])

    def _occupy(self, m0: float, m1: float, left: float, right: float) -> None:
        self.beside.append((m0, m1, left, right))
        self.block.widen(left, right)
