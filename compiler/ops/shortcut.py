"""The shortcut of a residual whose input and body differ in shape: projection and stride."""

from __future__ import annotations

from ..shapes import Shape, ShapeError, text
from .base import REGISTRY, Op


def projection(input_shape: Shape, output_shape: Shape) -> list[Op]:
    """A 1x1 convolution of the needed stride, and a batch norm (ResNet's option B)."""
    if len(input_shape) != 3 or len(output_shape) != 3:
        raise ShapeError(f"no projection turns {text(input_shape)} into {text(output_shape)}")
    stride = (
        stride_between(input_shape[1], output_shape[1]),
        stride_between(input_shape[2], output_shape[2]),
    )
    return [
        REGISTRY["conv"].make(out=output_shape[0], stride=stride, bias=False),
        REGISTRY["bn"](),
    ]


def stride_between(side: int, output_side: int) -> int:
    """The stride with which a 1x1 filter reduces one size to another."""
    for stride in (side // output_side, -(-side // output_side)):
        if stride >= 1 and (side - 1) // stride + 1 == output_side:
            return stride
    raise ShapeError(f"no stride reduces {side} to {output_side}")
