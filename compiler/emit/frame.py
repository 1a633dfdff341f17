"""Constructors taken apart: what they are (`Frame`), and the values in them (leaves).

`nn.Conv2d(64, 128, 3, padding=1)` is a frame with places for nine values, those of its options that
are not written too. Two layers with the same frame differ in leaves alone, and leaves that differ
become arguments of a class. Loops are frames too: a Sequential of runs of the same constructor.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from ..ops.base import Constructor
from .layout import Doc, Group, call

Value = object
"""An int, float, bool, str, None, or a tuple or list of such."""


class Unknown:
    """The value of a place in something that is not there: any will do."""


UNKNOWN = Unknown()


class Leaf(NamedTuple):
    """A place for a value."""

    usual: Value = ...
    """Of an option: left out where it is this. `...` where it is always written."""
    name: str = ""
    """Of an option: `stride`."""


class Code(NamedTuple):
    """Text that is the same wherever the frame is: the name of a class."""

    text: str


class Frame(NamedTuple):
    """A call: `name(item, item, option=item)`."""

    name: str
    items: tuple[Item, ...]


class Run(NamedTuple):
    """`*[frame for i in range(count)]`, where some leaves grow by the same from one to the next.

    Its leaves: the count; then those of the frame, of a growing one its start and its growth.
    """

    frame: Frame
    growing: tuple[bool, ...]


Item = Leaf | Code | Frame | Run


def take_apart(constructor: Constructor) -> tuple[Frame, tuple[Value, ...]]:
    """The frame of a constructor, and its leaves."""
    leaves: list[Value] = []

    def item(text: str, leaf: Leaf) -> Item:
        if isinstance(text, Constructor):
            return frame(text)
        value = _value(text)
        if value is Ellipsis:
            return Code(text)
        leaves.append(value)
        return leaf

    def frame(made: Constructor) -> Frame:
        items = [item(text, Leaf()) for text in made.arguments]
        for name, text, usual in made.options:
            items.append(item(text, Leaf(_value(usual), name)))
        return Frame(made.name, tuple(items))

    return frame(constructor), tuple(leaves)


@lru_cache(maxsize=4096)
def _value(text: str) -> Value:
    """What a literal means; `...` for what is none."""
    if text.isdigit():
        return int(text)
    try:
        value: Value = ast.literal_eval(text)
    except ValueError:
        return ...
    return value


def leaf_count(item: Item) -> int:
    """How many values it has places for."""
    if isinstance(item, Leaf):
        return 1
    if isinstance(item, Frame):
        return sum(map(leaf_count, item.items))
    return 1 + len(item.growing) + sum(item.growing) if isinstance(item, Run) else 0


def places(item: Item) -> Iterator[Leaf]:
    """The places for its values, in order; those of loops without a name."""
    if isinstance(item, Leaf):
        yield item
    elif isinstance(item, Frame):
        for inner in item.items:
            yield from places(inner)
    else:
        for _ in range(leaf_count(item)):
            yield Leaf()


def same(a: Value, b: Value) -> bool:
    """Equal, and of one type: `1` is not `True`, nor `1.0`."""
    return type(a) is type(b) and a == b


# ---- loops --------------------------------------------------------------------------------------

SEQUENTIAL = "nn.Sequential"
MODULE_LIST = "nn.ModuleList"

Round = tuple[Frame, tuple[Value, ...]]


def loop(rounds: Sequence[Round], chain: bool) -> tuple[Frame, tuple[Value, ...]]:
    """Rounds as short as they can be said: what repeats as a run."""
    items: list[Item] = []
    leaves: list[Value] = []
    position = 0
    while position < len(rounds):
        length, growing = _run(rounds, position)
        frame, first = rounds[position]
        if length == 1:
            items.append(frame)
            leaves += first
        else:
            items.append(Run(frame, growing))
            leaves.append(length)
            second = rounds[position + 1][1]
            for value, following, grows in zip(first, second, growing, strict=True):
                leaves += [value, following - value] if grows else [value]  # type: ignore[operator]
        position += length
    if chain:
        return Frame(SEQUENTIAL, tuple(items)), tuple(leaves)
    return Frame(MODULE_LIST, (Frame("", tuple(items)),)), tuple(leaves)


def _run(rounds: Sequence[Round], start: int) -> tuple[int, tuple[bool, ...]]:
    """How many rounds from here on are one run, and which leaves grow."""
    frame, first = rounds[start]
    if start + 1 == len(rounds) or rounds[start + 1][0] != frame:
        return 1, ()
    second = rounds[start + 1][1]
    growing = tuple(not same(a, b) for a, b in zip(first, second, strict=True))
    grown = [(a, b) for a, b, grows in zip(first, second, growing, strict=True) if grows]
    if any(type(a) is not int or type(b) is not int for a, b in grown):
        return 1, ()
    length = 2
    while start + length < len(rounds) and rounds[start + length][0] == frame:
        here = rounds[start + length][1]
        expected = [
            a + length * (b - a) if grows else a  # type: ignore[operator]
            for a, b, grows in zip(first, second, growing, strict=True)
        ]
        if not all(map(same, here, expected)):
            break
        length += 1
    return (length, growing) if length > 2 or not grown else (1, ())


def repeated(
    rounds: Sequence[Sequence[Round]],
) -> tuple[Frame, list[tuple[Value, ...]]] | None:
    """One frame for loops that go round a different number of times, where there is one:
    all rounds the same, or growing; or the first of its own kind, and then so."""
    known = [round[0] for each in rounds for round in each]
    if not known or any(frame != known[0] for frame in known):
        return None
    return _repeated(rounds, 0) or _repeated(rounds, 1)


def _repeated(
    rounds: Sequence[Sequence[Round]], alone: int
) -> tuple[Frame, list[tuple[Value, ...]]] | None:
    frame = next(round[0] for each in rounds for round in each)
    width = leaf_count(frame)
    runs = [_run(each, alone) if len(each) > alone else (0, ()) for each in rounds]
    if any(length + alone < len(each) for (length, _), each in zip(runs, rounds, strict=True)):
        return None
    found = {growing for length, growing in runs if length > 1}
    if len(found) > 1:
        return None
    growing = found.pop() if found else (False,) * width
    leaves = []
    for each in rounds:
        own: list[Value] = []
        if alone:
            own += each[0][1] if each else (UNKNOWN,) * width
        rest = each[alone:]
        own.append(len(rest))
        for place in range(width):
            own.append(rest[0][1][place] if rest else UNKNOWN)
            if growing[place]:
                several = len(rest) > 1
                own.append(rest[1][1][place] - rest[0][1][place] if several else UNKNOWN)  # type: ignore[operator]
        leaves.append(tuple(own))
    items: tuple[Item, ...] = (*[frame] * alone, Run(frame, growing))
    return Frame(SEQUENTIAL, items), leaves


# ---- as text ------------------------------------------------------------------------------------

Usual = Callable[[Value, str], bool]
"""Whether a text says what an option is anyway."""


def write(item: Item, text: Callable[[], str], usual: Usual) -> Doc:
    """A frame with texts in its places, asked for in order; options that are `usual` left out."""
    if isinstance(item, Code):
        return item.text
    if isinstance(item, Leaf):
        return text()
    if isinstance(item, Frame):
        docs: list[Doc] = []
        for inner in item.items:
            doc = write(inner, text, usual)
            if isinstance(inner, Leaf) and inner.name:
                if usual(inner.usual, str(doc)):
                    continue
                doc = f"{inner.name}={doc}"
            docs.append(doc)
        if not item.name:
            return Group("[", tuple(docs), "]")
        return call(item.name, docs)
    return _write_run(item, text, usual)


def _write_run(run: Run, text: Callable[[], str], usual: Usual) -> Doc:
    count = text()
    if any(run.growing):
        waiting = iter(run.growing)

        def grown() -> str:
            return _sum(text(), text()) if next(waiting) else text()

        element = write(run.frame, grown, usual)
    else:
        element = write(run.frame, text, usual)
    if count == "1":
        return element
    name = "i" if any(run.growing) else "_"
    return Group("*[", (element, f"for {name} in range({count})"), "]", commas=False)


def _sum(start: str, growth: str) -> str:
    factor = growth if _plain(growth) else f"({growth})"
    if growth.startswith("-") and growth[1:].isdigit():
        return f"{start} - {growth[1:]} * i"
    product = "i" if growth == "1" else f"{factor} * i"
    return product if start == "0" else f"{start} + {product}"


def _plain(text: str) -> bool:
    return text.isidentifier() or text.isdigit()
