"""Loops of a spec as list comprehensions: iterations that repeat are written once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .code import (
    INDEX,
    NO_VALUE,
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
"""From this number on, iterations that differ in one value become a loop over the values."""

Arguments = list[Code]
"""The arguments of the modules of one iteration."""


def loop(rounds: Sequence[Code], count: Code, listed: bool = False) -> Code:
    """The iterations of a loop as an `nn.Sequential`, as short as possible; `listed`: as an
    `nn.ModuleList`. `count` is the number of iterations, which the spec may compute."""
    items = None if isinstance(count, Constant) else _of_any_count(rounds, count)
    if items is None:
        items = []
        for _, group in groupby(rounds, key=frame):
            items += _SameFrame([*group], len(items)).items()
    return _call("nn.ModuleList", [_call("", items)]) if listed else _call("nn.Sequential", items)


def _call(name: str, items: Sequence[Code]) -> Code:
    return Call(Callee(name, (Leaf(),) * len(items)), *items)


def _arguments(code: Code) -> Arguments:
    return [part for _, part in leaves(code)]


def _of_any_count(rounds: Sequence[Code], count: Code) -> list[Code] | None:
    """Code for any number of iterations: equal, growing evenly, or only the first different."""
    if len({*map(frame, rounds)}) != 1:
        return None
    arguments = [*map(_arguments, rounds)]
    formulas = _formulas(arguments)
    if formulas is not None and (len(rounds) != 2 or formulas == arguments[0]):
        return [_comprehension(rounds[0], formulas, 0, count)]
    rest = _formulas(arguments[1:]) if len(rounds) > 1 else None
    if rest is not None and rest == arguments[1]:
        start = 1 if _uses_index(rest) else 0
        rounds_left = operation("-", count, Constant(1))
        return [_single_round(rounds[0], 0), _comprehension(rounds[1], rest, start, rounds_left)]
    return None


def _uses_index(values: Arguments) -> bool:
    """Whether values depend on the loop index."""
    return any(INDEX in value.names() for value in values)


def _single_round(code: Code, number: int) -> Code:
    """A single iteration, with its index filled in."""
    return replaced(code, {Named(INDEX): Constant(number)})


def _comprehension(code: Code, values: Arguments, start: int, count: Code) -> Code:
    """`*[… for i in range(count)]`; the index of the first iteration is `start`."""
    element = with_leaves(code, (_constant(value, start, count) for value in values))
    counts = INDEX in element.names()
    source = function("range", count)
    if start and counts:
        source = function("range", Constant(start), operation("+", count, Constant(start)))
    return Loop(INDEX if counts else "_", element, source)


def _constant(value: Code, start: int, count: Code) -> Code:
    """The number that an expression over the loop index is in all iterations: 1 for
    `max(1, 2 - i)` from the second on."""
    if not isinstance(count, Constant) or value.names() != {INDEX}:
        return value
    try:
        found = [value.value({INDEX: start + n}) for n in range(count.content)]
    except NO_VALUE:
        return value
    return Constant(found[0]) if found and all(each == found[0] for each in found) else value


def _formulas(arguments: Sequence[Arguments]) -> Arguments | None:
    """Expressions over the loop index for the arguments of all iterations, if there are any."""
    formulas = [_linear(column) for column in zip(*arguments, strict=True)]
    return None if None in formulas else formulas  # type: ignore[return-value]


def _linear(column: Sequence[Code], start: int = 0) -> Code | None:
    """One expression for a value that stays the same or grows evenly: `64 + 32 * i`."""
    first = as_sum(column[0])
    growth = plus(as_sum(column[1]), first, -1) if len(column) > 1 else {}
    if not growth:
        return column[0] if all(same(column[0], code) for code in column) else None
    if any(isinstance(factor, Constant) for product in growth for factor in product):
        return None  # only formulas numbers grow
    if len(growth) >= len(first) + len(as_sum(column[1])) and first:
        return None  # nothing cancels: the expressions are unrelated
    for number, code in enumerate(column):
        if as_sum(code) != plus(first, growth, number):
            return None
    by = from_sum(growth)
    base = from_sum(plus(first, growth, -start)) if start else column[0]
    if isinstance(by, Constant) and by.content < 0:
        return Operation("-", base, operation("*", Constant(-by.content), Named(INDEX)))
    times = operation("*", by, Named(INDEX))
    return times if base == Constant(0) else Operation("+", base, times)


class _SameFrame:
    """Consecutive iterations that differ only in values."""

    def __init__(self, rounds: Sequence[Code], number: int) -> None:
        self.rounds = rounds
        self.number = number
        """The index of the first of them."""
        self.arguments = [*map(_arguments, rounds)]
        self.changes = [0] * len(self.arguments[0])
        """For each value, the last iteration in which it differs from the one before."""
        for at in range(1, len(rounds)):
            for place, (one, two) in enumerate(zip(*self.arguments[at - 1 : at + 1], strict=True)):
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
        """The longest comprehension from here on: its number of iterations, and its code."""
        first, rest = self.rounds[at], len(self.rounds) - at
        number = self.number + at
        length = min(rest, 2)
        if rest > 1 and _formulas(self.arguments[at : at + 2]) is not None:
            while length < rest and self.follows(at, length):
                length += 1
            arguments = self.arguments[at : at + length]
            formulas = _formulas(arguments)
            assert formulas is not None
            if length > 2 or formulas == arguments[0]:
                start = number if _uses_index(arguments[0]) else 0
                columns = zip(*arguments, strict=True)
                shifted = [_linear(column[:2], start) for column in columns] if start else formulas
                return length, _comprehension(first, shifted, start, Constant(length))  # type: ignore[arg-type]
        changing = [place for place, last in enumerate(self.changes) if last > at]
        if rest >= _LISTED and len(changing) == 1 and not _uses_index(self.arguments[at]):
            return rest, self.listed(at, changing[0])
        return 1, _single_round(first, number)

    def follows(self, at: int, number: int) -> bool:
        """Whether an iteration continues the progression of the first two."""
        first, second, here = (self.arguments[at + n] for n in (0, 1, number))
        return all(
            as_sum(value) == plus(as_sum(one), plus(as_sum(two), as_sum(one), -1), number)
            for one, two, value in zip(first, second, here, strict=True)
        )

    def listed(self, at: int, place: int) -> Code:
        """`*[… for width in [64, 128, …]]`."""
        column = [values[place] for values in self.arguments[at:]]
        leaf = [leaf for leaf, _ in leaves(self.rounds[at])][place]
        others = [value for n, value in enumerate(self.arguments[at]) if n != place]
        name = leaf.name or VALUE
        if any(name in value.names() for value in others):
            name = VALUE
        values = [*self.arguments[at]]
        values[place] = Named(name)
        constants = [code.content for code in column if isinstance(code, Constant)]
        source = Constant(constants) if len(constants) == len(column) else _call("", column)
        return Loop(name, with_leaves(self.rounds[at], iter(values)), source)
