"""Loops of a spec as comprehensions: rounds that repeat are written once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .code import (
    INDEX,
    VALUE,
    Call,
    Callee,
    Code,
    Constant,
    Leaf,
    Loop,
    Named,
    Operation,
    as_sum,
    frame,
    from_sum,
    function,
    leaves,
    operation,
    plus,
    replaced,
    same,
    with_leaves,
)

_LISTED = 4
"""So many rounds that differ in one value are a loop over the values; fewer are written out."""

Values = list[Code]
"""What the modules of one round are made with."""


def loop(rounds: Sequence[Code], count: Code) -> Code:
    """Rounds, one after the other, as short as they can be said. `count` is how many they are,
    which the spec may compute."""
    items = None if isinstance(count, Constant) else _counted(rounds, count)
    if items is None:
        items = []
        for _, group in groupby(rounds, key=frame):
            items += _Alike([*group], len(items)).items()
    return _call("nn.Sequential", items)


def _call(name: str, items: Sequence[Code]) -> Code:
    return Call(Callee(name, (Leaf(),) * len(items)), *items)


def _values(code: Code) -> Values:
    return [part for _, part in leaves(code)]


def _counted(rounds: Sequence[Code], count: Code) -> list[Code] | None:
    """Any number of rounds: all alike, growing, or the first of its own kind."""
    if len({*map(frame, rounds)}) != 1:
        return None
    found = [*map(_values, rounds)]
    whole = _formula(found)
    if whole is not None and (len(rounds) != 2 or whole == found[0]):
        return [_run(rounds[0], whole, 0, count)]
    rest = _formula(found[1:]) if len(rounds) > 1 else None
    if rest is not None and rest == found[1]:
        start = 1 if _counts(rest) else 0
        rounds_left = operation("-", count, Constant(1))
        return [_alone(rounds[0], 0), _run(rounds[1], rest, start, rounds_left)]
    return None


def _counts(values: Values) -> bool:
    """Whether values are computed from the number of their round."""
    return any(INDEX in value.names() for value in values)


def _alone(code: Code, number: int) -> Code:
    """A round that stands by itself, whose number is known."""
    return replaced(code, {Named(INDEX): Constant(number)})


def _run(code: Code, values: Values, start: int, count: Code) -> Code:
    """`*[… for i in range(count)]`; the first round is number `start`."""
    element = with_leaves(code, iter(values))
    counts = INDEX in element.names()
    source = function("range", count)
    if start and counts:
        source = function("range", Constant(start), operation("+", count, Constant(start)))
    return Loop(INDEX if counts else "_", element, source)


def _formula(found: Sequence[Values]) -> Values | None:
    """Expressions for the values of all rounds, by their number; None where there are none."""
    whole = [_grown(column) for column in zip(*found, strict=True)]
    return None if None in whole else whole  # type: ignore[return-value]


def _grown(column: Sequence[Code], start: int = 0) -> Code | None:
    """What stays the same, or grows evenly: `64 + 32 * i`."""
    first = as_sum(column[0])
    growth = plus(as_sum(column[1]), first, -1) if len(column) > 1 else {}
    if not growth:
        return column[0] if all(same(column[0], code) for code in column) else None
    if any(isinstance(factor, Constant) for product in growth for factor in product):
        return None  # only whole numbers grow
    if len(growth) >= len(first) + len(as_sum(column[1])) and first:
        return None  # nothing cancels: these have nothing to do with one another
    for number, code in enumerate(column):
        if as_sum(code) != plus(first, growth, number):
            return None
    by = from_sum(growth)
    base = from_sum(plus(first, growth, -start)) if start else column[0]
    if isinstance(by, Constant) and by.own < 0:
        return Operation("-", base, operation("*", Constant(-by.own), Named(INDEX)))
    times = operation("*", by, Named(INDEX))
    return times if base == Constant(0) else Operation("+", base, times)


class _Alike:
    """Rounds of one frame, one after the other."""

    def __init__(self, rounds: Sequence[Code], number: int) -> None:
        self.rounds = rounds
        self.number = number
        """Of the first of them."""
        self.found = [*map(_values, rounds)]
        self.changes = [0] * len(self.found[0])
        """Of each value, the last round in which it is not what it was before."""
        for at in range(1, len(rounds)):
            for place, (one, two) in enumerate(zip(*self.found[at - 1 : at + 1], strict=True)):
                if not same(one, two):
                    self.changes[place] = at

    def items(self) -> list[Code]:
        items: list[Code] = []
        at = 0
        while at < len(self.rounds):
            length, item = self.longest(at)
            items.append(item)
            at += length
        return items

    def longest(self, at: int) -> tuple[int, Code]:
        """As many rounds from here on as are one comprehension."""
        first, rest = self.rounds[at], len(self.rounds) - at
        number = self.number + at
        length = min(rest, 2)
        if rest > 1 and _formula(self.found[at : at + 2]) is not None:
            while length < rest and self.follows(at, length):
                length += 1
            found = self.found[at : at + length]
            whole = _formula(found)
            assert whole is not None
            if length > 2 or whole == found[0]:
                start = number if _counts(found[0]) else 0
                columns = zip(*found, strict=True)
                shifted = [_grown(column[:2], start) for column in columns] if start else whole
                return length, _run(first, shifted, start, Constant(length))  # type: ignore[arg-type]
        changing = [place for place, last in enumerate(self.changes) if last > at]
        if rest >= _LISTED and len(changing) == 1 and not _counts(self.found[at]):
            return rest, self.listed(at, changing[0])
        return 1, _alone(first, number)

    def follows(self, at: int, number: int) -> bool:
        """Whether a round goes on as the first two began."""
        first, second, here = (self.found[at + n] for n in (0, 1, number))
        return all(
            as_sum(value) == plus(as_sum(one), plus(as_sum(two), as_sum(one), -1), number)
            for one, two, value in zip(first, second, here, strict=True)
        )

    def listed(self, at: int, place: int) -> Code:
        """`*[… for width in [64, 128, …]]`."""
        column = [values[place] for values in self.found[at:]]
        leaf = [leaf for leaf, _ in leaves(self.rounds[at])][place]
        others = [value for n, value in enumerate(self.found[at]) if n != place]
        name = leaf.name or VALUE
        if any(name in value.names() for value in others):
            name = VALUE
        values = [*self.found[at]]
        values[place] = Named(name)
        constants = [code.own for code in column if isinstance(code, Constant)]
        source = Constant(constants) if len(constants) == len(column) else _call("", column)
        return Loop(name, with_leaves(self.rounds[at], iter(values)), source)
