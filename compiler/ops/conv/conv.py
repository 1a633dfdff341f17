"""The convolution, `conv`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ...language.kinds import count, pair
from ...shapes import PerAxis, Shape, as_map, axes_of, plain
from ..base import Constructor, Kind, Option, TorchText, Weight, constructor
from .sliding import (
    BIAS,
    DILATION,
    MODE,
    PAD,
    SAME,
    SAME_UPPER,
    STRIDE,
    Biased,
    Sliding,
    check_groups,
    outputs_times,
    parameters,
)
from .standardized import EPS, GAIN, STANDARDIZE, Standardized


class LearnedFilters(Biased, Sliding):
    """A convolution whose filters are learned."""

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (*super().weights(*inputs), *self.biases(self.filters(inputs[0][0])))

    def module(self, input_shape: Shape, bias: Option) -> Constructor:
        channels = input_shape[0]
        pads = self.pad_options(input_shape)
        return constructor(
            self.class_name(axes_of(input_shape)),
            channels,
            self.filters(channels),
            plain(self.kernel),
            stride=(plain(self.stride), 1),
            padding=pads["padding"],
            dilation=(plain(self.dilation), 1),
            groups=(self.grouped(channels), 1),
            bias=bias,
            padding_mode=pads["padding_mode"],
            **self.further_options(),
        )

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        module = self.module(inputs[0], self.bias_option())
        return TorchText(module, self.call(inputs[0]), self.helpers())

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        weights = self.weights(*inputs)
        return [
            *super().explain(output, *inputs),
            ("parameters", parameters(weights)),
            ("multiply-adds", outputs_times(output, weights[0], self.macs(output, *inputs))),
        ]


class Grouped(LearnedFilters):
    """A convolution of `out` filters, in groups of channels."""

    kind: ClassVar[Kind] = "conv"

    out: int = count("number of filters (output channels)")
    kernel: PerAxis = pair("filter size", (1, 1))
    stride: PerAxis = STRIDE
    pad: PerAxis = PAD
    dilation: PerAxis = DILATION
    groups: int = count("groups of channels, convolved separately", 1)
    bias: bool | str = BIAS

    def filters(self, channels: int) -> int:
        return self.out

    def grouped(self, channels: int) -> int:
        return self.groups

    def output(self, *inputs: Shape) -> Shape:
        check_groups(as_map(inputs[0], self.word)[0], self.out, self.groups)
        return super().output(*inputs)


class Conv(Standardized, Grouped):
    """Convolution: slides filters over the map, `out` of them."""

    word: ClassVar[str] = "conv"
    example: ClassVar[str] = "conv 64 3x3 stride=2 same"
    arithmetic: ClassVar[str] = (
        "output: floor((H + 2*pad - dilation * (kernel - 1) - 1) / stride) + 1, same for W\n"
        "parameters: out * C / groups * kernel height * kernel width, + out with bias, + out with "
        "gain\n"
        "multiply-adds: weights * output height * output width"
    )
    called: ClassVar[str] = "Keras Conv2D, Caffe Convolution"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "conv": "Conv2D(filters,kernel_size,strides,padding,data_format,dilation_rate,groups,"
        "activation,use_bias) Convolution2D(nb_filter,nb_row,nb_col) Conv2d(in_channels,"
        "out_channels,kernel_size,stride,padding,dilation,groups,bias,padding_mode) "
        "LazyConv2d(out_channels,kernel_size,stride,padding,dilation,groups,bias,padding_mode) "
        "Convolution convolutional conv_2d conv2 conv_layer ConvLayer(ni,nf,ks,stride,padding,"
        "bias) SpatialConvolution convolution2dLayer",
        "conv kernel=1x1": "conv1x1(in_planes,out_planes,stride) pointwise pointwise_conv "
        "pw pw_conv pwconv PWConv",
        "conv dilation=2": "dilated_conv(filters,kernel_size,rate>dilation) atrous(filters,"
        "kernel_size,rate>dilation) atrous_conv(filters,kernel_size,rate>dilation) "
        "AtrousConvolution2D(nb_filter,nb_row,nb_col) DilatedConv dilated_conv2d(filters,"
        "kernel_size,rate>dilation) dilated_convolution(filters,kernel_size,rate>dilation)",
        "conv kernel=3x3 same": "conv3x3(in_planes,out_planes,stride,groups,dilation)",
        "conv standardize": "StdConv2d(in_channel,out_channels,kernel_size,stride,padding,dilation,"
        "groups,bias,eps) WSConv2d weight_standardization StandardizedConv2d",
        "conv same_upper standardize": "StdConv2dSame(in_channel,out_channels,kernel_size)",
        "conv standardize gain=1": "ScaledStdConv2d(in_channels,out_channels,kernel_size,stride,"
        "padding,dilation,groups,bias,gamma>gain,eps)",
        "conv same_upper standardize gain=1": "ScaledStdConv2dSame(in_channels,out_channels,"
        "kernel_size)",
    }

    mode: str = MODE
    same: bool = SAME
    same_upper: bool = SAME_UPPER
    standardize: bool = STANDARDIZE
    eps: float = EPS
    gain: float | None = GAIN
