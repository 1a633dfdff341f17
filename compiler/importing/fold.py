"""Equal statements become blocks and loops.

Lines of equal shape, wherever they are, are candidates for a block whose parameters are the numbers
that differ. Then each body is folded: equal lines that follow one another become `repeat`, those
that differ in numbers `for … in [(…), …]`. Of several ways to say a body, and of a block and its
text in all places, the shorter is taken, measured in words: blocks that do not pay off are given up
one after the other, and everything is folded again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from heapq import heappop, heappush
from operator import is_
from typing import NamedTuple

from .parameters import Arriving, Solved, solve
from .progressions import (
    DROP,
    EVENLY,
    copied_line,
    in_round,
    index_for,
    indexed,
    is_schedule,
    scheduled,
    steps_between,
)
from .sequences import grouped, opened
from .shortcuts import matched
from .structure import Body
from .template import (
    ANEW,
    LINE,
    Column,
    Line,
    Lines,
    Shapes,
    Template,
    Values,
    all_columns,
    first_columns,
    is_closed,
    is_round,
    joined,
    overlay,
    overlay_lines,
    path_size,
    raw_lines,
    walk,
    without_label,
    words,
)

PASSES = 4
"""How often loops are looked for among lines that are loops already."""
PERIOD = 12
"""The most lines of a round of a loop."""
ATTEMPTS = 40
"""How often one block is given up at a time; then all that do not pay off are."""
ROW = 75
"""The most characters of a list on one line."""
LEAST = 4
"""Words that a block or a `for` must save."""


class Block:
    """Lines of equal shape, written once."""

    def __init__(self, shape: int, size: int) -> None:
        self.shape = shape
        self.size = size
        self.parts: list[Line] = []
        self.count = 0
        """How many lines it stands for."""
        self.channels: Values = ()
        """How many channels arrive at each of them."""
        self.body: Lines = []
        self.solved = Solved([], [])
        self.name = ""

    def call(self, line: Line, count: int) -> Template:
        """The call that stands in the place of a line, of several laid over each other."""
        last = line[-1]
        self.parts.append(without_label(line))
        instances = tuple(range(self.count, self.count + count))
        self.count += count
        return Template(
            "call", "", item=last.item, labeled=last.labeled, block=self, instances=instances,
            extent=joined([line]), channels=line[0].channels,
        )  # fmt: skip

    def arguments_of(self, call: Template) -> list[Column]:
        return [
            Column(
                parameter.name,
                tuple([parameter.values[instance] for instance in call.instances]),
                parameter.default,
                parameter.show,
                parameter.family,
                rigid=parameter.rigid,
            )
            for parameter in self.solved.parameters
        ]


class Folded(NamedTuple):
    """A network as blocks and lines; each block comes after those that it calls."""

    blocks: list[Block]
    lines: Lines


def unfolded(body: Body) -> Folded:
    """Line by line, without blocks and loops."""
    return Folded([], raw_lines(body))


def fold(body: Body) -> Folded:
    """The shortest way to say it that is found."""
    shapes = Shapes()
    raw = matched(scheduled(raw_lines(body)), shapes)
    ways = [raw, grouped(raw, shapes)]
    found = [_folded(way, shapes) for way in ways]
    return min(found, key=_size)


def simply_folded(body: Body) -> Folded:
    """With blocks and loops of what is written alike, and nothing said in another way."""
    return _folded(raw_lines(body), Shapes())


def _size(folded: Folded) -> int:
    """About how many words it has."""
    bodies = [folded.lines, *[block.body for block in folded.blocks]]
    parameters = sum([len(block.solved.parameters) for block in folded.blocks])
    lines = sum([words(line) + LINE for body in bodies for line in body])
    lets = sum([len(block.solved.lets) for block in folded.blocks])
    return lines + 2 * parameters + 2 * LINE * len(folded.blocks) + (LINE + 3) * lets


def _folded(raw: Lines, shapes: Shapes) -> Folded:
    counts: Counter[int] = Counter(
        shapes.without_label(line) for line in walk(raw) if is_closed([line])
    )
    given_up: set[int] = set()
    attempt = 0
    while True:
        folded = _Attempt(raw, shapes, counts, given_up).folded()
        unworthy = _unworthy(folded)
        if not unworthy:
            return folded
        attempt += 1
        least = unworthy[0][0]
        worst = {block.shape for saved, block in unworthy if saved == least or attempt > ATTEMPTS}
        given_up |= worst


def _unworthy(folded: Folded) -> list[tuple[float, Block]]:
    """The blocks that do not make the text shorter, with what they save, the worst first."""
    calls: dict[int, list[Template]] = {id(block): [] for block in folded.blocks}
    for body in [folded.lines, *(block.body for block in folded.blocks)]:
        for line in walk(body):
            for each in line:
                if each.kind == "call":
                    calls[id(each.block)].append(each)
    found: list[tuple[float, Block]] = []
    for block in folded.blocks:
        written = calls[id(block)]
        own = sum([words(line) + LINE for line in block.body])
        saved: float = (len(written) - 1) * own - sum([words([call]) + LINE for call in written])
        many = len(block.solved.parameters)
        saved -= (LINE + 3) * len(block.solved.lets)
        saved -= 2 * LINE + 3 * many + 6 * max(many - 4, 0)  # nobody remembers six numbers in order
        if len(written) < 2:
            saved = float("-inf")
        if saved < LEAST:
            found.append((saved, block))
    return sorted(found, key=lambda pair: pair[0])


class _Attempt:
    """Folds a network, with blocks of all shapes but those that were given up."""

    def __init__(
        self, raw: Lines, shapes: Shapes, counts: Counter[int], given_up: set[int]
    ) -> None:
        self.raw = raw
        self.shapes = shapes
        self.counts = counts
        self.given_up = given_up
        self.blocks: dict[int, Block] = {}
        self.heap: list[tuple[int, int, int]] = []

    def folded(self) -> Folded:
        body = self.extracted(self.raw, 1)
        order: list[Block] = []
        # The largest first: those around a block have to be made before all its places are known.
        while self.heap:
            block = self.blocks[heappop(self.heap)[2]]
            line = [overlay(parts) for parts in zip(*block.parts, strict=True)]
            block.channels = line[0].channels
            if line[0].kind == "group":
                block.body = self.extracted(line[0].paths[0], block.count)
            else:
                block.body = [[self.inside(each, block.count) for each in line]]
            order.append(block)
        order.reverse()
        for block in order:
            block.body = _fold_lines(block.body, block.count, self.shapes)
            _hint(block.body)
            arriving = Arriving(block.channels, first_columns(block.body))
            block.solved = solve(all_columns(block.body), (), arriving, defaults=True)
        return Folded(order, _fold_lines(body, 1, self.shapes))

    def extracted(self, body: Lines, count: int) -> Lines:
        """A body with calls in the place of lines that are blocks."""
        result: Lines = []
        for line in body:
            shape = self.shapes.without_label(line)
            often = self.counts[shape] > 1 and shape not in self.given_up
            if often and _worth(line) and is_closed([line]):
                block = self.blocks.get(shape)
                if block is None:
                    block = self.blocks[shape] = Block(shape, sum(map(_layers, line)))
                    heappush(self.heap, (-block.size, len(self.blocks), shape))
                result.append([block.call(line, count)])
            elif line[0].kind == "group":
                result += self.extracted(opened(line[0]), count)
            else:
                result.append([self.inside(each, count) for each in line])
        return result

    def inside(self, each: Template, count: int) -> Template:
        if not each.paths:
            return each
        return replace(
            each,
            paths=[self.extracted(path, count) for path in each.paths],
            shape=-1,
            bare=-1,
            size=0,
        )


def _worth(line: Line) -> bool:
    """Whether a line says enough to be a block."""
    return any(each.paths for each in line) or (
        len(line) > 1 and bool(line[0].columns or line[0].fixed)
    )


def _layers(each: Template) -> int:
    return 1 + sum(_layers(inner) for path in each.paths for line in path for inner in line)


# ---- bodies ---------------------------------------------------------------------------------


def _fold_lines(body: Lines, count: int, shapes: Shapes) -> Lines:
    """A body with loops. `count` is how many bodies are laid over each other in it."""
    inner = [[_fold_inside(each, count, shapes) for each in line] for line in body]
    level = _Level(shapes, count)
    ways = [inner, *(way(inner) for way in (level.staged, level.wrapped))]
    unlike = [way for n, way in enumerate(ways) if not n or not _same(way, inner)]
    tried = [level.finished(level.loops(way)) for way in reversed(unlike)]
    return min(tried, key=lambda way: sum(map(words, way)) + LINE * len(way))


def _same(one: Lines, two: Lines) -> bool:
    return len(one) == len(two) and all(map(is_, one, two))


def _fold_inside(each: Template, count: int, shapes: Shapes) -> Template:
    if each.kind == "call":
        return replace(each, columns=each.block.arguments_of(each), **ANEW)
    if not each.paths:
        return each
    paths = [_fold_lines(path, count, shapes) for path in each.paths]
    return replace(each, paths=paths, **ANEW)


class _Level:
    """The lines of one body."""

    def __init__(self, shapes: Shapes, count: int) -> None:
        self.shapes = shapes
        self.count = count

    # ---- ways to see lines that follow one another ----

    def staged(self, body: Lines) -> Lines:
        """Runs of lines of equal shape as stages: a line, and a `repeat` of one that differs from
        it where it has defaults; or all as a `repeat`, if numbers grow in it.
        """
        result: Lines = []
        for run in self.runs(body):
            stages = self.stages(self.groups(run))
            if len(run) < 2 or len(stages) < 2 or all(stage.total == 1 for stage in stages):
                result += run
                continue
            reset = {
                index
                for stage in stages
                for index, (one, two) in enumerate(_pairs(stage.head, stage.tail))
                if one.values != two.values and index not in stage.steps
            }
            if any(stage.steps for stage in stages):
                result += self.growing(run, stages, reset)
                continue
            for head, tail, total, _ in stages:
                rest = tail if total > 1 else _reset(tail, reset)
                result += [head, [self.repeat([rest], total, first=True)]]
        return result

    def growing(self, run: Lines, stages: list[_Stage], reset: set[int]) -> Lines:
        """Stages as `repeat depth as i { unit max(1, stride - i) drop=before + i }`."""
        steps = next(stage.steps for stage in stages if stage.steps)
        columns = [all_columns([stage.head]) for stage in stages]
        if any(
            {*(value if isinstance(value, tuple) else (value,))} - {1, 2}
            for each in columns
            for index in reset
            for value in each[index].values
        ):
            return run
        index = index_for(run)
        return [
            [self.repeat(indexed([stage.head], steps, frozenset(reset), index), stage.total,
                         index=index)]
            for stage in stages
        ]  # fmt: skip

    def wrapped(self, body: Lines) -> Lines:
        """Each group of equal lines as a `repeat`, those of one line too, where others of its shape
        are repeated.
        """
        body = self.repeats(body)
        kinds = {
            tuple([self.shapes.of_line(inner) for inner in line[0].paths[0]])
            for line in body
            if line[0].kind == "repeat"
        }
        result: Lines = []
        at = 0
        while at < len(body):
            for kind in kinds:
                part = body[at : at + len(kind)]
                if tuple(map(self.shapes.without_label, part)) == kind and is_closed(part):
                    result.append([self.repeat(part, 1)])
                    at += len(kind)
                    break
            else:
                result.append(body[at])
                at += 1
        return result

    def runs(self, body: Lines) -> list[Lines]:
        """Maximal runs of lines of one shape."""
        found: list[Lines] = []
        for line in body:
            same = found and self.shapes.of_line(found[-1][0]) == self.shapes.of_line(line)
            if same and is_round([line]) and is_round(found[-1][-1:]):
                found[-1].append(line)
            else:
                found.append([line])
        return found

    def groups(self, run: Lines) -> list[_Stage]:
        """Maximal runs of lines that are equal but for what grows."""
        found: list[_Stage] = []
        before: Line = []
        for line in run:
            columns = all_columns([line])
            steps = steps_between(all_columns([before]), columns) if before else None
            if steps is not None and not is_schedule(columns, steps):
                steps = None
            if steps is not None and found[-1].total > 1 and steps != found[-1].steps:
                steps = None
            if steps is None:
                found.append(_Stage(line, line, 1, {}))
            else:
                found[-1] = _Stage(found[-1].head, line, found[-1].total + 1, steps)
            before = line
        return [stage._replace(tail=stage.head) for stage in found]

    def stages(self, groups: list[_Stage]) -> list[_Stage]:
        """The first line, the others, how many they are together, and what grows."""
        found: list[_Stage] = []
        at = 0
        while at < len(groups):
            stage = groups[at]
            after = groups[at + 1] if at + 1 < len(groups) else None
            steps = _follows(stage.head, after.head) if after is not None else None
            usable = after is not None and steps is not None and stage.total == 1
            if usable and (not steps or after.total == 1 or steps == after.steps):  # type: ignore[union-attr]
                assert after is not None
                assert steps is not None
                found.append(_Stage(stage.head, after.head, 1 + after.total, steps or after.steps))
                at += 2
            else:
                found.append(stage)
                at += 1
        return found

    def repeat(
        self,
        body: Lines,
        count: int,
        first: bool = False,
        rounds: Sequence[Lines] = (),
        index: str = "",
    ) -> Template:
        column = Column("count", (count,) * self.count, family="count")
        last = rounds[-1][-1][-1] if rounds else body[-1][-1]
        outside = last.labeled and last.extent.own > last.extent.last
        if outside:
            body = [*body[:-1], without_label(body[-1])]
        return Template(
            "repeat", "repeat", columns=[column], paths=[body], first=first, index=index,
            extent=joined([line for part in rounds or [body] for line in part]),
            channels=body[0][0].channels, item=last.item if outside else None, labeled=outside,
        )  # fmt: skip

    # ---- loops ----

    def repeats(self, body: Lines) -> Lines:
        """Equal lines that follow one another as `repeat`, the shortest rounds first."""
        keys: list[int] = []
        bare: list[int] = []
        for period in range(1, PERIOD + 1):
            if len(body) < 2 * period:
                break
            if len(keys) != len(body):
                keys = [self.shapes.of_line(line) for line in body]
                bare = [self.shapes.without_label(line) for line in body]
            result: Lines = []
            at = 0
            while at < len(body):
                after = at + period
                if after + period > len(body) or bare[at] != bare[after]:
                    result.append(body[at])
                    at += 1
                    continue
                count, steps = self.rounds(body, keys, bare, at, period)
                if count > 1:
                    rounds = [body[at + n * period :][:period] for n in range(count)]
                    first, index = rounds[0], ""
                    if steps:
                        index = index_for(first)
                        first = indexed(first, steps, frozenset(), index)
                    result.append([self.repeat(first, count, rounds=rounds, index=index)])
                    at += count * period
                else:
                    result.append(body[at])
                    at += 1
            body = result
        return body

    def rounds(
        self, body: Lines, keys: list[int], bare: list[int], at: int, period: int
    ) -> tuple[int, dict[int, int]]:
        """How many rounds begin with a line that are equal but for what grows. The last one may end
        in a label.
        """
        count, end = 1, at + period
        steps: dict[int, int] = {}
        while end + period <= len(body):
            part = body[end : end + period]
            last = keys[at : at + period] != keys[end : end + period]
            if bare[end - period : end] != bare[end : end + period] or (
                last and keys[at : at + period - 1] != keys[end : end + period - 1]
            ):
                break
            before = body[end - period : end]
            found = steps_between(all_columns(before), all_columns(part))
            if found is None or (count > 1 and found != steps) or not is_round(before):
                break
            if not is_closed(part):
                break
            count, end, steps = count + 1, end + period, found
            if last or not is_round(part):
                break
        if (
            1 < count < EVENLY
            and steps
            and not is_schedule(all_columns(body[at : at + period]), steps)
        ):
            return 1, {}
        return count, steps

    def loops(self, body: Lines) -> Lines:
        """Rounds that differ in numbers as `for`, those that save most first."""
        for _ in range(PASSES):
            found: list[tuple[int, int, int, Template]] = []
            shape = [self.shapes.without_label(line) for line in body]
            for period in range(1, min(PERIOD, len(body) // 2) + 1):
                for start, rounds in _tandems(shape, period):
                    start, rounds = _whole(body, start, period, rounds)
                    made = self.for_(body, start, period, rounds)
                    if made is not None and made[1] >= LEAST:
                        found.append((-made[1], start, start + period * rounds, made[0]))
            if not found:
                break
            loops: dict[int, tuple[int, Template]] = {}
            taken: set[int] = set()
            for _, start, end, loop in sorted(found, key=lambda each: each[:3]):
                if taken.isdisjoint(range(start, end)):
                    taken.update(range(start, end))
                    loops[start] = end, loop
            result: Lines = []
            at = 0
            while at < len(body):
                if at in loops:
                    at, loop = loops[at]
                    result.append([loop])
                else:
                    result.append(body[at])
                    at += 1
            body = result
        return body

    def for_(
        self, body: Lines, start: int, period: int, rounds: int
    ) -> tuple[Template, int] | None:
        parts = [body[start + period * n : start + period * (n + 1)] for n in range(rounds)]
        if rounds < 2:
            return None
        last = parts[-1][-1][-1]
        extent = joined([line for part in parts for line in part])
        channels = parts[0][0][0].channels
        outside = last.labeled and last.extent.own > last.extent.last
        if outside:
            parts[-1] = [*parts[-1][:-1], without_label(parts[-1][-1])]
        columns = [all_columns(part) for part in parts]
        if self.count > 1 and any(len({*column.values}) > 1 for each in columns for column in each):
            return None
        if self.count > 1:
            parts = [_narrowed(part) for part in parts]
        merged = _Level(self.shapes, rounds).finished(overlay_lines(parts))
        solved = solve(all_columns(merged))
        names = len(solved.parameters)
        if not names:
            return None
        size = LINE + 4 + path_size(merged)
        size += names + 6 * max(names - 5, 0) + rounds * (names + (names > 1))
        before = sum([words(line) + LINE for part in parts for line in part])
        # Nobody takes layers of other filter sizes for the same, nor two rounds for a loop, unless
        # much is saved.
        size += 4 * (rounds == 2) + 8 * any(each.family == "kernel" for each in solved.parameters)
        shown = [each.show(value) for each in solved.parameters for value in each.values]
        if sum(map(len, shown)) + 2 * len(shown) + 2 * rounds * (names > 1) > ROW:
            size += LINE * (rounds + 1)  # the list does not fit on a line
        loop = Template(
            "for", "for", paths=[merged], rounds=parts, size=size - LINE, extent=extent,
            solved=solved, channels=channels, item=last.item if outside else None, labeled=outside,
        )  # fmt: skip
        return loop, before - size

    def finished(self, body: Lines) -> Lines:
        """Repeats that save nothing are written out, others are found in what is left."""
        flat: Lines = []
        for line in body:
            first = line[0]
            same = first.kind == "repeat" and len({*first.columns[0].values}) == 1
            if same and (not first.index or first.columns[0].values[0] == 1):
                flat += _rounds(first)
            else:
                flat.append(line)
        return [line for each in self.repeats(flat) for line in self.unrolled(each)]

    def unrolled(self, line: Line) -> Lines:
        """The lines of a `repeat` that is longer than they are."""
        first = line[0]
        if first.kind != "repeat" or len({*first.columns[0].values}) > 1:
            return [line]
        count = first.columns[0].values[0]
        inside = sum(map(words, first.paths[0]))
        if len(first.paths[0]) > 1 or first.paths[0][0][0].kind != "call":
            inside += LINE * len(first.paths[0])
        return _rounds(first) if (count - 1) * inside < LINE + 1 else [line]


def _rounds(repeat: Template) -> Lines:
    """The lines of all rounds of a `repeat`, of the same number everywhere."""
    count = repeat.columns[0].values[0] - repeat.first
    body: Lines = [
        line for number in range(count) for line in in_round(repeat.paths[0], repeat.index, number)
    ]
    if repeat.labeled and body:
        extent = body[-1][-1].extent._replace(last=repeat.extent.last, own=repeat.extent.own)
        last = replace(body[-1][-1], labeled=True, item=repeat.item, **ANEW, extent=extent)
        body[-1] = [*body[-1][:-1], last]
    return body


def _whole(body: Lines, start: int, period: int, rounds: int) -> tuple[int, int]:
    """Of equal rounds that follow one another, the most to which nothing else refers."""
    best, first = (start, 0), start
    for at in range(start, start + rounds * period, period):
        part = body[at : at + period]
        count = (at - first) // period + is_closed(part)
        best = max(best, (first, count), key=lambda each: each[1])
        if not is_round(part):
            first = at + period
    return best


def _tandems(shape: Sequence[int], period: int) -> list[tuple[int, int]]:
    """Where rounds of so many lines of equal shape follow one another, and how many."""
    found: list[tuple[int, int]] = []
    run = 0
    for at in range(period, len(shape) + 1):
        if at < len(shape) and shape[at] == shape[at - period]:
            run += 1
            continue
        rounds = run // period + 1
        if rounds > 1:
            # The rest of the run may be at either end.
            first = at - period - run
            found += [(first + offset, rounds) for offset in {0, run % period}]
        run = 0
    return found


def _pairs(one: Line, two: Line) -> list[tuple[Column, Column]]:
    return list(zip(all_columns([one]), all_columns([two]), strict=True))


class _Stage(NamedTuple):
    """Lines that are equal, but for the first."""

    head: Line
    tail: Line
    """The second."""
    total: int
    steps: dict[int, int]
    """What grows from line to line."""


def _follows(head: Line, tail: Line) -> dict[int, int] | None:
    """What grows from a line to the one after it, if they differ beside only where the second has
    defaults.
    """
    steps: dict[int, int] = {}
    for index, (one, two) in enumerate(_pairs(head, tail)):
        if one.values == two.values or all(value == two.usual for value in two.values):
            continue
        found = steps_between([one], [two])
        if not found or one.family != DROP:
            return None
        steps[index] = found[0]
    return steps


def _reset(line: Line, columns: set[int]) -> Line:
    """The line with its defaults in some columns."""
    made = copied_line(line)
    for index, column in enumerate(all_columns([made])):
        if index in columns:
            column.values = (column.usual,) * len(column.values)
    return made


def _narrowed(body: Lines) -> Lines:
    """One of the bodies that are laid over each other, where all are equal."""
    return [
        [
            replace(
                each,
                columns=[replace(column, values=column.values[:1]) for column in each.columns],
                paths=[_narrowed(path) for path in each.paths],
                instances=each.instances[:1],
            )
            for each in line
        ]
        for line in body
    ]


# ---- names of widths ------------------------------------------------------------------------


def _hint(body: Lines) -> None:
    """Names for the widths of paths, after what they do: `narrow3`, `wide3`, `pooled`."""
    for line in walk(body):
        for each in line:
            if each.kind == "form" and each.bars:
                for path in each.paths:
                    _hint_path(path)


def _hint_path(path: Lines) -> None:
    columns = all_columns(path)
    widths = [column for column in columns if column.family == "out"]
    if any(each.word.startswith("pool ") for line in path for each in line):
        for column in widths:
            column.hint = "pooled"
        return
    sides = [
        max(value) if isinstance(value, tuple) else value
        for column in columns
        if column.family == "kernel"
        for value in column.values[:1]
    ]
    side = max(sides, default=1)
    for index, column in enumerate(widths):
        if len(widths) == 1:
            column.hint = "direct" if side == 1 else f"wide{side}"
        else:
            place = "narrow" if index == 0 else "wide" if index == len(widths) - 1 else "middle"
            column.hint = f"{place}{side}"
