"""Maximum, minimum and mean: `pool max`, `pool min`, `pool avg`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf, prod
from typing import ClassVar

from ...language.kinds import flag, pair, switch
from ...shapes import PerAxis, Shape, axes_of, plain, size
from ..base import Constructor, Kept, TorchText, helper, tuple_of
from ..conv.sliding import PAD_SAME, PAD_SAME_NAMES
from ..padding import padded_size
from ..worked import Element, Worked, smallest
from .windows import INDEX, Adaptive, Pool

SAME_UPPER = flag("pad as Keras and ONNX do, with an odd row or column at the end")


def padded_copy(pool: Pool, kept: Kept, input_shape: Shape) -> Kept:
    """What the backward pass keeps where a map is padded before it is pooled."""
    if not pool.pads_by_size:
        return kept
    sides = pool.sides(input_shape)
    if not any(map(any, sides)):
        return kept
    return kept._replace(inputs=(), own=padded_size(sides, input_shape))


def lowest_around(pool: Pool, text: TorchText) -> TorchText:
    """The text of a maximum over a map with a padding that depends on its size."""
    if not pool.pads_by_size:
        return text
    axes = len(pool.reach)
    reach, stride = repr(plain(pool.reach)), repr(plain(pool.step))
    before, inside, after = re.split(r"(?<=m\}\()(.*)(?=\))", text.call)
    call = f"{before}{_lowest_name(axes)}({inside}, {reach}, {stride}){after}"
    return TorchText(text.module, call, PAD_LOWEST[axes])


def _lowest_name(axes: int) -> str:
    return f"pad_lowest{'' if axes == 2 else f'{axes}d'}"


def _mean_name(axes: int) -> str:
    return f"mean_inside{'' if axes == 2 else f'{axes}d'}"


def _sides(axes: int) -> str:
    """The type of a size: one number for all axes, or one for each."""
    return "int" if axes == 1 else f"int | {tuple_of(axes)}"


PAD_LOWEST = {
    axes: helper(
        source.replace(f"def {PAD_SAME_NAMES[axes]}(", f"def {_lowest_name(axes)}(")
        .replace(', mode: str = "constant"', "")
        .replace('    mode: str = "constant",\n', "")
        .replace("sides, mode)", 'sides, value=float("-inf"))')
        .replace(
            "Pads for one output per step of the stride, with", "Pads with what no maximum is,"
        )
    )
    for axes, source in PAD_SAME.items()
}
"""As for convolutions, filled with what no maximum is."""

MEAN_INSIDE = {
    axes: helper(f'''\
def {_mean_name(axes)}(
    pool: nn.Module,
    x: Tensor,
    reach: {_sides(axes)},
    stride: {_sides(axes)},
) -> Tensor:
    """The mean of each window, where it reaches over the border of what lies inside the map."""
    inside = torch.ones_like(x[:1, :1])
    padded = {PAD_SAME_NAMES[axes]}(x, reach, stride)
    mean: Tensor = pool(padded) / pool({PAD_SAME_NAMES[axes]}(inside, reach, stride))
    return mean
''')
    for axes in (1, 2, 3)
}


class Max(Adaptive):
    """The maximum of each window."""

    word: ClassVar[str] = "pool max"
    example: ClassVar[str] = "pool max 3x3 stride=2 same"
    arithmetic: ClassVar[str] = (
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)"
    )
    called: ClassVar[str] = "Keras MaxPooling2D, Keras GlobalMaxPooling2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool max": "MaxPooling2D(pool_size,strides,padding,data_format) MaxPool2d(kernel_size,"
        "stride,padding,dilation,return_indices,ceil_mode) MaxPool2D(pool_size,strides,padding) "
        "max_pool2d(kernel_size,stride,padding,dilation,ceil_mode) maxpool max_pool maxpooling "
        "max_pooling SpatialMaxPooling maxPooling2dLayer pooling max "
        "max_pool2d_with_indices(kernel_size,stride,padding,dilation,ceil_mode)",
        "pool max 2x2": "MaxPooling2D() MaxPool2D()",
        "pool max global, flatten": "GlobalMaxPooling2D(data_format,keepdims) GlobalMaxPool2D",
        "pool max global": "GlobalMaxPool gmp global_max_pool global_max_pooling global_maxpool "
        "AdaptiveMaxPool2d(output_size) adaptive_max_pool2d(output_size) "
        "AdaptiveMaxPooling2D(output_size) adaptive_max_pool2d_with_indices(output_size)",
    }

    dilation: PerAxis = pair("distance between the elements of a window", (1, 1))
    same_upper: bool = SAME_UPPER

    slope: ClassVar[str] = "1 at the maximum, 0 elsewhere"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        kept = Kept(inputs=(0,), fixed=INDEX * size(output))
        return padded_copy(self, kept, inputs[0])

    def module(self, output: Shape) -> Constructor:
        if self.target is not None:
            return self.adapted(f"nn.AdaptiveMaxPool{axes_of(output)}d")
        return self.windowed(f"nn.MaxPool{axes_of(output)}d")

    def gives_view(self, *inputs: Shape) -> bool:
        return axes_of(inputs[0]) == 1  # torch pools a map of one row

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return lowest_around(self, TorchText(self.module(output)))

    def work_out(self, element: Element) -> Worked:
        window = self.maximum(element)
        return Worked(element.at, "the maximum of the window", window.result, (window,))


class Min(Max):
    """The minimum of each window, computed as -max(-x). Both negations count."""

    word: ClassVar[str] = "pool min"
    example: ClassVar[str] = "pool min 2x2"
    arithmetic: ClassVar[str] = (
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`)"
    )
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool min": "MinPool2d minpool min_pool min_pooling MinPooling2D",
    }

    slope: ClassVar[str] = "1 at the minimum, 0 elsewhere"

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(inputs[0]) + self.reads(output, inputs[0]) + size(output)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        kept = Kept(own=size(inputs[0]), fixed=INDEX * size(output))
        return padded_copy(self, kept, inputs[0])

    def gives_view(self, *inputs: Shape) -> bool:
        return False

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return lowest_around(self, TorchText(self.module(output), "-{m}(-{0})"))

    def work_out(self, element: Element) -> Worked:
        window = self.covered(element, inf)
        result = smallest(term.value for term in window.terms)
        window = window._replace(how="min", result=result, around="min({})", between=", ")
        return Worked(element.at, "the minimum of the window", result, (window,))


class Average(Adaptive):
    """The mean of each window."""

    word: ClassVar[str] = "pool avg"
    example: ClassVar[str] = "pool avg global"
    arithmetic: ClassVar[str] = (
        "output: floor((H + 2*pad - kernel) / stride) + 1, same for W (ceil with `ceil`);"
        " 1x1 with `global`"
    )
    called: ClassVar[str] = "Keras AveragePooling2D, Keras GlobalAveragePooling2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pool avg": "AveragePooling2D(pool_size,strides,padding,data_format) "
        "AvgPool2d(kernel_size,stride,padding,ceil_mode,count_include_pad) AvgPool2D(pool_size,"
        "strides,padding) avg_pool2d(kernel_size,stride,padding,ceil_mode,count_include_pad) "
        "avgpool avg_pool AveragePool average_pool average_pooling avg_pooling meanpool "
        "mean_pool SpatialAveragePooling averagePooling2dLayer avg average mean",
        "pool avg 2x2": "AveragePooling2D() AvgPool2D()",
        "pool avg global, flatten": "GlobalAveragePooling2D(data_format,keepdims) GlobalAvgPool2D",
        "pool avg global": "GlobalAveragePool GlobalAvgPool global_avg_pool "
        "global_average_pooling global_avgpool global_pool gap "
        "AdaptiveAvgPool2d(output_size) adaptive_avg_pool2d(output_size) "
        "reduce_mean SelectAdaptivePool2d AdaptiveAveragePooling2D(output_size)",
    }

    count_pad: bool = switch("whether the padding's zeros count in the mean", True)
    same_upper: bool = SAME_UPPER

    slope: ClassVar[str] = "1/m everywhere, in a window of m numbers"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        if self.target and max(self.target) == 1:
            return Kept()
        divisors = prod(output[1:]) if self.divides else 0
        return padded_copy(self, Kept(inputs=(0,), once=divisors), inputs[0])

    @property
    def divides(self) -> bool:
        """Whether it divides by how much of each window lies inside the map."""
        return self.pads_by_size and not self.count_pad

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return self.reads(output, inputs[0]) + (size(output) if self.divides else 0)

    def gives_view(self, *inputs: Shape) -> bool:
        return axes_of(inputs[0]) == 1 and not self.divides

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.target is not None:
            return TorchText(self.adapted(f"nn.AdaptiveAvgPool{axes_of(output)}d"))
        count_pad = (self.count_pad, True)
        average = f"nn.AvgPool{axes_of(output)}d"
        module = self.windowed(average, count_include_pad=count_pad)
        if not self.pads_by_size:
            return TorchText(module)
        axes = axes_of(output)
        module = self.windowed(average)
        reach, stride = repr(plain(self.reach)), repr(plain(self.step))
        if self.divides:
            call = f"{_mean_name(axes)}({{m}}, {{0}}, {reach}, {stride})"
            return TorchText(module, call, f"{PAD_SAME[axes]}\n\n{MEAN_INSIDE[axes]}")
        call = f"{{m}}({PAD_SAME_NAMES[axes]}({{0}}, {reach}, {stride}))"
        return TorchText(module, call, PAD_SAME[axes])

    def work_out(self, element: Element) -> Worked:
        window, note = self.mean(element, self.count_pad), self.outside(element, self.count_pad)
        return Worked(element.at, "the mean of the window", window.result, (window,), note=note)
