"""Shapes of activations, without the batch: `(64, 56, 56)`, or `(1000,)`.

The first number counts channels, the others are the spatial axes: none for a vector, one (length)
for a series, two (height, width) for the map of an image, three (depth, height, width) for a scan
or a video. Arguments of layers that have a number for each spatial axis (`PerAxis`: sizes of
filters, strides, padding) are read before the input of the layer is known: one number for all axes,
as in `conv 64 3`, is an `AllAxes` until then. `Op.on_axes` gives it as many numbers as there are
axes; everything that an operation computes is written for any number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from fractions import Fraction

Shape: TypeAlias = tuple[int, ...]
PerAxis: TypeAlias = tuple[int, ...]
"""One number for each spatial axis."""
Pair: TypeAlias = tuple[int, int]
"""A pair for height and width."""

AXES: dict[int, tuple[str, ...]] = {
    0: (),
    1: ("length",),
    2: ("height", "width"),
    3: ("depth", "height", "width"),
}
"""The names of the spatial axes, by their number."""
SHAPE_NAMES = frozenset({"channels"}.union(*AXES.values()))
"""The names of the shape of what arrives, in expressions."""
LINES: dict[int, tuple[str, ...]] = {
    1: ("steps",),
    2: ("rows", "columns"),
    3: ("slices", "rows", "columns"),
}
"""What is counted along each axis."""
POINTS: dict[int, str] = {0: "numbers", 1: "steps", 2: "pixels", 3: "voxels"}
"""The positions of an input."""
SAMPLES: dict[int, str] = {0: "image", 1: "sample", 2: "image", 3: "sample"}
"""What one input of a batch is called, in reports."""
LAYOUTS: dict[int, str] = {n: " x ".join(("channels", *names)) for n, names in AXES.items()}
"""`channels x height x width`."""


class AllAxes(tuple[int, ...]):
    """One number for all spatial axes: a pair of it, as on a map, until their number is known."""

    __slots__ = ()


def all_axes(number: int) -> AllAxes:
    return AllAxes((number, number))


class ShapeError(Exception):
    """The input shapes of an operation do not fit. The error has no place: the elaborator adds it.
    A fix is given as `change`, arguments with values that would fit (True and False set and remove
    flags), or as `before`, statements to insert before it.
    """

    def __init__(
        self,
        message: str,
        help: str = "",
        *,
        change: dict[str, object] | None = None,
        before: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.change = change or {}
        self.before = before


def text(shape: Shape) -> str:
    """`64x56x56`."""
    return "x".join(map(str, shape))


size: Callable[[Shape], int] = prod
"""The number of elements of a tensor of this shape."""


def axes_of(shape: Shape) -> int:
    """The number of spatial axes."""
    return len(shape) - 1


def plain(numbers: PerAxis) -> int | PerAxis:
    """3 for 3x3, else (3, 1): as torch arguments."""
    first = numbers[0]
    return first if numbers == (first,) * len(numbers) else numbers


def by(numbers: PerAxis) -> str:
    """`3x1`."""
    return "x".join(map(str, numbers))


def window_words(sides: PerAxis) -> str:
    """`a 3x3 window`; of a series, `a window of 9`."""
    return f"a {by(sides)} window" if len(sides) > 1 else f"a window of {sides[0]}"


def named(names: Sequence[str]) -> str:
    """`depth, height and width`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def as_map(shape: Shape, word: str) -> Shape:
    """The shape, which has spatial axes; raises ShapeError for a vector."""
    if len(shape) < 2:
        raise ShapeError(
            f"`{word}` needs a map, channels x height x width, but its input is {text(shape)}",
            "put it before the `flatten`, or make the input channels x height x width",
        )
    return shape


def window_output(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """floor((n + 2p - f) / s) + 1, for a filter with dilation."""
    return (size + pad - dilation * (kernel - 1) - 1) // stride + 1


def exact_ratio(number: int | float | str | Fraction, by: int = 1) -> Fraction:
    """`fractions` also loads `decimal`, which takes longer than many a network to be read: it is
    imported where there is a ratio."""
    from fractions import Fraction

    return Fraction(number) / by
