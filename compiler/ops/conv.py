"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import ClassVar

from ..shapes import Pair, Shape, ShapeError, as_map, by, plain, size, window_output
from ..signature import ArgumentError, choice, count, flag, natural_pair, pair
from .base import Kept, Kind, Op, TorchText, Weight, Window

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Conv(Op):
    """Convolution: slides `out` filters over the map."""

    word: ClassVar[str] = "conv"
    kind: ClassVar[Kind] = "conv"

    out: int = count("filters; they become the channels")
    kernel: Pair = pair("size of a filter", (1, 1))
    stride: Pair = pair("how far it moves at a time", (1, 1))
    pad: Pair = natural_pair("rows and columns added on each side", (0, 0))
    dilation: Pair = pair("distance between the points of a filter", (1, 1))
    groups: int = count("groups of channels that do not see one another", 1)
    bias: bool | str = choice(
        "a number added to each channel; `auto`: unless a normalisation follows",
        ["auto"],
        "auto",
        switches=True,
    )
    mode: str = choice("what the padding holds", PADDING_MODES, "zeros")
    same: bool = flag("pad evenly, so that stride 1 keeps the size")
    same_upper: bool = flag("pad as Keras and ONNX do, an odd rest at the end")

    def check(self) -> None:
        if self.same and self.same_upper:
            raise ArgumentError("`same` and `same_upper` are two ways to pad", "keep one of them")
        if (self.same or self.same_upper) and self.pad != (0, 0):
            raise ArgumentError("`same` works the padding out by itself", "take `pad` out")

    def output(self, *inputs: Shape) -> Shape:
        channels, height, width = as_map(inputs[0], self.word)
        for name, number in (("channels that arrive", channels), ("filters", self.out)):
            if number % self.groups:
                raise ShapeError(f"the {number} {name} do not divide into {self.groups} groups")
        return self.out, self._axis(0, height), self._axis(1, width)

    def _axis(self, axis: int, arriving: int) -> int:
        before, after = self.padding(axis, arriving)
        kernel, stride = self.kernel[axis], self.stride[axis]
        leaving = window_output(arriving, kernel, stride, before + after, self.dilation[axis])
        if leaving < 1:
            reach = self.dilation[axis] * (kernel - 1) + 1
            raise ShapeError(
                f"a filter that reaches over {reach} does not fit into {arriving}"
                + (f" (+ {before + after} padding)" if before + after else ""),
                "make the filter smaller, pad, or shrink the map less before it",
            )
        if self.same and leaving != ceil(arriving / stride):
            raise ShapeError(
                f"`same` cannot pad a filter of even size {by(self.kernel)} evenly",
                "take a filter of odd size, or `same_upper`",
            )
        return leaving

    def padding(self, axis: int, arriving: int) -> tuple[int, int]:
        """Rows or columns added before and after."""
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        if self.same:
            return (reach - 1) // 2, (reach - 1) // 2
        if self.same_upper:
            stride = self.stride[axis]
            total = max((ceil(arriving / stride) - 1) * stride + reach - arriving, 0)
            return total // 2, total - total // 2
        return self.pad[axis], self.pad[axis]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        weight = Weight("weight", (self.out, inputs[0][0] // self.groups, *self.kernel))
        return (weight, Weight("bias", (self.out,))) if self.bias else (weight,)

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return size(output) * self._products(inputs[0])

    def _products(self, arriving: Shape) -> int:
        """Products that go into one output."""
        return arriving[0] // self.groups * self.kernel[0] * self.kernel[1]

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return size(output) if self.bias else 0

    def window(self, output: Shape, *inputs: Shape) -> Window:
        _, height, width = inputs[0]
        reach = [self.dilation[axis] * (self.kernel[axis] - 1) + 1 for axis in (0, 1)]
        top, left = self.padding(0, height)[0], self.padding(1, width)[0]
        return Window((reach[0], reach[1]), self.stride, (-top, -left))

    def _uneven(self, arriving: Shape) -> bool:
        """Whether torch needs a separate padding step."""
        return any(len(set(self.padding(axis, arriving[1 + axis]))) > 1 for axis in (0, 1))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        if not self._uneven(inputs[0]) and self.mode == "zeros":
            return Kept(inputs=(0,))
        channels, height, width = inputs[0]
        padded = (height + sum(self.padding(0, height))) * (width + sum(self.padding(1, width)))
        return Kept(own=channels * padded)

    def settle(self, followers: Sequence[Op]) -> Op:
        if self.bias != "auto":
            return self
        normalised = bool(followers) and all(follower.kind == "norm" for follower in followers)
        return self.replace(bias=not normalised)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        channels, height, width = inputs[0]
        (top, bottom), (left, right) = self.padding(0, height), self.padding(1, width)
        uneven = self._uneven(inputs[0])
        options = [
            ("stride", plain(self.stride), "1"),
            ("padding", plain((0, 0) if uneven else (top, left)), "0"),
            ("dilation", plain(self.dilation), "1"),
            ("groups", str(self.groups), "1"),
            ("bias", str(bool(self.bias)), "True"),
            ("padding_mode", f'"{self.mode}"', '"zeros"'),
        ]
        given = "".join(f", {name}={value}" for name, value, usual in options if value != usual)
        module = f"nn.Conv2d({channels}, {self.out}, {plain(self.kernel)}{given})"
        if not uneven:
            return TorchText(module)
        return TorchText(module, f"{{m}}(F.pad({{0}}, ({left}, {right}, {top}, {bottom})))")

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = []
        for axis, name in enumerate(("height", "width")):
            arriving, leaving = inputs[0][1 + axis], output[1 + axis]
            before, after = self.padding(axis, arriving)
            padding = f"2*{before}" if before == after else f"{before} + {after}"
            reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            exact = (arriving + before + after - reach) / self.stride[axis] + 1
            rounded = "" if exact == leaving else f" -> {leaving}"
            lines.append(
                (
                    name,
                    f"({arriving} + {padding} - {reach})/{self.stride[axis]} + 1 = {exact:g}{rounded}",
                )
            )
        per_filter = f"{inputs[0][0] // self.groups}*{self.kernel[0]}*{self.kernel[1]}"
        products = self._products(inputs[0])
        weights = self.out * products
        bias = f" + {self.out} biases = {weights + self.out:,}" if self.bias else ""
        lines.append(("parameters", f"{self.out} filters * {per_filter} = {weights:,}{bias}"))
        macs = self.macs(output, *inputs)
        lines.append(
            ("multiply-adds", f"{'*'.join(map(str, output))} outputs * {per_filter} = {macs:,}")
        )
        return lines
