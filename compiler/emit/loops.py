"""Loops as frames: rounds that repeat are said once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from .frame import INDEX, Frame, Item, Run, Way
from .symbolic import (
    Constant,
    Named,
    Traced,
    code_of,
    difference,
    plain,
    replaced,
    same,
    traced,
)

SEQUENTIAL = "nn.Sequential"
MODULE_LIST = "nn.ModuleList"

Round = tuple[Frame, tuple[Any, ...]]
"""How one round of a loop is made."""

_LISTED = 4
"""So many rounds that differ in one value are a loop over the values; fewer are written out."""


def loop(rounds: Sequence[Round], count: Any, chain: bool) -> tuple[Frame, tuple[Any, ...]]:
    """Rounds, one after the other, as short as they can be said. `count` is how many they are,
    which the spec may compute."""
    items: list[Item] = []
    leaves: list[Any] = []
    whole = _counted(rounds, count) if isinstance(count, Traced) else None
    if whole is not None:
        items, leaves = whole
    else:
        done = 0
        for frame, group in groupby(rounds, key=lambda each: each[0]):
            alike = _Alike([own for _, own in group])
            position = 0
            while position < len(alike.found):
                length, ways = alike.longest(position)
                run = alike.found[position : position + length]
                if length == 1:
                    items.append(frame)
                    leaves += _in_round(run[0], done + position)
                else:
                    items.append(Run(frame, ways, done + position if _counts(run[0]) else 0))
                    leaves += _leaves(run, ways, length)
                position += length
            done += len(alike.found)
    if chain:
        return Frame(SEQUENTIAL, tuple(items)), tuple(leaves)
    return Frame(MODULE_LIST, (Frame("", tuple(items)),)), tuple(leaves)


def _counted(rounds: Sequence[Round], count: Any) -> tuple[list[Item], list[Any]] | None:
    """Any number of rounds: all alike, growing, or the first of its own kind."""
    if not rounds or len({frame for frame, _ in rounds}) > 1:
        return None
    frame = rounds[0][0]
    found = [own for _, own in rounds]
    ways = _ways(found)
    if ways is not None and "listed" not in ways and (len(rounds) != 2 or "grows" not in ways):
        return [Run(frame, ways)], _leaves(found, ways, count)
    rest = _ways(found[1:])
    if rest is not None and set(rest) <= {"same"}:
        run = Run(frame, rest, int(_counts(found[1])))
        return [frame, run], [*_in_round(found[0], 0), *_leaves(found[1:], rest, count - 1)]
    return None


def _counts(values: tuple[Any, ...]) -> bool:
    """Whether values are computed from the number of their round."""
    return any(isinstance(value, Traced) and INDEX in value.code.names() for value in values)


def _in_round(values: tuple[Any, ...], number: int) -> list[Any]:
    """Values in a round that stands by itself, whose number is known."""
    by = {Named(INDEX): Constant(number)}
    return [
        traced(plain(value), replaced(value.code, by))
        if isinstance(value, Traced) and INDEX in value.code.names()
        else value
        for value in values
    ]


class _Alike:
    """Rounds of one frame, one after the other: the leaves of each."""

    def __init__(self, found: Sequence[tuple[Any, ...]]) -> None:
        self.found = found
        self.width = len(found[0])
        self.changes = [0] * self.width
        """Of each leaf, the last round in which it is not what it was before."""
        self.breaks = [1] * self.width
        """The last round in which it is not what growth would make it."""
        for number in range(1, len(found)):
            for place in range(self.width):
                column = [own[place] for own in found[max(0, number - 2) : number + 1]]
                if not _equal(column[-1], column[-2]):
                    self.changes[place] = number
                if number > 1 and not _grows(column):
                    self.breaks[place] = number

    def longest(self, start: int) -> tuple[int, tuple[Way, ...]]:
        """How many rounds from here on are one run, and in which way."""
        rest = len(self.found) - start
        if rest == 1:
            return 1, ()
        second = _ways(self.found[start : start + 2])
        if second is not None and "listed" not in second:
            length = 2
            while length < rest and self.follows(start, length, second):
                length += 1
            if length > 2 or (length == 2 and "grows" not in second):
                return length, second
        whole = _sayable([self.way(place, start) for place in range(self.width)])
        if whole is not None and rest >= _LISTED:
            return rest, whole
        return 1, ()

    def follows(self, start: int, number: int, ways: tuple[Way, ...]) -> bool:
        """Whether a round goes on as the first two began."""
        first, second, here = (self.found[start + n] for n in (0, 1, number))
        return all(
            _equal(value, _grown(one, two, number) if way == "grows" else one)
            for one, two, value, way in zip(first, second, here, ways, strict=True)
        )

    def way(self, place: int, start: int) -> Way:
        """How a leaf is from a round to the last."""
        if self.changes[place] <= start:
            return "same"
        return "grows" if self.breaks[place] <= start + 1 else "listed"


def _ways(rounds: Sequence[tuple[Any, ...]]) -> tuple[Way, ...] | None:
    """How each leaf is from round to round; None where that is in too many ways for one
    comprehension."""
    ways: list[Way] = []
    for column in zip(*rounds, strict=True):
        if all(_equal(value, column[0]) for value in column):
            ways.append("same")
        else:
            ways.append("grows" if _grows(column) else "listed")
    return _sayable(ways)


def _sayable(ways: Sequence[Way]) -> tuple[Way, ...] | None:
    if ways.count("listed") > 1 or ("listed" in ways and "grows" in ways):
        return None
    return tuple(ways)


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, Traced) or isinstance(two, Traced):
        return same(code_of(one), code_of(two))
    return type(one) is type(two) and bool(one == two)


def _grows(column: Sequence[Any]) -> bool:
    if any(not isinstance(value, int) or isinstance(value, bool) for value in column):
        return False
    return all(
        _equal(value, _grown(column[0], column[1], number))
        for number, value in enumerate(column)
        if number
    )


def _growth(first: Any, second: Any) -> Any:
    return traced(plain(second) - plain(first), difference(code_of(first), code_of(second)))


def _grown(first: Any, second: Any, number: int) -> Any:
    return first + number * _growth(first, second)


def _leaves(rounds: Sequence[tuple[Any, ...]], ways: tuple[Way, ...], count: Any) -> list[Any]:
    """The leaves of a run."""
    leaves: list[Any] = [] if "listed" in ways else [count]
    for column, way in zip(zip(*rounds, strict=True), ways, strict=True):
        leaves.append(list(column) if way == "listed" else column[0])
        if way == "grows":
            leaves.append(_growth(column[0], column[1]))
    return leaves
