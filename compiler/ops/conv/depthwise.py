"""Convolutions with filters of their own for each channel: `depthwise`, `separable`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...language.kinds import count, pair
from ...shapes import PerAxis, Shape, axes_of, size, window_words
from ..base import ANY_AXES, Kept, Kind, TorchText, Weight, constructor, helper
from ..worked import Element, Worked, summed
from .conv import LearnedFilters
from .sliding import (
    BIAS,
    DILATION,
    MODE,
    PAD,
    SAME,
    SAME_UPPER,
    STRIDE,
    Sliding,
    outputs_times,
    parameters,
)
from .standardized import EPS, GAIN, STANDARDIZE, Standardized


class PerChannel(LearnedFilters):
    """A convolution with filters of its own for each channel."""

    multiplier: int

    def filters(self, channels: int) -> int:
        return channels * self.multiplier

    def grouped(self, channels: int) -> int:
        return channels


class Depthwise(Standardized, PerChannel):
    """Convolution with a filter (or `multiplier` filters) of its own for each channel."""

    word: ClassVar[str] = "depthwise"
    example: ClassVar[str] = "depthwise 3x3 same"
    arithmetic: ClassVar[str] = (
        "output: C * multiplier channels, of the size that `conv` would give\n"
        "parameters: C * multiplier * kernel height * kernel width, + C * multiplier with bias, "
        "and with gain\n"
        "multiply-adds: weights * output height * output width"
    )
    called: ClassVar[str] = "Keras DepthwiseConv2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "depthwise": "DepthwiseConv2D(kernel_size,strides,padding,depth_multiplier,data_format,"
        "dilation_rate,activation,use_bias) depthwise_conv dwconv depthwise_convolution "
        "ConvolutionDepthwise dw dw_conv DWConv DepthwiseConv2d DepthwiseConvolution2D",
    }
    kind: ClassVar[Kind] = "conv"

    kernel: PerAxis = pair("filter size")
    stride: PerAxis = STRIDE
    pad: PerAxis = PAD
    dilation: PerAxis = DILATION
    multiplier: int = count("filters for each channel", 1)
    bias: bool | str = BIAS
    mode: str = MODE
    same: bool = SAME
    same_upper: bool = SAME_UPPER
    standardize: bool = STANDARDIZE
    eps: float = EPS
    gain: float | None = GAIN


class Separable(PerChannel):
    """Depthwise convolution, then a 1x1 convolution that mixes the channels."""

    word: ClassVar[str] = "separable"
    example: ClassVar[str] = "separable 64 3x3 same"
    arithmetic: ClassVar[str] = (
        "output: as `conv out kernel`\n"
        "parameters: C * multiplier * (kernel height * kernel width + out), + out with bias\n"
        "multiply-adds: weights * output height * output width"
    )
    called: ClassVar[str] = "Keras SeparableConv2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "separable": "SeparableConv2D(filters,kernel_size,strides,padding,data_format,"
        "dilation_rate,depth_multiplier,activation,use_bias) SeparableConvolution2D "
        "separable_conv sepconv SeparableConv2d depthwise_separable",
    }
    kind: ClassVar[Kind] = "conv"

    out: int = count("number of 1x1 filters (output channels)")
    kernel: PerAxis = pair("filter size of the depthwise convolution")
    stride: PerAxis = STRIDE
    pad: PerAxis = PAD
    dilation: PerAxis = DILATION
    multiplier: int = count("depthwise filters for each channel", 1)
    bias: bool | str = BIAS
    mode: str = MODE
    same: bool = SAME
    same_upper: bool = SAME_UPPER

    # As in Keras, there is no bias between the two: the second convolution makes up for it.

    def output(self, *inputs: Shape) -> Shape:
        return self.out, *super().output(*inputs)[1:]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        depthwise, *_ = super().weights(*inputs)
        return (
            depthwise._replace(name="depthwise.weight", inputs_first=True),
            Weight("pointwise.weight", (self.out, depthwise.shape[0], *(1,) * len(self.kernel))),
            *(bias._replace(name="pointwise.bias") for bias in self.biases(self.out)),
        )

    def _between(self, output: Shape, input_shape: Shape) -> Shape:
        """The shape between the depthwise and the pointwise convolution."""
        return self.filters(input_shape[0]), *output[1:]

    def macs(self, output: Shape, *inputs: Shape) -> int:
        depthwise, pointwise = self.weights(*inputs)[:2]
        return size(output[1:]) * (size(depthwise.shape) + size(pointwise.shape))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        depthwise = super().kept(output, *inputs)
        return depthwise._replace(own=depthwise.own + size(self._between(output, inputs[0])))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        depthwise = self.module(inputs[0], bias=(False, True))
        between = self.filters(inputs[0][0])
        axes = axes_of(inputs[0])
        bias = self.bias_option()
        pointwise = constructor(f"nn.Conv{axes}d", between, self.out, 1, bias=bias)
        module = constructor(f"SeparableConv{axes}d", depthwise, pointwise)
        return TorchText(module, self.call(inputs[0]), self.helpers(SEPARABLE[axes]))

    def work_out(self, element: Element) -> Worked:
        windows = []
        for between in range(self.filters(element.inputs[0][0])):
            window = self.covered(
                element,
                between // self.multiplier,
                lambda *place, n=between: element.weight("depthwise.weight", (n, 0, *place)),
            )
            ends = (0,) * len(self.kernel)
            factor = element.weight("pointwise.weight", (element.channel, between, *ends))
            windows.append(window._replace(factor=factor))
        bias = self.bias_of(element, "pointwise.bias")
        rule = (
            f"for each channel the sum of value*weight over {window_words(self.kernel)}; then the"
            " sum of these, each times its 1x1 weight"
        )
        return summed(element, windows, bias, rule + (", + bias" if self.bias else ""))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        depthwise, *pointwise = self.weights(*inputs)
        between = self._between(output, inputs[0])
        first, second = (size(output[1:]) * size(w.shape) for w in (depthwise, pointwise[0]))
        return [
            *Sliding.explain(self, output, *inputs),
            ("depthwise parameters", parameters([depthwise])),
            ("pointwise parameters", parameters(pointwise)),
            ("depthwise multiply-adds", outputs_times(between, depthwise, first)),
            ("pointwise multiply-adds", outputs_times(output, pointwise[0], second)),
            ("multiply-adds", f"{first:,} + {second:,} = {first + second:,}"),
        ]


SEPARABLE = {
    axes: helper(f'''\
class SeparableConv{axes}d(nn.Sequential):
    """A convolution of each channel by itself, then one that mixes the channels."""

    def __init__(self, depthwise: nn.Module, pointwise: nn.Module) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.pointwise = pointwise
''')
    for axes in ANY_AXES
}
