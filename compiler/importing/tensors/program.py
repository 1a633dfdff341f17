"""A network as calls on tensors: what ONNX files and exported torch modules are read as, before
compose.py makes layers of it. Every tensor has its batch axis, of `Program.batch` images, where the
source has it; the first axis of what goes in.

The calls are named as torch names them, whichever tool they come from, with every setting written
out; a reader brings its own forms to these (SAME padding to sides, a Gemm to `linear`, an einsum to
permutes and a matmul), and leaves composite patterns to compose.py. By axis means a tuple with one
entry for each spatial axis; axes count from 0, the batch included, never from the end.

| function | operands | settings |
| --- | --- | --- |
| conv | x, weight, bias or None | stride dilation (by axis), pad ((low, high) by axis), groups |
| deconv | x, weight, bias or None | stride dilation pad output_pad groups |
| linear | x, weight (out, in), bias or None | of the last axis |
| batch_norm | x, weight, bias, mean, var; any may be None | eps momentum |
| layer_norm | x, weight, bias | axes eps |
| group_norm | x, weight, bias | groups eps |
| instance_norm | x, weight, bias | eps |
| rms_norm | x, weight | axes eps |
| lrn | x | size alpha beta k, as torch has them |
| max_pool, avg_pool | x | kernel stride pad dilation ceil; count_pad for avg |
| adaptive_max_pool, adaptive_avg_pool | x | to (by axis) |
| mean sum amax amin var norm | x | axes keep; unbiased for var, p for norm |
| relu relu6 selu mish sigmoid tanh softsign hardsigmoid hardswish silu exp log sqrt rsqrt neg abs
  reciprocal erf sin cos | x | |
| leaky_relu | x | slope |
| elu | x | alpha |
| gelu | x | approximate: "none" or "tanh" |
| softplus | x | beta threshold |
| prelu | x, weight | |
| clamp | x | low high; None for none |
| pow | x, exponent | |
| add sub mul div maximum minimum | two, each a tensor, a constant or a number; broadcast | |
| matmul | a, b | |
| softmax | x | axis |
| attention | q, k, v; a mask or None | scale |
| reshape | x | to: the whole shape, without -1 |
| permute | x | axes |
| expand | x | to |
| concat | any number | axis |
| slice | x | axis start stop step |
| select | x | axis index: the axis goes |
| unfold | x | axis size step: windows along it, whose places are a new last axis |
| flip roll | x | axes; shifts for roll |
| pad | x | sides ((low, high) for every axis, may be negative), mode, value |
| upsample | x | to (by axis), mode, align_corners |
| pixel_shuffle pixel_unshuffle channel_shuffle | x | factor; groups |
| deform_conv | x, offset, weight, bias, mask | as conv, offset_groups |
| dropout dropout2d droppath | x | p |

What is not in the table goes by the name that it has in its tool, and cannot be said; a setting
`why` of it says the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ....dsl.source import Span
from ..graph import Tensor

Shape = tuple[int, ...]
"""Of a tensor, batch and all."""


class Constant(NamedTuple):
    """A tensor that belongs to the network: a weight, a buffer, a table."""

    value: Tensor
    name: str
    """Its key in the source: `layer1.0.conv2.weight`."""

    @property
    def shape(self) -> Shape:
        return tuple(self.value.shape)


class Call:
    """One operation; it is at the same time the tensor that it gives. An operation that gives
    several (a split) is several slices."""

    __slots__ = ("function", "index", "name", "operands", "settings", "shape", "span")

    def __init__(
        self,
        index: int,
        function: str,
        operands: tuple[Operand, ...],
        settings: Mapping[str, Any],
        shape: Shape,
        name: str,
        span: Span,
    ) -> None:
        self.index = index
        self.function = function
        self.operands = operands
        self.settings = settings
        self.shape = shape
        self.name = name
        """Where it stands in the source: the path of its module, `layer1.0.conv2`, or its node."""
        self.span = span

    def __repr__(self) -> str:
        return f"<{self.index} {self.function} {self.name} {self.shape}>"


Operand = Call | Constant | float | None


class Result(NamedTuple):
    """What the network gives."""

    call: Call
    name: str
    aux: float | None = None
    """The weight of its loss, if it is for training only."""


class Program(NamedTuple):
    """The calls in an order of computation; those without operands, `input`, are what goes in."""

    name: str
    calls: list[Call]
    results: list[Result]
    """The main one last."""
    batch: int
    """So many images are in each tensor; a prime number (readers take 2 or more where they can) is
    told from other sizes of a reshape."""
    remarks: list[str]
    holders: Mapping[Call, str] = {}
    """Of calls with weights that are trained, the name of the weight: calls with the same share
    it."""
