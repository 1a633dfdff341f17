"""Draws a network as its feature maps, as the papers of LeNet and AlexNet do: `cnn draw --scale
volumes`. Each map is a block in oblique projection, as high and as deep as the map and as thick as
it has channels; a vector is a bar. A window on a map shows what one output of the next layer reads.
A series is as high as it is long; of a volume, depth is not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import TypeAlias

from ...analysis import Analysis
from ...ops.base import EVERYTHING
from ...shapes import AXES, Shape, axes_of, named, size, text
from . import text_width as measure
from .blocks import Vertex
from .compose import Composer, Plan, Side, boxes_of
from .paint import picture
from .palette import TINTS
from .picture import Box, Frame, Picture, boxes_in
from .regions import Regions
from .scene import Group, Item, Line, Point, Polygon, Scene, Words, assembled, moved
from .sizes import LABEL, SMALL, badge_text

_EACH = 16
"""The most blocks if those that repeat are drawn each."""
MOST = 26
"""The most blocks: beyond, parts are drawn as one each."""
_HIGHEST, _LOWEST = 180.0, 8.0
"""Pixels of the largest map along a side, and of the smallest that is still seen."""
_THICKEST, _THINNEST = 64.0, 4.0
_LONGEST, _SHORTEST = 170.0, 14.0
"""Of bars."""
_SEEN = 9.0
"""The least height of a window."""
_BAR = 11.0
_PLATE = 4.0
"""How deep a vector or a series is drawn."""
_SLANT = 0.34
"""How far depth moves to the right and up, for each pixel of it."""
_GAP = 38.0
"""Between a block and the next, for the lines from a window."""
_TEXT = 128.0
"""The most room for a line of text."""
_LINE = 14.0
_ROWS = 22.0
"""Between rows side by side."""
_STAGGERED = 7
"""With more blocks than this, their texts stand in two rows."""


@dataclass(eq=False)
class _Stage:
    """A feature map or a vector, and what computes it."""

    vertex: Vertex
    shape: Shape
    kind: str
    words: list[str]
    window: tuple[int, int] | None
    """The part of the map before that one output reads; None for all or for a part of layers."""
    dense: bool
    layers: list[str]
    tooltip: str
    x: float = 0.0
    """The left edge."""
    y: float = 0.0
    """The middle of its front."""

    @property
    def is_map(self) -> bool:
        return size(self.shape[1:]) > 1


@dataclass
class _Rows:
    """Paths side by side, each a row."""

    rows: list[list[_Stage]]


_Sequence: TypeAlias = list["_Stage | _Rows"]


@dataclass(frozen=True)
class _Power:
    """A scale: linear, or compressed by an exponent if the smallest would not be seen."""

    largest: float
    pixels: float
    exponent: float

    def __call__(self, size: float) -> float:
        return float(self.pixels * (size / self.largest) ** self.exponent)


def _scale(sizes: Sequence[int], pixels: float, least: float) -> _Power:
    largest, smallest = max(sizes, default=1), min(sizes, default=1)
    if pixels * smallest >= least * largest or largest == smallest:
        return _Power(largest, pixels, 1.0)
    exponent = max(0.15, log(pixels / least) / log(largest / smallest))
    return _Power(largest, pixels, round(exponent, 2))


class _Everything:
    """Contains every name."""

    def __contains__(self, name: object) -> bool:
        return True


def volumes(analysis: Analysis, *, max_depth: int | None = None, unfold: bool = False) -> Scene:
    """The maps of a network; what repeats is drawn each time if it is little. Raises TooLarge."""
    maps = maps_of(analysis, max_depth=max_depth, unfold=unfold)
    scales = Scales.that_show([maps])
    maps.draw(scales)
    subtitle = [maps.picture.subtitle, scales.line([maps])]
    return assembled(
        maps.picture.title, subtitle, legend([maps]), maps.items, maps.width, maps.height
    )


def legend(drawn: Sequence[Maps]) -> list[str]:
    """The kinds of layers that are drawn, in the order of the palette."""
    return [kind for kind in TINTS if any(kind in maps.kinds for maps in drawn)]


def maps_of(analysis: Analysis, *, max_depth: int | None = None, unfold: bool = False) -> Maps:
    """The maps of a network, not yet placed."""
    each = picture(analysis, max_depth=max_depth, opened=_Everything())
    drawn = Maps(analysis, each)
    if drawn.count > _EACH and not unfold:
        folded = small = picture(analysis, max_depth=max_depth)
        opened: set[str] = set()
        while not opened.issuperset(growing := _growing(folded)):
            opened |= growing
            folded = picture(analysis, max_depth=max_depth, opened=opened)
        drawn = Maps(analysis, folded)
        if drawn.count > MOST:
            drawn = Maps(analysis, small)
    return drawn


def _growing(folded: Picture) -> set[str]:
    """The repeated parts, outermost ones, whose maps change from one iteration to the next."""
    growing: set[str] = set()
    for box in folded.boxes:
        if ".." in box.output:
            outermost, frame = box.repeats, box.frame
            while frame.parent is not None:
                outermost, frame = frame.repeats or outermost, frame.parent
            growing.update(outermost)
    return growing


@dataclass(frozen=True)
class Scales:
    """What a pixel means, in one drawing or in several."""

    side: _Power
    """Height and width of maps."""
    thickness: _Power
    """Their channels."""
    bar: _Power
    """Vectors."""

    @classmethod
    def that_show(cls, drawn: Sequence[Maps]) -> Scales:
        """The scales in which the largest and the smallest of all these are seen."""
        stages = [stage for maps in drawn for stage in maps.stages]
        shapes = [stage.shape for stage in stages if stage.is_map]
        channels = [shape[0] for shape in shapes]
        thickest = min(_THICKEST, 1.5 * _THINNEST * max(channels, default=1))
        return cls(
            _scale([side for shape in shapes for side in shape[1:][-2:]], _HIGHEST, _LOWEST),
            _scale(channels, thickest, _THINNEST),
            _scale(
                [_units(stage.shape) for stage in stages if not stage.is_map], _LONGEST, _SHORTEST
            ),
        )

    def line(self, drawn: Sequence[Maps]) -> str:
        """In words, after they have been drawn."""
        said = []
        stages = [stage for maps in drawn for stage in maps.stages]
        axes = max((axes_of(stage.shape) for stage in stages if stage.is_map), default=2)
        if any(stage.is_map for stage in stages):
            said.append(f"{named(AXES[axes][-2:])} {_said(self.side)}")
            said.append(f"thickness (channels) {_said(self.thickness)}")
        if not all(stage.is_map for stage in stages):
            said.append(f"bars {_said(self.bar)}")
        if any(maps.enlarged for maps in drawn):
            said.append("small windows enlarged")
        if axes == 3:
            said.append("depth not drawn")
        return f"Scale: {', '.join(said)}"


class Maps:
    """The maps of one network: what is drawn, and then, by `draw`, where."""

    def __init__(self, analysis: Analysis, drawing: Picture) -> None:
        self.analysis = analysis
        self.picture = drawing
        self.regions = Regions(drawing, "right")
        self.arches: list[tuple[_Stage, _Stage]] = []
        self.strips: list[tuple[_Stage | None, list[_Stage]]] = []
        """What leads to further outputs, with what it reads; or reads another input and leads to
        another output."""
        self.count = 0
        """Of blocks, if all of them were drawn."""
        self.sequence = self._sequence()
        self.stages = self._stages(self.sequence)
        self.kinds = {stage.kind for stage in self.stages}
        self.scales = Scales.that_show([self])
        self.enlarged = False
        self.items: list[Item] = []
        self.width = self.height = 0.0

    # ---- what is drawn ----

    def _sequence(self) -> _Sequence:
        """As detailed as is legible: where there is too much, inner parts are one block each."""
        deepest = max([_level(frame) for frame in self.picture.frames], default=0)
        for level in range(deepest, -1, -1):
            self.arches, self.strips = [], []
            found: dict[Vertex, _Stage] = {}
            sequence = self._region(self.picture.root, level, found)
            if level == deepest:
                self.count = len(self._stages(sequence))
            if len(self._stages(sequence)) <= MOST or level == 0:
                return sequence
        raise AssertionError

    def _stages(self, sequence: _Sequence) -> list[_Stage]:
        return [*_stages(sequence), *(stage for _, row in self.strips for stage in row)]

    def _region(self, frame: Frame, level: int, found: dict[Vertex, _Stage]) -> _Sequence:
        composer, plan = self._plan(frame)
        sequence: _Sequence = []
        for element in plan.elements:
            if element.columns:
                sequence += self._rows(composer, element.vertices, found)
                continue
            sequence += self._vertex(element.vertices[0], level, found)
        for source, target in plan.skips:
            self._arch(found, source, target)
        for side in plan.sides:
            if not side.targets:
                self._strip(side, level, found)
            for source in side.sources:
                for target in side.targets:
                    self._arch(found, source, target)
        return sequence

    def _strip(self, side: Side, level: int, found: dict[Vertex, _Stage]) -> None:
        """What hangs on the trunk and does not come back; auxiliary heads are not drawn."""
        if all(box.aux for vertex in side.vertices for box in boxes_of(vertex)):
            return
        pieces = [piece for vertex in side.vertices for piece in self._vertex(vertex, level, found)]
        row = _stages(pieces)
        if row:
            sources = [found[source] for source in side.sources if source in found]
            self.strips.append((sources[-1] if sources else None, row))

    def _plan(self, frame: Frame) -> tuple[Composer, Plan]:
        composer, plan = self.regions.composer(frame), Plan()
        composer.plan(self.regions.vertices(frame), *self.regions.ends(frame), plan)
        return composer, plan

    def _vertex(self, vertex: Vertex, level: int, found: dict[Vertex, _Stage]) -> _Sequence:
        if isinstance(vertex, Frame):
            _, plan = self._plan(vertex)
            chain = not (plan.skips or plan.sides or any(each.columns for each in plan.elements))
            if chain and vertex.count == 1 and _level(vertex) <= level:
                inner = self._region(vertex, level, found)
                if inner and isinstance(inner[-1], _Stage):
                    found[vertex] = inner[-1]
                return inner
        stage = self._stage(vertex)
        if stage is None:
            return []
        found[vertex] = stage
        return [stage]

    def _rows(
        self, composer: Composer, vertices: Sequence[Vertex], found: dict[Vertex, _Stage]
    ) -> _Sequence:
        """Two or three long paths are rows; of others only the map in which they meet is drawn."""
        paths = composer.connected(vertices)
        stages = [[s for v in path for s in self._vertex(v, 0, found)] for path in paths]
        rows = [[s for s in row if isinstance(s, _Stage)] for row in stages]
        if len(rows) > 3 or min(map(len, rows)) < 2:
            return []
        return [_Rows(rows)]

    def _arch(self, found: dict[Vertex, _Stage], source: Vertex, target: Vertex) -> None:
        if (
            source in found
            and target in found
            and (found[source], found[target]) not in self.arches
        ):
            self.arches.append((found[source], found[target]))

    def _stage(self, vertex: Vertex) -> _Stage | None:
        boxes = boxes_in(vertex) if isinstance(vertex, Frame) else [vertex]
        last = next((box for box in reversed(boxes) if isinstance(box, Box) and box.nodes), None)
        if last is None:
            return None
        if last.kind == "shape" and all(node.op.shares_storage for node in last.nodes):
            return None  # `flatten` makes nothing that could be drawn
        own = [box for box in boxes if isinstance(box, Box)]
        layers = [name for box in own for name in box.layers]
        # Of the last iteration, which is the one that is read. A flattened map is drawn as the map.
        latest = [self.analysis.network.by_name[name] for name in last.layers]
        latest = latest[-len(last.nodes) :]
        maps = [node.shape for node in latest if axes_of(node.shape)]
        shape = maps[-1] if maps else latest[-1].shape
        times = vertex.count if isinstance(vertex, Frame) else last.count
        count = f" {badge_text(times)}" if times > 1 else ""
        if isinstance(vertex, Frame):
            title = vertex.label or vertex.title.partition(": ")[2] or vertex.title
            inside = list(dict.fromkeys(_main_line(box) for box in own))
            # The name of a loop's iterations says nothing: `3..4`.
            if not any(map(str.isalpha, title)):
                title = ", ".join(inside[:3])
            words = [f"{title}{count}"]
            return _Stage(vertex, shape, "part", words, None, False, layers, vertex.title)
        words = [*([f"{last.label}:"] if last.label else []), f"{last.main}{count}"]
        rest = " · ".join([*last.before, *last.after])
        words += [rest] if rest else []
        sliding = next((n for n in last.nodes if n.op.kind in ("conv", "pool", "filter")), None)
        window = None
        if last.part is None and sliding is not None and sliding.window != EVERYTHING:
            height, *width = sliding.window[0][-2:]
            window = (int(height), int(width[0]) if width else 1)
        dense = last.kind == "linear"
        return _Stage(vertex, shape, last.kind, words, window, dense, layers, last.tooltip)

    # ---- where ----

    def _size(self, stage: _Stage) -> tuple[float, float, float]:
        """Thickness, height, and how far its depth moves."""
        if stage.is_map:
            channels, *sides = stage.shape
            height, *width = sides[-2:]
            slant = _SLANT * self.scales.side(width[0]) if width else _PLATE
            return self.scales.thickness(channels), self.scales.side(height), slant
        return _BAR, self.scales.bar(_units(stage.shape)), _PLATE

    def draw(self, scales: Scales) -> None:
        """Places and draws everything around the axis y = 0."""
        self.scales = scales
        top, bottom, x = 0.0, 0.0, 0.0
        before: list[_Stage] = []
        for rows in _grouped(self.sequence):
            heights = [self._reach(row) for row in rows]
            whole = sum(map(sum, heights)) + _ROWS * (len(rows) - 1)
            # A single row has its maps on the axis; several share it.
            y = -heights[0][0] if len(rows) == 1 else -whole / 2
            top = min(top, y)
            begin, ends = x, []
            for row, (above, below) in zip(rows, heights, strict=True):
                y += above
                for stage in row:
                    stage.y = y
                ends.append(self._spread(row, begin))
                y += below + _ROWS
            bottom = max(bottom, y - _ROWS)
            x = max(ends) + _GAP
            for row in rows:
                for first in before:
                    self._connect(first, row[0])
                self._row(row)
            before = [row[-1] for row in rows]
        for source, row in self.strips:
            bottom = self._draw_strip(source, row, bottom)
        top = self._arches(top)
        left, _, right, bottom = _extent(self.items)
        self.items = [moved(item, -left, -top) for item in self.items]
        self.width, self.height = right - left, bottom - top

    def _draw_strip(self, source: _Stage | None, row: list[_Stage], bottom: float) -> float:
        """Draws a row below everything; returns where it ends."""
        above, below = self._reach(row)
        y = bottom + _ROWS + above
        for stage in row:
            stage.y = y
        if source is None:
            self._spread(row, 0.0)
        else:
            thickness, height, slant = self._size(source)
            self._spread(row, source.x + thickness + slant + _GAP)
            begin = source.x + thickness / 2
            points = [(begin, source.y + height / 2), (begin, y), (row[0].x, y)]
            self.items.insert(0, Line(points, head=True, thick=1.0))
        self._row(row)
        return y + below

    def _reach(self, row: list[_Stage]) -> tuple[float, float]:
        """How far a row reaches above and below its axis."""
        sizes = [self._size(stage) for stage in row]
        lines = max(len(_lines(stage)) for stage in row) * _LINE
        staggered = 2 if len(row) > _STAGGERED else 1
        above = max(height / 2 + slant for _, height, slant in sizes)
        return above, max(height / 2 for _, height, _ in sizes) + 8 + staggered * lines

    def _spread(self, row: list[_Stage], x: float) -> float:
        """Places a row from left to right; returns its right end."""
        every = 2 if len(row) > _STAGGERED else 1
        edges = [x] * every
        """The right edges of the texts that stand in the same line."""
        for number, stage in enumerate(row):
            thickness, _, slant = self._size(stage)
            half = max([measure.width(line, size) for line, size in _lines(stage)]) / 2
            stage.x = max(x, edges[number % every] + half + 8 - thickness / 2)
            edges[number % every] = stage.x + thickness / 2 + half
            x = stage.x + thickness + slant + _GAP
        return max(x - _GAP, *edges)

    # ---- shapes ----

    def _row(self, row: list[_Stage]) -> None:
        for number, stage in enumerate(row):
            if number:
                self._connect(row[number - 1], stage)
            self._block(stage)
        foot = row[0].y + max(self._size(stage)[1] for stage in row) / 2 + 8
        lines = max(len(_lines(stage)) for stage in row) * _LINE
        for number, stage in enumerate(row):
            y = foot + (lines if len(row) > _STAGGERED and number % 2 else 0.0)
            thickness = self._size(stage)[0]
            x = stage.x + thickness / 2
            if y > foot:
                self.items.append(Line([(x, foot), (x, y - 1)], paint="frame", thick=0.8))
            for line, height in _lines(stage):
                y += _LINE
                bold, paint = height == SMALL, "ink" if height == SMALL else "faint"
                self.items.append(Words(x, y - 3, line, height, bold, paint, halo=True))

    def _block(self, stage: _Stage) -> None:
        thickness, height, slant = self._size(stage)
        x0, x1 = stage.x, stage.x + thickness
        y0, y1 = stage.y - height / 2, stage.y + height / 2
        front = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        above = [(x0, y0), (x0 + slant, y0 - slant), (x1 + slant, y0 - slant), (x1, y0)]
        beside = [(x1, y0), (x1 + slant, y0 - slant), (x1 + slant, y1 - slant), (x1, y1)]
        faces: list[Item] = [
            Polygon(above, stage.kind, 0.04),
            Polygon(beside, stage.kind, 0.1),
            Polygon(front, stage.kind),
        ]
        data = {"layers": " ".join(stage.layers)}
        self.items.append(Group(faces, "box", stage.tooltip, data, focusable=True))

    def _connect(self, first: _Stage, second: _Stage) -> None:
        """The window on a map and lines to what it becomes; for a vector, from all to all."""
        thickness, height, slant = self._size(first)
        right = first.x + thickness
        _, height2, _ = self._size(second)
        if second.dense:
            for side in (-1, 1):
                begin = right, first.y + side * height / 2
                goal = second.x, second.y + side * height2 / 2
                self.items.append(Line([begin, goal], paint="line", thick=0.8))
            return
        if second.window is None or not first.is_map or max(second.window) < 2:
            begin = right + slant / 2, first.y - slant / 2
            self.items.append(Line([begin, (second.x, second.y)], head=True, thick=1.0))
            return
        corners = self._window(first, second.window)
        self.items.append(Polygon(corners, second.kind))
        tip = second.x, second.y
        self.items += [Line([corner, tip], thick=0.7) for corner in corners]

    def _window(self, stage: _Stage, window: tuple[int, int]) -> list[Point]:
        """A window on the right face of a map, to the scale of that map."""
        thickness, height, slant = self._size(stage)
        rows, *columns = stage.shape[1:][-2:]
        down = height * min(1.0, window[0] / rows)
        across = slant * min(1.0, window[1] / columns[0]) if columns else slant
        if down < _SEEN:
            self.enlarged = True
            down, across = min(_SEEN, height), min(_SEEN * _SLANT, slant)
        x = stage.x + thickness + (slant - across) * 0.5
        y = stage.y - (slant - across) * 0.5 - down / 2
        return [(x, y), (x + across, y - across), (x + across, y - across + down), (x, y + down)]

    def _arches(self, top: float) -> float:
        """Shortcuts run above everything, short ones below long ones; returns how high they are."""
        drawn: list[tuple[float, float, float]] = []
        order = {stage: number for number, stage in enumerate(self._stages(self.sequence))}
        for first, second in sorted(self.arches, key=lambda pair: pair[1].x - pair[0].x):
            if order[second] - order[first] < 2:
                continue  # what lies between them is not drawn
            ends = []
            for stage in (first, second):
                thickness, height, slant = self._size(stage)
                ends.append((stage.x + (thickness + slant) / 2, stage.y - height / 2 - slant / 2))
            (x0, y0), (x1, y1) = ends
            y = min([top, *[level for a, b, level in drawn if a < x1 and b > x0]]) - 16
            drawn.append((x0, x1, y))
            self.items.append(Line([(x0, y0), (x0, y), (x1, y), (x1, y1)], head=True))
        return min([top, *[level for _, _, level in drawn]]) - 4


def _said(scale: _Power) -> str:
    return "linear" if scale.exponent == 1 else f"to the power of {scale.exponent:g}"


def _lines(stage: _Stage) -> list[tuple[str, float]]:
    lines = [(text(stage.shape), SMALL)]
    lines += [(line, LABEL) for words in stage.words for line in _wrapped(words)]
    return lines


def _wrapped(words: str) -> list[str]:
    lines: list[str] = []
    for word in words.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and measure.width(longer, LABEL) <= _TEXT:
            lines[-1] = longer
        else:
            lines.append(measure.cut(word, LABEL, _TEXT))
    return lines[:4]


def _main_line(box: Box) -> str:
    return f"{box.main} {badge_text(box.count)}" if box.count > 1 else box.main


def _grouped(sequence: _Sequence) -> list[list[list[_Stage]]]:
    """Stretches of one row, and rows side by side."""
    groups: list[list[list[_Stage]]] = []
    alone = False
    for piece in sequence:
        if isinstance(piece, _Rows):
            groups.append(piece.rows)
        elif alone:
            groups[-1][0].append(piece)
        else:
            groups.append([[piece]])
        alone = isinstance(piece, _Stage)
    return groups


def _extent(items: Sequence[Item]) -> tuple[float, float, float, float]:
    points: list[Point] = []
    for item in items:
        if isinstance(item, Group):
            a, b, c, d = _extent(item.items)
            points += [(a, b), (c, d)]
        elif isinstance(item, Line | Polygon):
            points += item.points
        elif isinstance(item, Words):
            half = measure.width(item.text, item.size, bold=item.bold) / 2
            points += [(item.x - half, item.y - item.size), (item.x + half, item.y + 4)]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _level(frame: Frame) -> int:
    level, parent = 0, frame.parent
    while parent is not None:
        level, parent = level + 1, parent.parent
    return level


def _units(shape: Shape) -> int:
    return shape[0]


def _stages(sequence: _Sequence) -> list[_Stage]:
    stages = []
    for piece in sequence:
        rows = piece.rows if isinstance(piece, _Rows) else [[piece]]
        stages += [stage for row in rows for stage in row]
    return stages
