"""What the nodes of an ONNX model give: calls of the program that is written, constants, and what
cannot be said. Files of TensorFlow keep channels last and turn maps around each convolution; here a
turned map stays the map that it was, seen with its channels last, until something really needs the
other order, and most of these never do.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from ....compiler.importing.tensors.program import Call, Shape

MAX_ELEMENTS = 10**15


class Held(NamedTuple):
    """A constant."""

    value: Any
    name: str = ""
    learned: bool = False
    """It is a weight of the file, or computed from one."""

    @property
    def shape(self) -> Shape:
        return tuple(self.value.shape)


class Last(NamedTuple):
    """A map seen with its channels last."""

    call: Call

    @property
    def shape(self) -> Shape:
        return moved(self.call.shape)


class Flat(NamedTuple):
    """A map with its channels last, as a vector of all its numbers."""

    call: Call

    @property
    def shape(self) -> Shape:
        return self.call.shape[0], prod(self.call.shape[1:])


class Lost(NamedTuple):
    """Depends on something that cannot be said."""

    call: Call

    @property
    def shape(self) -> Shape:
        return ()


Value = Call | Held | Last | Flat | Lost


class CannotSay(Exception):
    """A node that the program has no call for, with the reason."""

    def __init__(self, why: str, what: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.what = what


class Wrong(Exception):
    """A node that is a mistake of the file."""


def last(rank: int) -> list[int]:
    """The permutation that puts channels last."""
    return [0, *range(2, rank), 1]


def first(rank: int) -> list[int]:
    """The permutation that puts channels first again."""
    return [0, rank - 1, *range(1, rank - 1)]


def moved(shape: Sequence[int]) -> Shape:
    return tuple([shape[axis] for axis in last(len(shape))])


def broadcast(*shapes: Shape) -> Shape:
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result: list[int] = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            text = " and ".join("x".join(map(str, shape)) or "one number" for shape in shapes)
            raise Wrong(f"shapes that do not fit: {text}")
        result.append(wide.pop() if wide else 1)
    return tuple(result)
