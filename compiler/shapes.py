"""Shapes of activations, without the batch: `(64, 56, 56)`, or `(1000,)`."""

from __future__ import annotations

from math import prod
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
"""A pair for height and width."""


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


def size(shape: Shape) -> int:
    """The number of elements of a tensor of this shape."""
    return prod(shape)


def plain(pair: Pair) -> int | Pair:
    """3 for 3x3, else (3, 1): as torch arguments."""
    return pair[0] if pair[0] == pair[1] else pair


def by(pair: Pair) -> str:
    """`3x1`."""
    return f"{pair[0]}x{pair[1]}"


def as_map(shape: Shape, word: str) -> tuple[int, int, int]:
    """Channels, height and width of a map; raises ShapeError for other shapes."""
    if len(shape) != 3:
        raise ShapeError(
            f"`{word}` needs a map, channels x height x width, but its input is {text(shape)}",
            "put it before the `flatten`, or make the input channels x height x width"
            if len(shape) == 1
            else "",
        )
    return shape[0], shape[1], shape[2]


def window_output(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """floor((n + 2p - f) / s) + 1, for a filter with dilation."""
    return (size + pad - dilation * (kernel - 1) - 1) // stride + 1
