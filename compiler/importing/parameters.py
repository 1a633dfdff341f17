"""Numbers that differ become parameters: those that always agree are one, and one that is always
the same multiple of another is written so, `4*width`. Names are those of the field.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from ..language.signature import REQUIRED
from .progressions import written
from .template import Column, Values

NAMES = {"out": "width", "count": "depth", "p": "dropout", "channels": "part"}
"""What a parameter is called after the argument that it sets; others have the argument's name."""
MANY = 5
"""So many different values that agree are one parameter."""


class Expression(NamedTuple):
    """What stands in the place of a number."""

    text: str
    value: Any = None
    """If it is the same in all places."""
    literal: bool = False


class Parameter(NamedTuple):
    name: str
    values: Values
    show: Callable[[Any], str]
    family: str
    rigid: bool
    default: Any = None


class Solved(NamedTuple):
    parameters: list[Parameter]
    expressions: list[Expression]
    """For each column."""
    lets: tuple[str, ...] = ()
    """Names for multiples of the channels that arrive: `let wide = 6*channels`."""


class Arriving(NamedTuple):
    """How many channels arrive at a part, each time."""

    channels: Values = ()
    first: frozenset[int] = frozenset()
    """The columns, by their ids, where as many still arrive."""


class _Group:
    """Columns that always agree."""

    def __init__(self, column: Column) -> None:
        self.columns = [column]
        self.values = column.values
        self.family = column.family
        self.rigid = column.rigid
        self.base: tuple[_Group, int, int] = (self, 1, 1)
        self.alone = True
        """Whether no other one is a multiple of it."""


def literal(column: Column) -> Expression:
    value = column.values[0]
    if column.once and value == column.usual:
        return Expression(column.show(value), value, True)
    return Expression(written(column, column.show(value)), value, not column.index)


NOTHING = Arriving()


def solve(
    columns: Sequence[Column],
    taken: Sequence[str] = (),
    arriving: Arriving = NOTHING,
    *,
    defaults: bool = False,
) -> Solved:
    """Parameters and expressions for columns of numbers; `taken` are names that are something
    else. With `defaults`, what is mostly left out has one.
    """
    groups: dict[tuple[str, Hashable], _Group] = {}
    for column in columns:
        if _varies(column):
            key = _key(column)
            if key in groups:
                groups[key].columns.append(column)
            else:
                groups[key] = _Group(column)
    bases = _bases(list(groups.values()), arriving.channels)
    relative = _all_relative(bases, arriving)
    given = [
        _Group(Column("expand", each.values, family="expand")) if each.values else base
        for base, each in zip(bases, relative, strict=True)
        if not each.text
    ]
    parameters = iter(_named(given, taken, defaults))
    ordered: list[Parameter] = []
    names: dict[int, str] = {}
    lets: list[str] = []
    used = {*taken}
    for each in relative:
        if not each.text:
            ordered.append(next(parameters))
            used.add(ordered[-1].name)
    parameters = iter(ordered)
    for base, each in zip(bases, relative, strict=True):
        own = None if each.text else next(parameters)
        if not each.text and not each.values:
            assert own is not None
            names[id(base)] = own.name
            continue
        text = each.text or f"{own.name if own is not None else ''}*channels"
        single = [
            column for column in columns if groups.get((column.family, column.values)) is base
        ]
        if len(single) == 1 and id(single[0]) in arriving.first and base.alone:
            names[id(base)] = text
            continue
        wide = each.text.partition("//")[2] == ""
        same = "width" if text == "channels" else "wide"
        name = _unused(same if wide else "narrow", used)
        lets.append(f"let {name} = {text}")
        names[id(base)] = name
    expressions: list[Expression] = []
    for column in columns:
        if not _varies(column):
            expressions.append(literal(column))
            continue
        group = groups[_key(column)]
        base, times, over = group.base
        name = names[id(base)]
        text = f"{times}*{name}" if times > 1 else f"{name}//{over}" if over > 1 else name
        expressions.append(Expression(written(column, text)))
    order = sorted(ordered, key=lambda each: each.default is not None)
    return Solved(order, expressions, tuple(lets))


def _key(column: Column) -> tuple[str, Hashable]:
    """Equal for numbers that are one parameter: those of one family that always agree, and others
    that agree too often for it to be chance.
    """
    shown = tuple([column.show(value) for value in column.values])
    agree = len({*shown}) >= MANY and column.family != "out" and not column.index
    return ("", shown) if agree else (column.family, column.values)


def _all_relative(bases: Sequence[_Group], arriving: Arriving) -> list[_Relative]:
    """A block whose only width is that of what arrives has it as a parameter all the same, unless
    it is written in one place.
    """
    found = [_relative(base, arriving.channels) for base in bases]
    widths = [base.family == "out" for base in bases]
    if any(
        wide and not each.text and not each.values for wide, each in zip(widths, found, strict=True)
    ):
        return found
    return [
        each if _is_inline(base, arriving) else _Relative()
        for base, each in zip(bases, found, strict=True)
    ]


def _is_inline(base: _Group, arriving: Arriving) -> bool:
    return len(base.columns) == 1 and id(base.columns[0]) in arriving.first and base.alone


class _Relative(NamedTuple):
    """How a number is said by the channels that arrive."""

    text: str = ""
    """If it is always the same multiple of them."""
    values: Values = ()
    """Otherwise, how many times as large it is."""


def _relative(base: _Group, channels: Values) -> _Relative:
    if base.family != "out" or len(channels) != len(base.values) or len(channels) < 3:
        return _Relative()
    if any(type(each) is not int or each < 1 for each in (*base.values, *channels)):
        return _Relative()
    pairs = list(zip(base.values, channels, strict=True))
    times, over = pairs[0][0] // pairs[0][1], pairs[0][1] // pairs[0][0]
    if times and all(own == times * count for own, count in pairs):
        return _Relative(f"{times}*channels" if times > 1 else "channels")
    if over and all(own * over == count for own, count in pairs):
        return _Relative(f"channels//{over}")
    if all(own % count == 0 for own, count in pairs):
        values = tuple([own // count for own, count in pairs])
        if 2 * len({*values}) <= len({*base.values}):
            return _Relative("", values)
    return _Relative()


def _varies(column: Column) -> bool:
    return any(value != column.values[0] for value in column.values[1:])


def _bases(groups: list[_Group], channels: Values) -> list[_Group]:
    """Groups that no other one is a multiple of; of each other one, its base and the factor."""
    bases: list[_Group] = []
    for group in sorted(groups, key=lambda each: (-len(each.columns), each.values != channels)):
        for base in bases:
            factor = _factor(base, group)
            if factor is not None:
                group.base = (base, *factor)
                base.alone = False
                break
        else:
            bases.append(group)
    order = {id(group): index for index, group in enumerate(groups)}
    return sorted(bases, key=lambda group: order[id(group)])


def _factor(base: _Group, group: _Group) -> tuple[int, int] | None:
    """(k, 1) if it is k times the base, (1, k) if the base is k times it."""
    if base.family != group.family or base.rigid or group.rigid:
        return None
    one, other = base.values[0], group.values[0]
    if not one or not other:
        return None
    for times, over in ((other // one, 1), (1, one // other)):
        pairs = zip(base.values, group.values, strict=True)
        if (
            times >= 1
            and over >= 1
            and all(b == a * times // over and a * times % over == 0 for a, b in pairs)
        ):
            return times, over
    return None


def _named(bases: Sequence[_Group], taken: Sequence[str], defaults: bool) -> list[Parameter]:
    used = set(taken)
    widths = [base for base in bases if base.family == "out"]
    parameters: list[Parameter] = []
    for base in bases:
        hints = [column.hint for column in base.columns if column.hint]
        name = hints[0] if hints and base.family == "out" and len(widths) > 1 else ""
        if not name and len(widths) == 2 and base.family == "out":
            first = sum(widths[0].values) < sum(widths[1].values)
            name = ("narrow" if base is widths[0] else "wide") if first else ""
        name = _unused(name or NAMES.get(base.family, base.family), used)
        usual = base.columns[0].usual
        default = None
        if defaults and usual is not None and usual is not REQUIRED and usual in base.values:
            default = usual
        shower = base.columns[0].show
        parameters.append(Parameter(name, base.values, shower, base.family, base.rigid, default))
    return parameters


def _unused(name: str, used: set[str]) -> str:
    number, plain = 2, name
    while name in used:
        name, number = f"{plain}{number}", number + 1
    used.add(name)
    return name
