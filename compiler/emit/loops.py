"""Loops as frames: rounds that repeat are said once."""

from __future__ import annotations

from collections.abc import Sequence

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
    position = 0
    while position < len(rounds):
        length, ways = _longest(rounds, position)
        frame, first = rounds[position]
        if length == 1:
            items.append(frame)
            leaves += first
        else:
            items.append(Run(frame, ways))
            leaves += _leaves([own for _, own in rounds[position : position + length]], ways)
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


def _longest(rounds: Sequence[Round], start: int) -> tuple[int, tuple[Way, ...]]:
    """How many rounds from here on are one run, and in which way."""
    frame = rounds[start][0]
    end = start
    while end < len(rounds) and rounds[end][0] == frame:
        end += 1
    found = [own for _, own in rounds[start:end]]
    if len(found) == 1:
        return 1, ()
    second = _ways([found[:2]], leaf_count(frame))
    if second is not None and "listed" not in second:
        length = 2
        while length < len(found) and _follows(found, length, second):
            length += 1
        if length > 2 or (length == 2 and "grows" not in second):
            return length, second
    whole = _ways([found], leaf_count(frame))
    if whole is not None and len(found) >= _LISTED:
        return len(found), whole
    return 1, ()


def _follows(found: Sequence[tuple[Value, ...]], number: int, ways: tuple[Way, ...]) -> bool:
    """Whether a round goes on as the first two began."""
    return all(
        same(here, _grown(first, second, number) if way == "grows" else first)
        for first, second, here, way in zip(found[0], found[1], found[number], ways, strict=True)
    )


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
