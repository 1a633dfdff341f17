"""The transposed convolution, `deconv`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import ClassVar

from ...language.kinds import count, flag, natural_pair, pair
from ...language.signature import ArgumentError
from ...shapes import (
    AXES,
    Pair,
    PerAxis,
    Shape,
    ShapeError,
    as_map,
    axes_of,
    by,
    exact_ratio,
    plain,
    size,
)
from ..base import ANY_AXES, Autocast, Kept, Kind, TorchText, Weight, Window, constructor
from ..worked import Element, Worked, products, summed
from .sliding import BIAS, DILATION, Biased, check_groups, parameters, reach


class Deconv(Biased):
    """Transposed convolution: each input is spread over a window of the output."""

    autocast: ClassVar[Autocast] = "low"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    word: ClassVar[str] = "deconv"
    gradient: ClassVar[str] = (
        "dx = a convolution of dy with the same filters, stride and padding\n"
        "dweight = sum of x * the window of dy that it was spread over"
    )
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
    kernel: PerAxis = pair("filter size")
    stride: PerAxis = pair("distance between the windows of two neighboring inputs", (1, 1))
    pad: PerAxis = natural_pair("rows and columns cut off on each side", (0, 0))
    output_pad: PerAxis = natural_pair(
        "rows and columns added at the end; below the stride", (0, 0)
    )
    dilation: PerAxis = DILATION
    groups: int = count("groups of channels, convolved separately", 1)
    bias: bool | str = BIAS
    same: bool = flag("cut off the border so that the output is `stride` times the input's size")

    def check(self) -> None:
        if self.same and any((*self.pad, *self.output_pad)):
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
            self.padding(axis)[1] >= max(stride, dilation)
            for axis, (stride, dilation) in enumerate(zip(self.stride, self.dilation, strict=True))
        ):
            raise ArgumentError(
                f"`same` cannot evenly cut off what a filter of even size {by(self.kernel)} adds",
                "take a filter of odd size, or a stride of 2",
            )

    def output(self, *inputs: Shape) -> Shape:
        channels, *lengths = as_map(inputs[0], self.word)
        check_groups(channels, self.out, self.groups)
        return self.out, *(self._axis(axis, length) for axis, length in enumerate(lengths))

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
        return size(inputs[0][1:]) * size(self.weights(*inputs)[0].shape)

    def window(self, output: Shape, *inputs: Shape) -> Window:
        # Output o gets something from input i where o + pad = i*stride + k*dilation. That is at
        # most `seen` of them, the last of which is (o + pad)/stride, rounded down.
        windows = []
        for axis, stride in enumerate(self.stride):
            seen = (self._reach(axis) - 1) // stride + 1
            start = exact_ratio(self.padding(axis)[0], stride) - seen + 1
            windows.append((seen, exact_ratio(1, stride), start))
        sizes, strides, starts = zip(*windows, strict=True)
        return Window(sizes, strides, starts)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(inputs[0])
        pads, added = zip(*(self.padding(axis) for axis in range(axes)), strict=True)
        module = constructor(
            f"nn.ConvTranspose{axes}d",
            inputs[0][0],
            self.out,
            plain(self.kernel),
            stride=(plain(self.stride), 1),
            padding=(plain(pads), 0),
            output_padding=(plain(added), 0),
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
        sides = zip(element.position, element.inputs[0][1:], strict=True)
        reaching = [self._spreading(axis, at, side) for axis, (at, side) in enumerate(sides)]
        windows = []
        for channel in range(group * inside, (group + 1) * inside):
            terms = []
            for pairs in product(*reaching):
                sources, taps = zip(*pairs, strict=True)
                factor = element.weight("weight", (channel, own, *taps))
                terms.append(element.term(channel, sources, factor))
            windows.append(products(f"channel {channel}", terms, max(len(reaching[-1]), 1)))
        rule = f"sum of value*weight over all inputs whose {by(self.kernel)} window covers it"
        worked = summed(
            element, windows, self.bias_of(element), rule + (", + bias" if self.bias else "")
        )
        return worked if all(reaching) else worked._replace(note="no window covers it")

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
        for axis, name in enumerate(AXES[axes_of(output)]):
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
            ("parameters", parameters(weights, "channel")),
            ("multiply-adds", f"{input_elements} inputs * {each} = {macs:,}"),
        ]
