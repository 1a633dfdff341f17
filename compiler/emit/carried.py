"""How the rounds of a loop pass several values on (`carry`): `x, before = cell(x, before), x`.

A value of a loop is a column: what it is in each round, and after the last one. Where each round
reads the same columns and returns the same number of values, the loop is written as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..language.values import Maps
from ..network import Node, Scope, nodes_of
from .interfaces import Interfaces
from .lists import maps_in
from .steps import Carry

Next = tuple[bool, int]
"""What a value is in the next round: an output of this round, or another value."""


class _Column(NamedTuple):
    name: str
    """The label; empty for what arrives, and for what is the same in all rounds."""
    nodes: list[Node | None]
    """The value in each round, and after the last one."""
    zipped: bool = False
    """Whether it is a list of maps, of which each round reads its own item."""


def carry_of(
    loop: Scope, rounds: Sequence[Scope], interfaces: Interfaces
) -> tuple[Carry, list[Node]] | None:
    """How the rounds pass values on, and what the first round reads; None if they do not all do
    the same."""
    faces = [interfaces.of(each) for each in rounds]
    inputs, outputs = len(faces[0][0]), len(faces[0][1])
    if not outputs or any((len(i), len(o)) != (inputs, outputs) for i, o in faces):
        return None
    columns = [part for value in _values(loop, rounds) for part in _apart(value)]
    reads: list[int] = []
    for number in range(inputs):
        read = _column_read(columns, [face[0][number] for face in faces], loop, interfaces)
        if read is None:
            return None
        reads.append(read)
    results = [[face[1][number] for face in faces] for number in range(outputs)]
    after = [_following(place, columns, results) for place in range(len(columns))]
    ends: list[int] = []
    given, left = interfaces.of(loop)
    for node in left:
        last = next((p for p, column in enumerate(columns) if column.nodes[-1] is node), None)
        if last is None:
            return None
        ends.append(last)
    needed = _needed([*ends, *reads], after)
    if needed is None:
        return None
    first = [columns[place].nodes[0] for place in needed]
    arriving = [*given, *[node for each in given for node in maps_in(each)]]
    for place, begin in zip(needed, first, strict=True):
        wanted = [begin] if begin is None or not columns[place].zipped else maps_in(begin)
        if not all(any(one is each for each in arriving) for one in wanted):
            return None
    new = {place: number for number, place in enumerate(needed)}
    carry = Carry(
        tuple([columns[place].name for place in needed]),
        tuple([new[place] for place in reads]),
        tuple([(n[0], n[1] if n[0] else new[n[1]]) for p in needed if (n := after[p])]),
        outputs,
        tuple([new[place] for place in ends]),
        tuple([new[place] for place in needed if columns[place].zipped]),
    )
    return carry, [node for node in first if node is not None]


Value = tuple[str, list[Node | Maps | None]]
"""The name of a value of a loop, and what it is in each round and after the last one."""


def _values(loop: Scope, rounds: Sequence[Scope]) -> Iterator[Value]:
    yield "", [*(each.input for each in rounds), loop.output]
    for name in loop.maps:
        yield name, [*(each.maps[name] for each in rounds), loop.carried.get(name)]


def _apart(value: Value) -> Iterator[_Column]:
    """The columns of a value: of lists of one length, each map by itself."""
    name, column = value
    if not any(isinstance(each, Maps) for each in column):
        yield _Column(name, [each if isinstance(each, Node) else None for each in column])
    elif len({len(nodes_of(each)) for each in column}) == 1:
        for number, nodes in enumerate(zip(*map(nodes_of, column), strict=True)):
            yield _Column(f"{name}{number}" if name else "", [*nodes])


def _column_read(
    columns: list[_Column], read: Sequence[Node], loop: Scope, interfaces: Interfaces
) -> int | None:
    """Which value the rounds read here. One that is the same in all rounds is added, and so is a
    list of what the rounds read, if all of that is computed before the loop."""
    for place, column in enumerate(columns):
        if _equal(column.nodes[:-1], read):
            return place
    start, _ = interfaces.ranges[id(loop)]
    if _equal(read, [read[0]] * len(read)):
        columns.append(_Column("", [*read, read[0]]))
    elif all(0 <= node.index < start for node in read):
        columns.append(_Column("", [interfaces.lists.of(read)] * (len(read) + 1), zipped=True))
    else:
        return None
    return len(columns) - 1


def _following(
    place: int, columns: Sequence[_Column], results: Sequence[Sequence[Node]]
) -> Next | None:
    """What a value is in the next round; None if that differs from round to round."""
    wanted = columns[place].nodes[1:]
    for number, result in enumerate(results):
        if _equal(result, wanted):
            return True, number
    for other in (place, *range(len(columns))):
        if _equal(columns[other].nodes[:-1], wanted):
            return False, other
    return None


def _needed(wanted: Sequence[int], after: Sequence[Next | None]) -> list[int] | None:
    """The values that a loop has to pass on; None if it is not known how."""
    needed: list[int] = []
    waiting = [*wanted][::-1]
    while waiting:
        place = waiting.pop()
        if place in needed:
            continue
        needed.append(place)
        following = after[place]
        if following is None:
            return None
        is_new, other = following
        if not is_new:
            waiting.append(other)
    return sorted(needed)


def _equal(first: Sequence[Node | None], second: Sequence[Node | None]) -> bool:
    return all(one is two and one is not None for one, two in zip(first, second, strict=True))
