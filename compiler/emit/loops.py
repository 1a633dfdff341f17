"""Loops as frames: rounds that repeat are said once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from .frame import UNKNOWN, Frame, Item, Run, Value, Way, leaf_count, same

SEQUENTIAL = "nn.Sequential"
MODULE_LIST = "nn.ModuleList"

Round = tuple[Frame, tuple[Value, ...]]
"""How one round of a loop is made."""

_LISTED = 4
"""So many rounds that differ in one value are a loop over the values; fewer are written out."""


def loop(rounds: Sequence[Round], chain: bool) -> tuple[Frame, tuple[Value, ...]]:
    """Rounds, one after the other, as short as they can be said."""
    items: list[Item] = []
    leaves: list[Value] = []
    for frame, group in groupby(rounds, key=lambda each: each[0]):
        alike = _Alike([own for _, own in group])
        position = 0
        while position < len(alike.found):
            length, ways = alike.longest(position)
            if length == 1:
                items.append(frame)
                leaves += alike.found[position]
            else:
                items.append(Run(frame, ways))
                leaves += _leaves(alike.found[position : position + length], ways)
            position += length
    if chain:
        return Frame(SEQUENTIAL, tuple(items)), tuple(leaves)
    return Frame(MODULE_LIST, (Frame("", tuple(items)),)), tuple(leaves)


def apart(
    loops: Sequence[Sequence[Round]],
) -> tuple[Frame, list[tuple[Value, ...]]] | None:
    """One frame for short loops of the same length: each round written out."""
    kinds = {tuple([frame for frame, _ in rounds]) for rounds in loops}
    frames = kinds.pop()
    if kinds or len(frames) >= _LISTED:
        return None
    leaves = [tuple([leaf for _, own in rounds for leaf in own]) for rounds in loops]
    return Frame(SEQUENTIAL, frames), leaves


def repeated(
    loops: Sequence[Sequence[Round]],
) -> tuple[Frame, list[tuple[Value, ...]]] | None:
    """One frame for loops that go round a different number of times, where there is one: all rounds
    alike, or the first of its own kind and the others alike."""
    frames = {frame for rounds in loops for frame, _ in rounds}
    if len(frames) != 1:
        return None
    (frame,) = frames
    ways = [_repeated(frame, loops, alone) for alone in (0, 1)]
    said = [way for way in ways if way is not None]
    return min(said, key=lambda way: _effort(way[0]), default=None)


def _effort(frame: Frame) -> int:
    """What it takes to understand: rounds that are all alike, that grow, that are listed."""
    ways = [way for item in frame.items if isinstance(item, Run) for way in item.ways]
    return 2 if "listed" in ways else int("grows" in ways)


def _repeated(
    frame: Frame, loops: Sequence[Sequence[Round]], alone: int
) -> tuple[Frame, list[tuple[Value, ...]]] | None:
    rests = [[own for _, own in rounds[alone:]] for rounds in loops]
    ways = _ways(rests, leaf_count(frame))
    if ways is None:
        return None
    missing = (UNKNOWN,) * leaf_count(frame)
    leaves = []
    for rounds, rest in zip(loops, rests, strict=True):
        first = (rounds[0][1] if rounds else missing) if alone else ()
        leaves.append((*first, *_leaves(rest, ways)))
    return Frame(SEQUENTIAL, (*[frame] * alone, Run(frame, ways))), leaves


class _Alike:
    """Rounds of one frame, one after the other: the leaves of each."""

    def __init__(self, found: Sequence[tuple[Value, ...]]) -> None:
        self.found = found
        self.width = len(found[0])
        self.changes = [0] * self.width
        """Of each leaf, the last round in which it is not what it was before."""
        self.breaks = [1] * self.width
        """The last round in which it is not what growth would make it."""
        for number in range(1, len(found)):
            for place in range(self.width):
                column = [own[place] for own in found[max(0, number - 2) : number + 1]]
                if not same(column[-1], column[-2]):
                    self.changes[place] = number
                if number > 1 and not _grows(column):
                    self.breaks[place] = number

    def longest(self, start: int) -> tuple[int, tuple[Way, ...]]:
        """How many rounds from here on are one run, and in which way."""
        rest = len(self.found) - start
        if rest == 1:
            return 1, ()
        second = _ways([self.found[start : start + 2]], self.width)
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
            same(value, _grown(one, two, number) if way == "grows" else one)
            for one, two, value, way in zip(first, second, here, ways, strict=True)
        )

    def way(self, place: int, start: int) -> Way:
        """How a leaf is from a round to the last."""
        if self.changes[place] <= start:
            return "same"
        return "grows" if self.breaks[place] <= start + 1 else "listed"


def _ways(loops: Sequence[Sequence[tuple[Value, ...]]], width: int) -> tuple[Way, ...] | None:
    """How each leaf is from round to round, the same way in all loops; None where that is in too
    many ways for one comprehension."""
    ways: list[Way] = []
    for place in range(width):
        columns = [[own[place] for own in rounds] for rounds in loops if rounds]
        if all(same(value, column[0]) for column in columns for value in column):
            ways.append("same")
        elif all(map(_grows, columns)):
            ways.append("grows")
        else:
            ways.append("listed")
    return _sayable(ways)


def _sayable(ways: Sequence[Way]) -> tuple[Way, ...] | None:
    if ways.count("listed") > 1 or ("listed" in ways and "grows" in ways):
        return None
    return tuple(ways)


def _grows(column: Sequence[Value]) -> bool:
    if any(type(value) is not int for value in column):
        return False
    return all(
        value == _grown(column[0], column[1], number)
        for number, value in enumerate(column)
        if number
    )


def _grown(first: Value, second: Value, number: int) -> Value:
    return first + number * (second - first)  # type: ignore[operator]


def _leaves(rounds: Sequence[tuple[Value, ...]], ways: tuple[Way, ...]) -> list[Value]:
    """The leaves of a run."""
    listed = "listed" in ways
    leaves: list[Value] = [] if listed else [len(rounds)]
    for place, way in enumerate(ways):
        column = [own[place] for own in rounds]
        if way == "listed":
            leaves.append(column)
        else:
            leaves.append(column[0] if column else UNKNOWN)
        if way == "grows":
            several = len(column) > 1
            leaves.append(column[1] - column[0] if several else UNKNOWN)  # type: ignore[operator]
    return leaves
