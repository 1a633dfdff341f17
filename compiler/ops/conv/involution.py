"""Involution, `involution`: filters of each place, which all channels of a group share."""

from __future__ import annotations

from typing import ClassVar

from ...language.kinds import count, pair
from ...shapes import PerAxis, Shape, ShapeError, plain, size, text
from ..base import Kept, Kind, TorchText, Weight, call_text, helper
from ..worked import Element, Worked, summed
from .sliding import DILATION, PAD, SAME, STRIDE, Sliding


class Involution(Sliding):
    """Filters of each place that channels share, where convolution has it the other way round.

    The body computes them, at the size of the output, with a channel for each element of a filter
    and each group: `involution 7x7 groups=4 same { conv channels//4, bn, relu, conv 196 }`
    (RedNet, arXiv:2103.06255).
    """

    word: ClassVar[str] = "involution"
    example: ClassVar[str] = "involution 3x3 groups=2 same { conv 4, bn, relu, conv 18 }"
    arithmetic: ClassVar[str] = (
        "output: the size that `conv` would give, with the same channels\n"
        "body: kernel height * kernel width * groups channels, the filter of a group in turn\n"
        "parameters: those of the body\n"
        "multiply-adds: output elements * kernel height * kernel width, and those of the body\n"
        "products of two maps count as multiply-adds here; torch's FLOP counter takes them for"
        " elementwise"
    )
    kind: ClassVar[Kind] = "conv"
    spatial_axes: ClassVar[tuple[int, ...]] = (2,)
    paths: ClassVar[tuple[str, ...]] = ("filters",)
    needs_paths: ClassVar[bool] = True

    kernel: PerAxis = pair("filter size")
    stride: PerAxis = STRIDE
    pad: PerAxis = PAD
    dilation: PerAxis = DILATION
    groups: int = count("groups of channels, each with filters of its own", 1, example="1")
    same: bool = SAME

    mode: ClassVar[str] = "zeros"  # type: ignore[misc]
    same_upper: ClassVar[bool] = False  # type: ignore[misc]

    def filters(self, channels: int) -> int:
        return channels

    def grouped(self, channels: int) -> int:
        return channels

    def output(self, *inputs: Shape) -> Shape:
        output = super().output(inputs[0])
        channels = inputs[0][0]
        if channels % self.groups:
            raise ShapeError(
                f"{channels} input channels cannot be divided into {self.groups} groups",
                f"use a number of groups that divides {channels}",
            )
        needed = (size(self.kernel) * self.groups, *output[1:])
        if len(inputs) > 1 and inputs[1] != needed:
            raise ShapeError(
                f"the filters of each place are {text(needed)}, and the body leaves"
                f" {text(inputs[1])}",
                f"end it with `conv {needed[0]}`, at the size of the output, {text(output[1:])}",
            )
        return output

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()

    def macs(self, output: Shape, *inputs: Shape) -> int:
        return size(output) * size(self.kernel)

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        # What the filters lie on, by place.
        return Kept(inputs=(1,), own=size(output) * size(self.kernel))

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        padding = self.padding(0, inputs[0][1])[0], self.padding(1, inputs[0][2])[0]
        steps = {"dilation": self.dilation, "padding": padding, "stride": self.stride}
        usual = {"dilation": (1, 1), "padding": (0, 0), "stride": (1, 1)}
        given = {n: plain(value) for n, value in steps.items() if value != usual[n]}
        options = "".join(f", {name}={{{name}}}" for name in given)
        pattern = f"involution({{0}}, {{1}}, {{kernel}}, {{groups}}{options})"
        call = call_text(pattern, kernel=plain(self.kernel), groups=self.groups, **given)
        return TorchText(call=call, helper=INVOLUTION)

    def work_out(self, element: Element) -> Worked:
        group = element.channel // (element.inputs[0][0] // self.groups)
        first = group * self.kernel[0] * self.kernel[1]
        window = self.covered(
            element,
            element.channel,
            lambda row, column: element.read(
                1, first + row * self.kernel[1] + column, element.row, element.column
            ),
        )
        return summed(element, [window], None, self.rule(1, None) + ", weights of its place")

    def examples(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return []

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        taps = size(self.kernel)
        return [
            *super().explain(output, *inputs),
            ("filters", f"{self.groups} of {taps} numbers for each place"),
            ("parameters", "none but those of the body"),
            (
                "multiply-adds",
                f"{'*'.join(map(str, output))} * {taps} = {self.macs(output, *inputs):,}",
            ),
        ]


INVOLUTION = helper('''\
def involution(
    x: Tensor,
    filters: Tensor,
    kernel: int | tuple[int, int],
    groups: int,
    dilation: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    stride: int | tuple[int, int] = 1,
) -> Tensor:
    """Each place has filters of its own, which the channels of a group share."""
    windows = F.unfold(x, kernel, dilation, padding, stride)
    windows = torch.unflatten(windows, 1, (groups, x.shape[1] // groups, -1))
    weights = torch.unflatten(filters.flatten(2), 1, (groups, 1, -1))
    y = (windows * weights).sum(3).flatten(1, 2)
    return torch.unflatten(y, 2, filters.shape[2:])
''')
