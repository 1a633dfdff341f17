"""The shortcut of a residual whose input and body differ in shape: projection and stride."""

from __future__ import annotations

from ..shapes import Shape, ShapeError, text
from .base import REGISTRY, Op


def projection(arriving: Shape, leaving: Shape) -> list[Op]:
    """A 1x1 convolution of the needed stride, and a batch norm (ResNet's option B)."""
    if len(arriving) != 3 or len(leaving) != 3:
        raise ShapeError(f"no projection turns {text(arriving)} into {text(leaving)}")
    stride = (stride_between(arriving[1], leaving[1]), stride_between(arriving[2], leaving[2]))
    return [
        REGISTRY["conv"].make(out=leaving[0], stride=stride, bias=False),
        REGISTRY["bn"](),
    ]


def stride_between(arriving: int, leaving: int) -> int:
    """The stride with which a 1x1 filter reduces one size to another."""
    for stride in (arriving // leaving, -(-arriving // leaving)):
        if stride >= 1 and (arriving - 1) // stride + 1 == leaving:
            return stride
    raise ShapeError(f"no stride reduces {arriving} to {leaving}")
