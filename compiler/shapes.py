"""Shapes of what flows through a network, without the batch: `(64, 56, 56)`, or `(1000,)`."""

from __future__ import annotations

from math import prod
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
"""Something by height and width."""


class ShapeError(Exception):
    """An operation cannot take what arrives. It knows no place: the elaborator adds that.

    A mend that can be written into the spec is given as `change`, arguments and the values that
    would fit (True and False set and drop flags), or as `before`, statements to put in front.
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
    """How many numbers a tensor of this shape holds."""
    return prod(shape)


def plain(pair: Pair) -> int | Pair:
    """3 for 3x3, else (3, 1): as torch takes it."""
    return pair[0] if pair[0] == pair[1] else pair


def by(pair: Pair) -> str:
    """`3x1`."""
    return f"{pair[0]}x{pair[1]}"


def as_map(shape: Shape, word: str) -> tuple[int, int, int]:
    """Channels, height and width of a map; ShapeError for anything else."""
    if len(shape) != 3:
        raise ShapeError(
            f"`{word}` works on maps, channels x height x width, and its input is {text(shape)}",
            "put it before the `flatten`, or make the input channels x height x width"
            if len(shape) == 1
            else "",
        )
    return shape[0], shape[1], shape[2]


def window_output(size: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """floor((n + 2p - f) / s) + 1, with the filter spread out by its dilation."""
    return (size + pad - dilation * (kernel - 1) - 1) // stride + 1
