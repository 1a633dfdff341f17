"""Lines that are the body of a residual in another place become `residual shortcut=match`, which
adds its input where the shapes agree: the first block of a stage of MobileNet has no shortcut, and
is the same block all the same.

Where only those with a shortcut drop it at random, `if drop > 0 { droppath drop }` says so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace

from .progressions import DROP, DROP_PATH
from .sequences import relabeled
from .template import (
    ANEW,
    Line,
    Lines,
    Shapes,
    Template,
    all_columns,
    is_closed,
    joined,
    without_label,
)

MATCH = "shortcut=match"
BY_NUMBER = "number"
BY_SHAPE = "shape"
"""A `droppath` is left out where its number is 0, or where there is no shortcut."""
SHORTEST = 2
"""The fewest lines of a body."""


def matched(raw: Lines, shapes: Shapes) -> Lines:
    """A network with such residuals."""
    search = _Search(shapes)
    search.collect(raw)
    search.choose(raw)
    return search.replaced(raw) if search.matching else raw


class _Search:
    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self.residuals: dict[int, list[Template]] = {}
        """By the shape of their body, those that add their input as it is."""
        self.others: set[int] = set()
        """Bodies of residuals that project it."""
        self.matching: dict[int, int] = {}
        """Shapes of bodies that are somewhere without a shortcut, and how many lines they have."""
        self.dropped: dict[int, str] = {}
        """Those of them that end in a `droppath` if they have a shortcut, and how that is said."""
        self.order: list[tuple[int, int]] = []
        """The numbers of all `droppath` of a schedule, with their places."""

    def collect(self, body: Lines) -> None:
        for line in body:
            for each in line:
                for path in each.paths:
                    self.collect(path)
                if each.word == DROP_PATH and each.columns and each.columns[0].family == DROP:
                    self.order.append((each.extent.first, each.columns[0].values[0]))
                if _is_plain_residual(each) and len(each.paths[0]) >= SHORTEST:
                    shape = self.shape(each.paths[0])
                    if _keeps(each.channels, each):
                        self.residuals.setdefault(shape, []).append(each)
                    else:
                        self.others.add(shape)

    def shape(self, body: Lines) -> int:
        return self.shapes.of_lines([*body[:-1], without_label(body[-1])])

    def choose(self, raw: Lines) -> None:
        wanted: dict[int, dict[int, int]] = {}
        for shape, residuals in self.residuals.items():
            if shape in self.others:
                continue
            body = residuals[0].paths[0]
            wanted.setdefault(len(body), {})[shape] = shape
            rest = _without_drop(body)
            if rest is not None and (_scheduled(body) or all(map(_drops, residuals))):
                wanted[len(body)].setdefault(self.shape(rest), shape)
        self.wanted = dict(sorted(wanted.items(), reverse=True))
        self.changed: list[tuple[Lines, int]] = []
        for shape, own in self.places(raw):
            self.matching[own] = len(self.residuals[own][0].paths[0])
            if shape != own:
                residual = self.residuals[own][0]
                self.dropped[own] = BY_SHAPE if _scheduled(residual.paths[0]) else BY_NUMBER
        # What drops by its shape has to have other channels where it has no shortcut.
        for lines, own in self.changed:
            by_number = self.dropped.get(own) == BY_SHAPE and _same_channels(lines)
            if by_number and all(map(_drops, self.residuals[own])):
                self.dropped[own] = BY_NUMBER
            elif by_number:
                self.matching.pop(own, None)
                self.dropped.pop(own, None)

    def places(self, body: Lines, inner: bool = False) -> Iterator[tuple[int, int]]:
        """The shapes of such lines, and of the bodies of residuals that they are."""
        for at, line in enumerate(body):
            found = None if inner else self.found(body, at)
            if found is not None:
                self.changed.append((body[at : at + found[0]], found[2]))
                yield found[1:]
            for each in line:
                for path in each.paths:
                    yield from self.places(path, _is_plain_residual(each))

    def found(self, body: Lines, at: int) -> tuple[int, int, int] | None:
        for length, shapes in self.wanted.items():
            lines = body[at : at + length]
            if len(lines) < length or len(body) == length or not is_closed(lines):
                continue
            shape = self.shape(lines)
            if shape in shapes and not _keeps_shape(lines) and self.alike(lines, shapes[shape]):
                return length, shape, shapes[shape]
        return None

    def alike(self, lines: Lines, residual: int) -> bool:
        """Whether lines have filters of sizes that a residual has in their places."""
        own = all_columns(lines)
        bodies = [all_columns(each.paths[0]) for each in self.residuals[residual]]
        return all(
            any(other[index].values == column.values for other in bodies)
            for index, column in enumerate(own)
            if column.family == "kernel"
        )

    def number_at(self, place: int) -> int:
        """The number that a schedule would have at a place: one less than the next one."""
        at = bisect_left(self.order, (place, 0))
        if at < len(self.order):
            return max(self.order[at][1] - 1, 0)
        return self.order[-1][1] + 1

    def replaced(self, body: Lines, inner: bool = False) -> Lines:
        """A body with residuals in the place of such lines; those of a residual are none."""
        result: Lines = []
        at = 0
        while at < len(body):
            found = None if inner else self.found(body, at)
            if found is not None and found[2] in self.matching:
                length, shape, residual = found
                lines = [self.inside(line) for line in body[at : at + length]]
                result.append([self.wrapped(lines, shape, residual)])
                at += length
                continue
            result.append(self.inside(body[at]))
            at += 1
        return result

    def inside(self, line: Line) -> Line:
        made: Line = []
        for each in line:
            if not each.paths:
                made.append(each)
                continue
            paths = [self.replaced(path, _is_plain_residual(each)) for path in each.paths]
            options = each.options
            if _is_plain_residual(each) and _keeps(each.channels, each):
                shape = self.shape(each.paths[0])
                if shape in self.matching:
                    options = (MATCH,)
                if shape in self.dropped:
                    last = paths[0][-1]
                    drop = _guarded(last[-1], self.dropped[shape])
                    paths[0] = [*paths[0][:-1], [*last[:-1], drop]]
                    if self.dropped[shape] == BY_SHAPE:
                        paths[0].insert(0, _arriving(paths[0]))
            made.append(replace(each, paths=paths, options=options, **ANEW))
        return made

    def wrapped(self, lines: Lines, shape: int, residual: int) -> Template:
        """Lines without a shortcut as a residual."""
        extent = joined(lines)
        last = lines[-1][-1]
        lines, label = relabeled(lines)
        if residual in self.dropped and shape != residual:
            drop = self.residuals[residual][0].paths[0][-1][-1]
            how = self.dropped[residual]
            number = self.number_at(extent.last) if how == BY_SHAPE else 0
            absent = replace(drop, columns=[replace(drop.columns[0], values=(number,))])
            lines = [*lines[:-1], [*lines[-1], _guarded(absent, how)]]
            if how == BY_SHAPE:
                lines.insert(0, _arriving(lines))
        return Template(
            "form", "residual", paths=[lines], options=(MATCH,), extent=extent,
            channels=lines[0][0].channels, labeled=label, item=last.item,
        )  # fmt: skip


def _is_plain_residual(each: Template) -> bool:
    return each.kind == "form" and each.word == "residual" and not (each.bars or each.options)


def _keeps(channels: object, each: Template) -> bool:
    item = each.item
    assert item is not None
    assert item.layer is not None
    assert item.arriving is not None
    return item.arriving.shape == item.layer.shape


def _keeps_shape(lines: Lines) -> bool:
    """Whether lines end in the shape that they begin with; if it is unknown, they might."""
    first, last = lines[0][0].item, lines[-1][-1].item
    if first is None or first.arriving is None or last is None or last.layer is None:
        return True
    return first.arriving.shape == last.layer.shape


def _drops(residual: Template) -> bool:
    last = residual.paths[0][-1][-1]
    return bool(last.columns) and all(value > 0 for value in last.columns[0].values)


def _without_drop(body: Lines) -> Lines | None:
    """A body without the `droppath` that it ends in."""
    last = body[-1][-1]
    if last.word != DROP_PATH or len(body[-1]) < 2 or len(last.columns) != 1 or last.fixed:
        return None
    return [*body[:-1], body[-1][:-1]]


def _scheduled(body: Lines) -> bool:
    last = body[-1][-1]
    return last.word == DROP_PATH and any(each.family == DROP for each in last.columns)


def _same_channels(lines: Lines) -> bool:
    first, last = lines[0][0].item, lines[-1][-1].item
    assert first is not None
    assert first.arriving is not None
    assert last is not None
    assert last.layer is not None
    return first.arriving.shape[0] == last.layer.shape[0]


def _guarded(drop: Template, how: str) -> Template:
    """`if drop > 0 { droppath drop }`, or `if channels == arriving { … }`."""
    column = drop.columns[0]
    own = replace(column, usual=0, family=DROP) if how == BY_NUMBER else column
    return replace(drop, columns=[own], guarded=how, labeled=False, back=(), **ANEW)


def _arriving(lines: Lines) -> Line:
    first = lines[0][0]
    extent = first.extent._replace(last=first.extent.first, high=-1, own=-1, low=1 << 60)
    made = Template("let", "let arriving = channels", extent=extent, channels=first.channels)
    made.size = 3
    return [made]
