"""Statements with their numbers apart. Two that differ in numbers alone have the same shape, and
can be laid over each other: every number is then a column, with a value for each of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from ..language.signature import Field
from .normal import shown, writing
from .structure import TRAILING, Body, Item

Values = tuple[Any, ...]
"""A value for each of the statements that are laid over each other."""


@dataclass(slots=True, eq=False)
class Column:
    """A number, in each of the statements."""

    name: str
    """The argument: `out`, `stride`; `count` of a `repeat`."""
    values: Values
    usual: Any = None
    """Its default."""
    show: Callable[[Any], str] = str
    """Writes a value in its place."""
    family: str = ""
    """What it counts: numbers of one family may be one parameter, or a multiple of it."""
    hint: str = ""
    """What it would be called as a parameter, if that is known."""
    rigid: bool = False
    """Whether arithmetic is not written in its place: sizes, factors."""
    form: str = "{}"
    """What it stands in: `0.2*{}/23`."""
    index: str = ""
    """The name for the number of the round that it depends on."""
    step: int = 0
    """How much it grows with each round."""
    once: bool = False
    """Whether it has its value in the first round only, and 1 in the others."""


class Extent(NamedTuple):
    """Which statements are within one, by their numbers, and what is referred to."""

    first: int = 0
    last: int = 0
    low: int = 1 << 60
    """The first statement that something in it refers to."""
    high: int = -1
    """The last one that refers to something in it, beside itself."""
    own: int = -1
    """The last one that refers to it."""


NOWHERE = Extent()


@dataclass(slots=True, eq=False)
class Template:
    """A statement."""

    kind: Literal["layer", "form", "from", "merge", "side", "call", "repeat", "for", "group", "let"]
    word: str
    key: Hashable = ()
    """What has to be equal in two of the same shape, beside the word and what is inside."""
    columns: list[Column] = field(default_factory=list)
    fixed: list[Column] = field(default_factory=list)
    """Numbers that are the same in all layers of its kind."""
    paths: list[Lines] = field(default_factory=list)
    bars: bool = False
    item: Item | None = None
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    """Arguments that are no numbers, as they are written."""
    plain: tuple[str, ...] = ()
    """Arguments written without their names."""
    block: Any = None
    """Of a call: its block."""
    instances: tuple[int, ...] = ()
    """Of a call: which of the statements of its block they are."""
    rounds: list[Lines] = field(default_factory=list)
    """Of a `for`: its rounds; `paths` has them laid over each other."""
    solved: Any = None
    """Of a `for`: its names, and what stands in the places of its numbers."""
    labeled: bool = False
    """Whether its label, or its name as an output, is written here."""
    pin: int = 0
    """Its own number, if it is equal to nothing: an output has a name."""
    back: tuple[int, ...] = ()
    """How many statements before it those are that it refers to."""
    extent: Extent = NOWHERE
    channels: Values = ()
    """How many channels arrive at it."""
    guarded: str = ""
    """When it is left out, if it ever is."""
    index: str = ""
    """Of a `repeat`: the name for the number of its round."""
    first: bool = False
    """Of a `repeat`: the same statement stands before it, so it makes one round less."""
    shape: int = -1
    bare: int = -1
    """The shape of the line that it ends, without its label."""
    size: int = 0
    """The number of words in it, about."""


ANEW: Any = {"shape": -1, "bare": -1, "size": 0}
"""What a statement that is changed does not know yet."""

Line = list[Template]
"""Statements that share a line: a convolution, its norm, its activation."""
Lines = list[Line]


# ---- from statements -------------------------------------------------------------------------


def varying(body: Body) -> set[tuple[str, str]]:
    """Words and arguments that have several values in a network: only these can be parameters."""
    first: dict[tuple[str, str], Any] = {}
    found: set[tuple[str, str]] = set()
    stack = list(body)
    while stack:
        item = stack.pop()
        for path in item.paths:
            stack.extend(path)
        if item.op is not None:
            for name in item.op.fields:
                value = getattr(item.op, name)
                if first.setdefault((item.word, name), value) != value:
                    found.add((item.word, name))
    return found


def template(item: Item, varying: set[tuple[str, str]]) -> Template:
    """A statement with its numbers apart, and those in it."""
    made = Template(item.kind, item.word, item=item, options=item.options, bars=item.bars)
    if item.op is not None:
        _split(made, item, varying)
    made.paths = [lines(path, varying) for path in item.paths]
    made.labeled = item.labeled or bool(item.output)
    if item.output or item.label:
        made.pin = id(item)
    made.back = tuple([item.at - target.at for target in item.targets])
    if item.arriving is not None and item.arriving.shape:
        made.channels = (item.arriving.shape[0],)
    inside = [each.extent for path in made.paths for line in path for each in line]
    made.extent = Extent(
        item.at,
        max([item.at, *[each.last for each in inside]]),
        min([*[target.at for target in item.targets], *[each.low for each in inside], 1 << 60]),
        max([-1, *[max(each.high, each.own) for each in inside]]),
        item.read,
    )
    return made


def numbered(body: Body) -> None:
    """Numbers the statements, so that references are distances."""
    number = 0
    stack = list(reversed(body))
    while stack:
        item = stack.pop()
        item.at, item.read = number, -1
        number += 1
        for path in reversed(item.paths):
            stack.extend(reversed(path))
        for target in item.targets:
            target.read = number


def is_closed(body: Lines) -> bool:
    """Whether nothing in it refers to what is outside, nor the other way round, but for the label
    of its last statement.
    """
    extents = [each.extent for line in body for each in line]
    first, last = extents[0].first, extents[-1].last
    return all(each.low >= first and each.high <= last for each in extents) and all(
        each.own <= last for each in extents[:-1]
    )


def _split(made: Template, item: Item, varying: set[tuple[str, str]]) -> None:
    """Divides the arguments of a layer into numbers and others."""
    op: Any = item.op
    written = writing(op.word)
    flags: list[str] = []
    rest: list[tuple[str, Any]] = []
    for name, declared in op.fields.items():
        value = getattr(op, name)
        said = name in item.common
        if said and value == item.common[name]:
            continue
        if _is_number(value):
            sized = name in written.sized
            usual = declared.default if not said else None
            if declared.per_axis and isinstance(usual, tuple):
                usual = (usual[0],) * len(value)  # for any number of axes
            columns = made.columns if (item.word, name) in varying else made.fixed
            columns.append(
                Column(
                    name,
                    (value,),
                    usual,
                    _show(declared, sized),
                    family=name,
                    rigid=not isinstance(value, int),
                )
            )
            continue
        rest.append((name, value))
        if declared.is_flag:
            if value:
                flags.append(name)
        elif said or not declared.is_usual(value):
            text = shown(declared, value, False)
            flags.append(text if name in written.plain else f"{name}={text}")
    made.plain = written.plain
    made.flags = tuple(flags)
    made.key = tuple(rest)


def _show(declared: Field, sized: bool) -> Callable[[Any], str]:
    return lambda value: shown(declared, value, sized)


def _is_number(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(type(each) is int for each in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_round(body: Lines) -> bool:
    """Whether nothing outside refers to any of it."""
    extents = body[-1][-1].extent
    return is_closed(body) and extents.own <= extents.last


def without_label(line: Line) -> Line:
    """A line without the label of its last statement."""
    last = line[-1]
    if not last.labeled or last.pin:
        return line
    return [*line[:-1], replace(last, labeled=False, **ANEW)]


def joined(body: Lines) -> Extent:
    """The extent of statements that follow one another."""
    extents = [each.extent for line in body for each in line]
    return Extent(
        extents[0].first,
        extents[-1].last,
        min([each.low for each in extents]),
        max([*[each.high for each in extents], *[each.own for each in extents[:-1]]]),
        extents[-1].own,
    )


def raw_lines(body: Body) -> Lines:
    """The statements of a network on their lines."""
    numbered(body)
    return _parted(lines(body, varying(body)))


def _parted(raw: Lines) -> Lines:
    """With the activation behind a form on a line of its own where the same form stands alone more
    often.
    """
    shapes = Shapes()
    alone: Counter[int] = Counter()
    for line in walk(raw):
        if line[0].kind == "form":
            alone[shapes.of(line[0])] += 1 if len(line) == 1 else -1

    def parted(body: Lines) -> Lines:
        result: Lines = []
        for line in body:
            for each in line:
                if each.paths:
                    each.paths = [parted(path) for path in each.paths]
            apart = len(line) > 1 and line[0].kind == "form" and alone[shapes.of(line[0])] > 0
            result += [[line[0]], line[1:]] if apart else [line]
        return result

    raw = parted(raw)
    for line in walk(raw):
        for each in line:
            each.shape, each.bare, each.size = -1, -1, 0
    return raw


def lines(body: Body, varying: set[tuple[str, str]]) -> Lines:
    """The statements of a body on their lines."""
    kinds = [
        item.op.kind if item.op is not None and item.kind != "form" else item.kind for item in body
    ]
    norm_first = bool(kinds) and kinds[0] == "norm"
    result: Lines = []
    for index, item in enumerate(body):
        made = template(item, varying)
        kind, before = kinds[index], kinds[index - 1] if index else ""
        joins = bool(result) and before not in ("from", "side")
        joins = joins and not result[-1][-1].labeled  # which of them would have the label?
        if kind == "norm":
            joins = joins and not norm_first
            joins = joins and before not in ("input", "pool", "activation", "form")
        elif kind in TRAILING:
            apart = ("input", "pool", "form") if kind == "dropout" else ("input", "pool")
            joins = joins and before not in apart
        elif kind == "shape":
            joins = joins and before == "pool" and "global" in result[-1][-1].flags
        else:
            joins = joins and norm_first and kind != "pool" and all(map(_trails, result[-1]))
        if joins:
            result[-1].append(made)
        else:
            result.append([made])
    return result


def _trails(each: Template) -> bool:
    op = each.item.op if each.item is not None else None
    return op is not None and op.kind in TRAILING


# ---- equal shapes -------------------------------------------------------------------------------


class Shapes:
    """Numbers for shapes: statements of one number differ in their numbers alone."""

    def __init__(self) -> None:
        self.known: dict[Hashable, int] = {}

    def number(self, key: Hashable) -> int:
        return self.known.setdefault(key, len(self.known))

    def of(self, each: Template) -> int:
        if each.shape < 0:
            inside = tuple([self.of_lines(path) for path in each.paths])
            columns = tuple(
                [(each.name, each.form, each.index, each.step, each.once) for each in each.columns]
            )
            block = id(each.block) if each.block is not None else 0
            rounds = tuple([exact(line, self) for part in each.rounds for line in part])
            references = (each.pin, each.back, each.labeled)
            own = (
                each.kind,
                each.word,
                each.guarded,
                references,
                each.key,
                each.options,
                each.bars,
                each.first,
            )
            each.shape = self.number((own, block, columns, inside, rounds))
        return each.shape

    def of_line(self, line: Line) -> int:
        if len(line) == 1:
            return self.of(line[0])
        return self.number(("line", *map(self.of, line)))

    def without_label(self, line: Line) -> int:
        """The shape of a line whose last statement may have a label: that of a call can have it."""
        last = line[-1]
        if not last.labeled or last.pin:
            return self.of_line(line)
        if last.bare < 0:
            last.bare = self.of_line(without_label(line))
        return last.bare

    def of_lines(self, body: Lines) -> int:
        return self.number(("body", *map(self.of_line, body)))


def all_columns(body: Lines) -> list[Column]:
    """The numbers of all statements, in the order written."""
    found: list[Column] = []

    def collect(lines: Lines) -> None:
        for line in lines:
            for each in line:
                found.extend(each.columns)
                if each.kind != "for":
                    for path in each.paths:
                        collect(path)

    collect(body)
    return found


def first_columns(body: Lines) -> frozenset[int]:
    """The numbers of statements at which arrives what arrives at the body, by their ids."""
    found: set[int] = set()

    def collect(lines: Lines) -> None:
        if not lines:
            return
        first = lines[0][0]
        if first.kind == "let":
            collect(lines[1:])
        elif first.kind in ("layer", "call"):
            found.update(map(id, first.columns))
        elif first.kind == "form":
            for path in first.paths:
                collect(path)

    collect(body)
    return frozenset(found)


def exact(line: Line, shapes: Shapes) -> Hashable:
    """Equal for lines that say the same."""
    return shapes.of_line(line), *[column.values for column in all_columns([line])]


def overlay(parts: Sequence[Template]) -> Template:
    """Statements of one shape, laid over each other."""
    first = parts[0]
    made = replace(first, columns=[], paths=[])
    for index, column in enumerate(first.columns):
        values = tuple([value for part in parts for value in part.columns[index].values])
        made.columns.append(replace(column, values=values))
    if first.kind != "for":
        for index in range(len(first.paths)):
            made.paths.append(overlay_lines([part.paths[index] for part in parts]))
    else:
        made.paths = first.paths
    made.channels = tuple([count for part in parts for count in part.channels])
    made.instances = tuple([instance for part in parts for instance in part.instances])
    return made


def overlay_lines(bodies: Sequence[Lines]) -> Lines:
    return [
        [overlay([body[at][index] for body in bodies]) for index in range(len(line))]
        for at, line in enumerate(bodies[0])
    ]


def walk(body: Lines) -> Iterator[Line]:
    """All lines, those inside before those around them."""
    for line in body:
        for each in line:
            for path in each.paths:
                yield from walk(path)
        yield line


LINE = 3
"""Words that a line counts for, beside its own."""


def words(line: Line) -> int:
    """About how many words a line has; those in it count with their lines."""
    return sum(map(words_of, line))


def words_of(each: Template) -> int:
    if not each.size:
        total = 1 + len(each.flags) + len(each.options)
        for column in (*each.columns, *each.fixed):
            total += column.name in each.plain or any(v != column.usual for v in column.values)
        for path in each.paths:
            total += path_size(path) + each.bars * LINE
        each.size = total
    return each.size


def path_size(path: Lines) -> int:
    """The size of what stands in braces, or behind a bar."""
    if len(path) < 2:
        return 1 + sum(map(words, path))
    return LINE + sum([words(line) + LINE for line in path])
