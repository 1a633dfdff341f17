"""ONNX translations of operations that torch's exporter does not support, or translates wrongly.

Each function has the signature of torch's operation, because the exporter calls it with its
arguments. All sizes except the batch size are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch
from onnxscript import opset18 as op


def avg_pool(
    self: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Average pooling: the exporter of torch 2.13 ignores `divisor_override`."""
    axes = len(self.shape) - 2
    kernel, steps = _each(kernel_size, axes), _each(stride or kernel_size, axes)
    before = _each(padding, axes)
    if divisor_override is None:
        return op.AveragePool(
            self,
            kernel_shape=kernel,
            strides=steps,
            pads=[*before, *before],
            ceil_mode=int(ceil_mode),
            count_include_pad=int(count_include_pad),
        )
    # With explicit padding that is counted, the mean of a window is its sum divided by its size.
    extra = [
        _beyond(self.shape[2 + axis], kernel[axis], steps[axis], before[axis], ceil_mode)
        for axis in range(axes)
    ]
    after = [one + two for one, two in zip(before, extra, strict=True)]
    mean = op.AveragePool(
        self,
        kernel_shape=kernel,
        strides=steps,
        pads=[*before, *after],
        count_include_pad=1,
    )
    return op.Mul(mean, op.CastLike(prod(kernel) / divisor_override, mean))


def _each(sizes: Sequence[int], axes: int) -> list[int]:
    """A number for each axis."""
    return [*sizes] if len(sizes) == axes else [sizes[0]] * axes


def _beyond(size: int, kernel: int, step: int, padding: int, ceil_mode: bool) -> int:
    """How far the last window extends beyond the padding. With `ceil_mode` there may be one more
    window, if it starts before the padding at the end."""
    over = (size + 2 * padding - kernel) % step
    if not ceil_mode or not over:
        return 0
    start = size + 2 * padding - kernel - over + step
    return step - over if start < size + padding else 0


def adaptive_max_pool(self: Any, output_size: Sequence[int]) -> Any:
    """Adaptive max pooling, which the exporter does not support. The second output, the indices of
    the maxima, is never used by a network, so it has arbitrary values."""
    values = self
    axes = len(self.shape) - 2
    for axis, target in enumerate(_each(output_size, axes), 2):
        size = self.shape[axis]
        cells = [(i * size // target, -(-(i + 1) * size // target)) for i in range(target)]
        parts = [op.Slice(values, _ints(a), _ints(b), _ints(axis)) for a, b in cells]
        parts = [op.ReduceMax(part, _ints(axis), keepdims=1) for part in parts]
        values = op.Concat(*parts, axis=axis)
    return [values, op.Cast(values, to=_INT64)]


_INT64 = 7


def _ints(*numbers: int) -> Any:
    return op.Constant(value_ints=numbers)


def conv3d(
    self: Any,
    weight: Any,
    bias: Any = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Any:
    """Convolution of volumes: in place of no bias, torch 2.13 exports one of a wrong shape."""
    before = _each(padding, 3)
    return op.Conv(
        *((self, weight) if bias is None else (self, weight, bias)),
        strides=_each(stride, 3),
        pads=[*before, *before],
        dilations=_each(dilation, 3),
        group=groups,
    )


OPERATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.avg_pool2d.default: avg_pool,
    torch.ops.aten.avg_pool3d.default: avg_pool,
    torch.ops.aten.adaptive_max_pool1d.default: adaptive_max_pool,
    torch.ops.aten.adaptive_max_pool2d.default: adaptive_max_pool,
    torch.ops.aten.adaptive_max_pool3d.default: adaptive_max_pool,
    torch.ops.aten.conv3d.default: conv3d,
}
