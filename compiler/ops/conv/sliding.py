"""Convolution layers: conv, depthwise, separable, deconv."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import gcd
from typing import ClassVar

from ...language.kinds import choice, count, flag, natural_pair, pair
from ...language.signature import ArgumentError
from ...shapes import Pair, Shape, ShapeError, as_map, by, plain, size, window_output
from ..base import (
    Autocast,
    Constructor,
    Kept,
    Kind,
    Op,
    Option,
    TorchText,
    Weight,
    Window,
    constructor,
    helper,
)
from ..examples import correlation_lines, readers
from ..padding import PADDING_MODES, Sides, check_padding, pad_text, padded_size
from ..worked import Element, Group, Worked, products, summed

# One object may serve several signatures: a class asks for the order, not for the object.
STRIDE = pair("step between the positions of a filter", (1, 1))
PAD = natural_pair("rows and columns added on each side", (0, 0))
DILATION = pair("distance between the elements of a filter", (1, 1))
MODE = choice("what the padding is filled with", PADDING_MODES, "zeros")
SAME = flag("pad evenly, so that stride 1 keeps the size")
SAME_UPPER = flag("pad as Keras and ONNX do, with an odd row or column at the end")
BIAS = choice(
    "a learned bias for each channel; `auto`: unless a normalization follows",
    ["auto"],
    "auto",
    switches=True,
)


MOST_COUNTED = 1000
"""Up to this size of filters, strides and padding, `explain` counts how often pixels are read."""


class Biased(Op):
    """A convolution that may have a bias for each channel."""

    bias: bool | str

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """One addition for each output element if there is a bias."""
        return size(output) if self.bias else 0

    def settle(self, followers: Sequence[Op]) -> Op:
        if self.bias != "auto":
            return self
        absorbed = bool(followers) and all(follower.absorbs_bias for follower in followers)
        return self.replace(bias=not absorbed)

    def biases(self, channels: int) -> tuple[Weight, ...]:
        return (Weight("bias", (channels,)),) if self.bias else ()

    def bias_option(self) -> Option:
        return bool(self.bias), True

    def bias_of(self, element: Element, name: str = "bias") -> float | None:
        return element.weight(name, (element.channel,)) if self.bias else None


class Sliding(Op):
    """Slides filters over a padded map with a stride: shared by `conv` and its relatives."""

    autocast: ClassVar[Autocast] = "low"
    stride: Pair
    pad: Pair
    dilation: Pair
    mode: str
    same: bool
    same_upper: bool

    @property
    def kernel(self) -> Pair:
        """Height and width of a filter."""
        raise NotImplementedError

    def filters(self, channels: int) -> int:
        raise NotImplementedError

    def grouped(self, channels: int) -> int:
        """The number of groups that the channels are divided into."""
        raise NotImplementedError

    def check(self) -> None:
        if self.same and self.same_upper:
            raise ArgumentError(
                "`same` and `same_upper` are two ways to pad", "keep one of them", drop="same"
            )
        if (self.same or self.same_upper) and self.pad != (0, 0):
            raise ArgumentError("`same` computes the padding itself", "take `pad` out", drop="pad")

    def output(self, *inputs: Shape) -> Shape:
        channels, height, width = as_map(inputs[0], self.word)
        output_sides = self._axis(0, height), self._axis(1, width)
        check_padding(self.mode, self.sides(inputs[0]), inputs[0])
        return self.filters(channels), *output_sides

    def reach(self, axis: int) -> int:
        return reach(self.kernel[axis], self.dilation[axis])

    def _axis(self, axis: int, side: int) -> int:
        before, after = self.padding(axis, side)
        kernel, stride = self.kernel[axis], self.stride[axis]
        output_side = window_output(side, kernel, stride, before + after, self.dilation[axis])
        if output_side < 1:
            raise ShapeError(
                f"a filter that spans {self.reach(axis)} does not fit into {side}"
                + (f" (+ {before + after} padding)" if before + after else ""),
                "make the filter smaller, pad, or downsample less before it",
                change={"kernel": self._fitting(side + before + after)},
            )
        if self.same and output_side != -(-side // stride):
            raise ShapeError(
                f"`same` cannot pad a filter of even size {by(self.kernel)} evenly",
                "take a filter of odd size, or `same_upper`",
                change={"same": False, "same_upper": True},
            )
        return output_side

    def _fitting(self, room: int) -> Pair:
        """The kernel size, reduced to what fits into the given number of rows."""
        height, width = (
            min(kernel, (room - 1) // dilation + 1)
            for kernel, dilation in zip(self.kernel, self.dilation, strict=True)
        )
        return height, width

    def padding(self, axis: int, side: int) -> Pair:
        """Rows or columns added before and after."""
        reach = self.reach(axis)
        if self.same:
            return (reach - 1) // 2, (reach - 1) // 2
        if self.same_upper:
            stride = self.stride[axis]
            total = max((-(-side // stride) - 1) * stride + reach - side, 0)
            return total // 2, total - total // 2
        return self.pad[axis], self.pad[axis]

    def sides(self, input_shape: Shape) -> Sides:
        return self.padding(0, input_shape[1]), self.padding(1, input_shape[2])

    def uneven(self, input_shape: Shape) -> bool:
        """Whether torch needs a separate padding step."""
        return any(before != after for before, after in self.sides(input_shape))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        channels = inputs[0][0]
        inside = channels // self.grouped(channels)
        return (Weight("weight", (self.filters(channels), inside, *self.kernel)),)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        _, height, width = output
        return height * width * size(self.weights(*inputs)[0].shape)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        (top, _), (left, _) = self.sides(inputs[0])
        return Window((self.reach(0), self.reach(1)), self.stride, (-top, -left))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        sides = self.sides(inputs[0])
        if sides == ((0, 0), (0, 0)) or (self.mode == "zeros" and not self.uneven(inputs[0])):
            return Kept(inputs=(0,))
        # Mirroring and repeating ask for their own input, too, when they are differentiated.
        before = (0,) if self.mode in ("reflect", "replicate") else ()
        return Kept(inputs=before, own=padded_size(sides, inputs[0]))

    def pad_options(self, input_shape: Shape) -> dict[str, Option]:
        """The padding arguments of torch's convolution, if it does the padding."""
        (top, bottom), (left, right) = self.sides(input_shape)
        even = (top, left) == (bottom, right)
        mode = self.mode if even and (top or left) else "zeros"
        return {
            "padding": (plain((top, left)) if even else 0, 0),
            "padding_mode": (mode, "zeros"),
        }

    def call(self, input_shape: Shape) -> str:
        if not self.uneven(input_shape):
            return "{m}({0})"
        return f"{{m}}({pad_text(self.sides(input_shape), self.mode)})"

    def covered(self, element: Element, channel: int, filter: Callable[[int, int], float]) -> Group:
        """The window of a channel under a filter: values times weights."""
        (top, _), (left, _) = self.sides(element.inputs[0])
        first_row = element.row * self.stride[0] - top
        first_column = element.column * self.stride[1] - left
        terms = [
            element.padded(
                self.mode,
                channel,
                first_row + row * self.dilation[0],
                first_column + column * self.dilation[1],
                filter(row, column),
            )
            for row in range(self.kernel[0])
            for column in range(self.kernel[1])
        ]
        return products(f"channel {channel}", terms, self.kernel[1])

    def work_out(self, element: Element) -> Worked:
        """The sum over the channels of the element's group."""
        channels = element.inputs[0][0]
        groups = self.grouped(channels)
        inside = channels // groups
        own = element.channel
        first = own // (self.filters(channels) // groups) * inside
        windows = [
            self.covered(
                element,
                first + n,
                lambda row, column, n=n: element.weight("weight", (own, n, row, column)),  # type: ignore[misc]
            )
            for n in range(inside)
        ]
        bias = self.bias_of(element) if isinstance(self, Biased) else None
        return summed(element, windows, bias, self.rule(inside, bias))

    def examples(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        if self.kernel == (1, 1):
            return []
        return [*self.read_often(output, inputs[0]), *correlation_lines()]

    def read_often(self, output: Shape, input_shape: Shape) -> list[tuple[str, str]]:
        """How many outputs read a pixel in a corner, at an edge and inside, with this padding and
        without.
        """
        if max(map(max, (self.kernel, self.stride, *self.sides(input_shape)))) > MOST_COUNTED:
            return []
        own = self._readers(output, input_shape)
        lines = [("pixels are read", f"{own} outputs of a filter")]
        if any(map(any, self.sides(input_shape))):
            try:
                bare = self.replace(pad=(0, 0), same=False, same_upper=False, mode="zeros")
                without = bare._readers(bare.output(input_shape), input_shape)
            except ShapeError:
                return lines
            if without != own:
                lines.append(("", f"without padding: {without}"))
        return lines

    def _readers(self, output: Shape, input_shape: Shape) -> str:
        along = []
        for axis, side in enumerate(input_shape[1:]):
            before, after = self.padding(axis, side)
            inner = range(side // 2, min(side // 2 + self.stride[axis], side))
            first, *others = (
                readers(
                    pixel,
                    side,
                    output[1 + axis],
                    self.kernel[axis],
                    self.stride[axis],
                    self.dilation[axis],
                    before,
                    after,
                    self.mode,
                )
                for pixel in (0, *inner)
            )
            along.append((first, min(others), max(others)))
        (top, few_rows, rows), (left, few_columns, columns) = along
        edge = span(min(top * few_columns, few_rows * left), max(top * columns, rows * left))
        inside = span(few_rows * few_columns, rows * columns)
        return f"a corner by {top * left}, an edge by {edge}, the inside by {inside}"

    def rule(self, channels: int, bias: float | None) -> str:
        over = f" and {channels} channels" if channels > 1 else ""
        return f"sum of value*weight over a {by(self.kernel)} window{over}" + (
            ", + bias" if bias is not None else ""
        )

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = []
        for axis, name in enumerate(("height", "width")):
            side, output_side = inputs[0][1 + axis], output[1 + axis]
            before, after = self.padding(axis, side)
            reach, stride = self.reach(axis), self.stride[axis]
            padding = f"2*{before}" if before == after else f"{before} + {after}"
            added = f" + {padding}" if before + after else ""
            steps = Fraction(side + before + after - reach, stride) + 1
            rounded = "" if steps == output_side else f" -> {output_side}"
            how = f"({side}{added} - {reach})/{stride} + 1 = {decimal(steps)}{rounded}"
            if self.dilation[axis] > 1 and self.kernel[axis] > 1:
                spread = f"{self.dilation[axis]}*({self.kernel[axis]} - 1) + 1 = {reach}"
                how += f", with a filter that spans {spread}"
            lines.append((name, how))
        return lines


class Conv(Biased, Sliding):
    """Convolution: slides `out` filters over the map."""

    word: ClassVar[str] = "conv"
    example: ClassVar[str] = "conv 64 3x3 stride=2 same"
    arithmetic: ClassVar[str] = (
        "output: floor((H + 2*pad - dilation * (kernel - 1) - 1) / stride) + 1, same for W\n"
        "parameters: out * C / groups * kernel height * kernel width, + out with bias\n"
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
    }
    kind: ClassVar[Kind] = "conv"

    out: int = count("number of filters (output channels)")
    kernel: Pair = pair("filter size", (1, 1))
    stride: Pair = STRIDE
    pad: Pair = PAD
    dilation: Pair = DILATION
    groups: int = count("groups of channels, convolved separately", 1)
    bias: bool | str = BIAS
    mode: str = MODE
    same: bool = SAME
    same_upper: bool = SAME_UPPER

    def filters(self, channels: int) -> int:
        return self.out

    def grouped(self, channels: int) -> int:
        return self.groups

    def output(self, *inputs: Shape) -> Shape:
        check_groups(as_map(inputs[0], self.word)[0], self.out, self.groups)
        return super().output(*inputs)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (*super().weights(*inputs), *self.biases(self.out))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        pads = self.pad_options(inputs[0])
        module = constructor(
            "nn.Conv2d",
            inputs[0][0],
            self.out,
            plain(self.kernel),
            stride=(plain(self.stride), 1),
            padding=pads["padding"],
            dilation=(plain(self.dilation), 1),
            groups=(self.groups, 1),
            bias=self.bias_option(),
            padding_mode=pads["padding_mode"],
        )
        return TorchText(module, self.call(inputs[0]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        weights = self.weights(*inputs)
        return [
            *super().explain(output, *inputs),
            ("parameters", parameters(weights)),
            ("multiply-adds", outputs_times(output, weights[0], self.macs(output, *inputs))),
        ]


class PerChannel(Biased, Sliding):
    """A convolution with filters of its own for each channel."""

    multiplier: int

    def filters(self, channels: int) -> int:
        return channels * self.multiplier

    def grouped(self, channels: int) -> int:
        return channels

    def module(self, input_shape: Shape, bias: Option) -> Constructor:
        channels = input_shape[0]
        pads = self.pad_options(input_shape)
        return constructor(
            "nn.Conv2d",
            channels,
            self.filters(channels),
            plain(self.kernel),
            stride=(plain(self.stride), 1),
            padding=pads["padding"],
            dilation=(plain(self.dilation), 1),
            groups=(channels, 1),
            bias=bias,
            padding_mode=pads["padding_mode"],
        )


class Depthwise(PerChannel):
    """Convolution with a filter (or `multiplier` filters) of its own for each channel."""

    word: ClassVar[str] = "depthwise"
    example: ClassVar[str] = "depthwise 3x3 same"
    arithmetic: ClassVar[str] = (
        "output: C * multiplier channels, of the size that `conv` would give\n"
        "parameters: C * multiplier * kernel height * kernel width, + C * multiplier with bias\n"
        "multiply-adds: weights * output height * output width"
    )
    called: ClassVar[str] = "Keras DepthwiseConv2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "depthwise": "DepthwiseConv2D(kernel_size,strides,padding,depth_multiplier,data_format,"
        "dilation_rate,activation,use_bias) depthwise_conv dwconv depthwise_convolution "
        "ConvolutionDepthwise dw dw_conv DWConv DepthwiseConv2d DepthwiseConvolution2D",
    }
    kind: ClassVar[Kind] = "conv"

    kernel: Pair = pair("filter size")
    stride: Pair = STRIDE
    pad: Pair = PAD
    dilation: Pair = DILATION
    multiplier: int = count("filters for each channel", 1)
    bias: bool | str = BIAS
    mode: str = MODE
    same: bool = SAME
    same_upper: bool = SAME_UPPER

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (*super().weights(*inputs), *self.biases(self.filters(inputs[0][0])))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(self.module(inputs[0], self.bias_option()), self.call(inputs[0]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        weights = self.weights(*inputs)
        return [
            *super().explain(output, *inputs),
            ("parameters", parameters(weights)),
            ("multiply-adds", outputs_times(output, weights[0], self.macs(output, *inputs))),
        ]


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
    kernel: Pair = pair("filter size of the depthwise convolution")
    stride: Pair = STRIDE
    pad: Pair = PAD
    dilation: Pair = DILATION
    multiplier: int = count("depthwise filters for each channel", 1)
    bias: bool | str = BIAS
    mode: str = MODE
    same: bool = SAME
    same_upper: bool = SAME_UPPER

    # As in Keras, there is no bias between the two: the second convolution makes up for it.

    def output(self, *inputs: Shape) -> Shape:
        return self.out, *super().output(*inputs)[1:]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (depthwise,) = super().weights(*inputs)
        return (
            depthwise._replace(name="depthwise.weight", inputs_first=True),
            Weight("pointwise.weight", (self.out, depthwise.shape[0], 1, 1)),
            *(bias._replace(name="pointwise.bias") for bias in self.biases(self.out)),
        )

    def _between(self, output: Shape, input_shape: Shape) -> Shape:
        """The shape between the depthwise and the pointwise convolution."""
        return self.filters(input_shape[0]), *output[1:]

    def macs(self, output: Shape, *inputs: Shape) -> int:
        depthwise, pointwise = self.weights(*inputs)[:2]
        return output[1] * output[2] * (size(depthwise.shape) + size(pointwise.shape))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        depthwise = super().kept(output, *inputs)
        return depthwise._replace(own=depthwise.own + size(self._between(output, inputs[0])))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        depthwise = self.module(inputs[0], bias=(False, True))
        between = self.filters(inputs[0][0])
        pointwise = constructor("nn.Conv2d", between, self.out, 1, bias=self.bias_option())
        module = constructor("SeparableConv2d", depthwise, pointwise)
        return TorchText(module, self.call(inputs[0]), SEPARABLE)

    def work_out(self, element: Element) -> Worked:
        windows = []
        for between in range(self.filters(element.inputs[0][0])):
            window = self.covered(
                element,
                between // self.multiplier,
                lambda row, column, n=between: element.weight(  # type: ignore[misc]
                    "depthwise.weight", (n, 0, row, column)
                ),
            )
            factor = element.weight("pointwise.weight", (element.channel, between, 0, 0))
            windows.append(window._replace(factor=factor))
        bias = self.bias_of(element, "pointwise.bias")
        rule = (
            f"for each channel the sum of value*weight over a {by(self.kernel)} window; then the"
            " sum of these, each times its 1x1 weight"
        )
        return summed(element, windows, bias, rule + (", + bias" if self.bias else ""))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        depthwise, *pointwise = self.weights(*inputs)
        between = self._between(output, inputs[0])
        first, second = (output[1] * output[2] * size(w.shape) for w in (depthwise, pointwise[0]))
        return [
            *super().explain(output, *inputs),
            ("depthwise parameters", parameters([depthwise])),
            ("pointwise parameters", parameters(pointwise)),
            ("depthwise multiply-adds", outputs_times(between, depthwise, first)),
            ("pointwise multiply-adds", outputs_times(output, pointwise[0], second)),
            ("multiply-adds", f"{first:,} + {second:,} = {first + second:,}"),
        ]


class Deconv(Biased):
    """Transposed convolution: each input is spread over a window of the output."""

    autocast: ClassVar[Autocast] = "low"
    word: ClassVar[str] = "deconv"
    example: ClassVar[str] = "deconv 8 2x2 stride=2"
    arithmetic: ClassVar[str] = (
        "output: (H - 1) * stride - 2*pad + dilation * (kernel - 1) + output_pad + 1, same for W\n"
        "parameters: C * out / groups * kernel height * kernel width, + out with bias\n"
        "multiply-adds: weights * height * width of the input"
    )
    called: ClassVar[str] = "Keras Conv2DTranspose, Caffe Deconvolution"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "deconv": "ConvTranspose2d(in_channels,out_channels,kernel_size,stride,padding,"
        "output_padding,groups,bias,dilation) Conv2DTranspose(filters,kernel_size,strides,"
        "padding,output_padding,data_format,dilation_rate,activation,use_bias) conv_transpose "
        "upconv transposed_conv Deconvolution Deconvolution2D deconvolutional deconv2d "
        "LazyConvTranspose2d(out_channels,kernel_size,stride,padding,output_padding,groups,bias) "
        "SpatialFullConvolution Conv2DTransposed "
        "Convolution2DTranspose(filters,kernel_size,strides,padding)",
    }
    kind: ClassVar[Kind] = "conv"

    # No `mode`: the padding is cut off the output, there is nothing to fill.

    out: int = count("output channels")
    kernel: Pair = pair("filter size")
    stride: Pair = pair("distance between the windows of two neighboring inputs", (1, 1))
    pad: Pair = natural_pair("rows and columns cut off on each side", (0, 0))
    output_pad: Pair = natural_pair("rows and columns added at the end; below the stride", (0, 0))
    dilation: Pair = DILATION
    groups: int = count("groups of channels, convolved separately", 1)
    bias: bool | str = BIAS
    same: bool = flag("cut off the border so that the output is `stride` times the input's size")

    def check(self) -> None:
        if self.same and (self.pad != (0, 0) or self.output_pad != (0, 0)):
            raise ArgumentError(
                "`same` computes the padding itself", "take `pad` and `output_pad` out"
            )
        for added, stride, dilation in zip(
            self.output_pad, self.stride, self.dilation, strict=True
        ):
            if added >= max(stride, dilation):
                raise ArgumentError(
                    f"`output_pad={plain(self.output_pad)}` has to be below the stride,"
                    f" {plain(self.stride)}, or the dilation",
                    f"it selects one of the sizes that a stride of {stride} reduces to the input:"
                    f" at most {max(stride, dilation) - 1} here",
                )
        if self.same and any(
            self.padding(axis)[1] >= max(self.stride[axis], self.dilation[axis]) for axis in (0, 1)
        ):
            raise ArgumentError(
                f"`same` cannot evenly cut off what a filter of even size {by(self.kernel)} adds",
                "take a filter of odd size, or a stride of 2",
            )

    def output(self, *inputs: Shape) -> Shape:
        channels, height, width = as_map(inputs[0], self.word)
        check_groups(channels, self.out, self.groups)
        return self.out, self._axis(0, height), self._axis(1, width)

    def _axis(self, axis: int, side: int) -> int:
        pad, added = self.padding(axis)
        whole = (side - 1) * self.stride[axis] + self._reach(axis) + added
        if whole - 2 * pad < 1:
            raise ShapeError(
                f"nothing is left: `pad` cuts {pad} off each side of {whole}",
                f"`pad` can be at most {(whole - 1) // 2} here",
            )
        return whole - 2 * pad

    def _reach(self, axis: int) -> int:
        return reach(self.kernel[axis], self.dilation[axis])

    def padding(self, axis: int) -> Pair:
        """What is cut off on each side, and what is added at the end."""
        if not self.same:
            return self.pad[axis], self.output_pad[axis]
        # stride times what arrives is left by cutting off this much in all; an odd amount is
        # rounded up and the rest put back at the end.
        over = self._reach(axis) - self.stride[axis]
        return (0, -over) if over < 0 else ((over + 1) // 2, over % 2)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        # Torch's order: the input channels come first.
        shape = (inputs[0][0], self.out // self.groups, *self.kernel)
        return Weight("weight", shape, inputs_first=True), *self.biases(self.out)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        """Each input element times each weight applied to it, including products in the border that
        is cut off: torch's FLOP counter does the same.
        """
        _, height, width = inputs[0]
        return height * width * size(self.weights(*inputs)[0].shape)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        # Output o gets something from input i where o + pad = i*stride + k*dilation. That is at
        # most `seen` of them, the last of which is (o + pad)/stride, rounded down.
        windows = []
        for axis in (0, 1):
            stride = self.stride[axis]
            seen = (self._reach(axis) - 1) // stride + 1
            start = Fraction(self.padding(axis)[0], stride) - seen + 1
            windows.append((seen, Fraction(1, stride), start))
        sizes, strides, starts = zip(*windows, strict=True)
        return Window(sizes, strides, starts)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        (top, more_rows), (left, more_columns) = self.padding(0), self.padding(1)
        module = constructor(
            "nn.ConvTranspose2d",
            inputs[0][0],
            self.out,
            plain(self.kernel),
            stride=(plain(self.stride), 1),
            padding=(plain((top, left)), 0),
            output_padding=(plain((more_rows, more_columns)), 0),
            groups=(self.groups, 1),
            bias=self.bias_option(),
            dilation=(plain(self.dilation), 1),
        )
        return TorchText(module)

    def work_out(self, element: Element) -> Worked:
        """All inputs that spread a window over this element."""
        out_inside = self.out // self.groups
        inside = element.inputs[0][0] // self.groups
        group, own = divmod(element.channel, out_inside)
        rows = self._spreading(0, element.row, element.inputs[0][1])
        columns = self._spreading(1, element.column, element.inputs[0][2])
        windows = []
        for channel in range(group * inside, (group + 1) * inside):
            terms = [
                element.term(
                    channel, row, column, element.weight("weight", (channel, own, down, right))
                )
                for row, down in rows
                for column, right in columns
            ]
            windows.append(products(f"channel {channel}", terms, max(len(columns), 1)))
        bias = self.bias_of(element)
        rule = f"sum of value*weight over all inputs whose {by(self.kernel)} window covers it"
        return summed(element, windows, bias, rule + (", + bias" if self.bias else ""))

    def _spreading(self, axis: int, position: int, side: int) -> list[Pair]:
        """The input rows (or columns) that reach an output row, and the filter's row each time."""
        reached = position + self.padding(axis)[0]
        found = []
        for tap in range(self.kernel[axis]):
            source, rest = divmod(reached - tap * self.dilation[axis], self.stride[axis])
            if not rest and 0 <= source < side:
                found.append((source, tap))
        return found[::-1]

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = []
        for axis, name in enumerate(("height", "width")):
            side, stride = inputs[0][1 + axis], self.stride[axis]
            pad, added = self.padding(axis)
            cut = f" - 2*{pad}" if pad else ""
            plus = f" + {added}" if added else ""
            how = f"({side} - 1)*{stride}{cut} + {self._reach(axis)}{plus}"
            lines.append((name, f"{how} = {output[1 + axis]}"))
        weights = self.weights(*inputs)
        macs = self.macs(output, *inputs)
        input_elements = "*".join(map(str, inputs[0]))
        each = "*".join(map(str, weights[0].shape[1:]))
        return [
            *lines,
            ("parameters", parameters(weights, "channels")),
            ("multiply-adds", f"{input_elements} inputs * {each} = {macs:,}"),
        ]


# ---- what they share --------------------------------------------------------------------------


def reach(kernel: int, dilation: int) -> int:
    """The extent of a dilated filter, from its first to its last element."""
    return dilation * (kernel - 1) + 1


def span(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"


def check_groups(channels: int, out: int, groups: int) -> None:
    for what, number in (("input channels", channels), ("filters", out)):
        if number % groups:
            nearest = -(-number // groups) * groups
            raise ShapeError(
                f"{number} {what} cannot be divided into {groups} groups",
                f"{nearest} would: {nearest // groups} in each group",
                change={"groups": gcd(channels, out)},
            )


def decimal(number: Fraction) -> str:
    """`112.5`; digits after the third are dropped."""
    whole, rest = divmod(number.numerator, number.denominator)
    digits = f"{rest * 1000 // number.denominator:03}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def parameters(weights: Sequence[Weight], what: str = "filters") -> str:
    """`64 filters * 3*7*7 = 9,408; + 64 biases = 9,472`."""
    weight, *biases = weights
    total = size(weight.shape)
    each = "*".join(map(str, weight.shape[1:]))
    line = f"{weight.shape[0]} {what} * {each} = {total:,}"
    for bias in biases:
        line += f"; + {size(bias.shape)} biases = {total + size(bias.shape):,}"
    return line


def outputs_times(output: Shape, weight: Weight, macs: int) -> str:
    """`64*112*112 outputs * 3*7*7 = 118,013,952`."""
    each = "*".join(map(str, weight.shape[1:]))
    return f"{'*'.join(map(str, output))} outputs * {each} = {macs:,}"


SEPARABLE = helper('''\
class SeparableConv2d(nn.Sequential):
    """A convolution of each channel by itself, then one that mixes the channels."""

    def __init__(self, depthwise: nn.Module, pointwise: nn.Module) -> None:
        super().__init__()
        self.depthwise = depthwise
        self.pointwise = pointwise
''')
