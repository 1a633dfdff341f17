"""The shortcut of a residual whose input and body differ in shape: projection and stride."""

from __future__ import annotations

from ..shapes import PerAxis, ShapeError
from .base import REGISTRY, Op


def projection(channels: int, stride: PerAxis) -> list[Op]:
    """A 1x1 convolution of this stride, and a batch norm (ResNet's option B)."""
    conv = REGISTRY["conv"].make(out=channels, stride=stride, bias=False).on_axes(len(stride))
    return [conv, REGISTRY["bn"]()]


def stride_between(side: int, output_side: int) -> int:
    """The stride with which a 1x1 filter reduces one size to another."""
    for stride in (side // output_side, -(-side // output_side)):
        if stride >= 1 and (side - 1) // stride + 1 == output_side:
            return stride
    raise ShapeError(f"no stride reduces {side} to {output_side}")
