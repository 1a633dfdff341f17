"""Maximum, minimum and mean: `pool max`, `pool min`, `pool avg`."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import ClassVar

from ...language.kinds import pair, switch
from ...shapes import PerAxis, Shape, axes_of, size
from ..base import Constructor, Kept, TorchText
from ..worked import Element, Worked, smallest
from .windows import INDEX, Adaptive


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
        "pool max global": "GlobalMaxPooling2D(data_format,keepdims) GlobalMaxPool2D "
        "GlobalMaxPool gmp global_max_pool global_max_pooling global_maxpool "
        "AdaptiveMaxPool2d(output_size) adaptive_max_pool2d(output_size) "
        "AdaptiveMaxPooling2D(output_size) adaptive_max_pool2d_with_indices(output_size)",
    }

    dilation: PerAxis = pair("distance between the elements of a window", (1, 1))

    slope: ClassVar[str] = "1 at the maximum, 0 elsewhere"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,), fixed=INDEX * size(output))

    def module(self, output: Shape) -> Constructor:
        if self.target is not None:
            return self.adapted(f"nn.AdaptiveMaxPool{axes_of(output)}d")
        return self.windowed(f"nn.MaxPool{axes_of(output)}d")

    def gives_view(self, *inputs: Shape) -> bool:
        return axes_of(inputs[0]) == 1  # torch pools a map of one row

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(self.module(output))

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
        return Kept(own=size(inputs[0]), fixed=INDEX * size(output))

    def gives_view(self, *inputs: Shape) -> bool:
        return False

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(self.module(output), "-{m}(-{0})")

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
        "pool avg global": "GlobalAveragePooling2D(data_format,keepdims) GlobalAvgPool2D "
        "GlobalAveragePool GlobalAvgPool global_avg_pool global_average_pooling global_avgpool "
        "global_pool gap AdaptiveAvgPool2d(output_size) adaptive_avg_pool2d(output_size) "
        "reduce_mean SelectAdaptivePool2d AdaptiveAveragePooling2D(output_size)",
    }

    count_pad: bool = switch("whether the padding's zeros count in the mean", True)

    slope: ClassVar[str] = "1/m everywhere, in a window of m numbers"

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept() if self.target and max(self.target) == 1 else Kept(inputs=(0,))

    def gives_view(self, *inputs: Shape) -> bool:
        return axes_of(inputs[0]) == 1

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.target is not None:
            return TorchText(self.adapted(f"nn.AdaptiveAvgPool{axes_of(output)}d"))
        count_pad = (self.count_pad, True)
        average = f"nn.AvgPool{axes_of(output)}d"
        return TorchText(self.windowed(average, count_include_pad=count_pad))

    def work_out(self, element: Element) -> Worked:
        window, note = self.mean(element, self.count_pad), self.outside(element, self.count_pad)
        return Worked(element.at, "the mean of the window", window.result, (window,), note=note)
