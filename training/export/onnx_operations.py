"""ONNX translations of operations that torch's exporter does not support, or translates wrongly.

Each function has the signature of torch's operation, because the exporter calls it with its
arguments. All sizes except the batch size are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset18 as op


def avg_pool2d(
    self: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """Average pooling: the exporter of torch 2.13 ignores `divisor_override`."""
    kernel, steps = _two(kernel_size), _two(stride or kernel_size)
    above, left = _two(padding)
    if divisor_override is None:
        return op.AveragePool(
            self,
            kernel_shape=kernel,
            strides=steps,
            pads=[above, left, above, left],
            ceil_mode=int(ceil_mode),
            count_include_pad=int(count_include_pad),
        )
    # With explicit padding that is counted, the mean of a window is its sum divided by its size.
    extra = [
        _beyond(self.shape[2 + axis], kernel[axis], steps[axis], _two(padding)[axis], ceil_mode)
        for axis in (0, 1)
    ]
    mean = op.AveragePool(
        self,
        kernel_shape=kernel,
        strides=steps,
        pads=[above, left, above + extra[0], left + extra[1]],
        count_include_pad=1,
    )
    return op.Mul(mean, op.CastLike(kernel[0] * kernel[1] / divisor_override, mean))


def _two(sizes: Sequence[int]) -> list[int]:
    return [sizes[0], sizes[-1]]


def _beyond(size: int, kernel: int, step: int, padding: int, ceil_mode: bool) -> int:
    """How far the last window extends beyond the padding. With `ceil_mode` there may be one more
    window, if it starts before the padding at the end."""
    over = (size + 2 * padding - kernel) % step
    if not ceil_mode or not over:
        return 0
    start = size + 2 * padding - kernel - over + step
    return step - over if start < size + padding else 0


def adaptive_max_pool2d(self: Any, output_size: Sequence[int]) -> Any:
    """Adaptive max pooling, which the exporter does not support. The second output, the indices of
    the maxima, is never used by a network, so it has arbitrary values."""
    values = self
    for axis, target in zip((2, 3), _two(output_size), strict=True):
        size = self.shape[axis]
        cells = [(i * size // target, -(-(i + 1) * size // target)) for i in range(target)]
        parts = [op.Slice(values, _ints(a), _ints(b), _ints(axis)) for a, b in cells]
        parts = [op.ReduceMax(part, _ints(axis), keepdims=1) for part in parts]
        values = op.Concat(*parts, axis=axis)
    return [values, op.Cast(values, to=_INT64)]


_INT64 = 7


def _ints(*numbers: int) -> Any:
    return op.Constant(value_ints=numbers)


OPERATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.avg_pool2d.default: avg_pool2d,
    torch.ops.aten.adaptive_max_pool2d.default: adaptive_max_pool2d,
}
