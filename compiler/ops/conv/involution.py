"""Involution, `involution`: filters of each place, which all channels of a group share."""

from __future__ import annotations

from typing import ClassVar

from ...language.kinds import count, pair
from ...shapes import PerAxis, Shape, ShapeError, plain, size, text
from ..base import Kept, Kind, TorchText, Weight, call_text, helper
from ..padding import padded_size
from ..worked import Element, Worked, summed
from .sliding import DILATION, PAD, SAME, STRIDE, Sliding


class Involution(Sliding):
    """Filters of each place that channels share, where convolution has it the other way round.

    The body computes them, at the size of the output, with a channel for each element of a filter
    and each group: `involution 7x7 groups=4 same { conv channels//4, bn, relu, conv 196 }`
    (RedNet, arXiv:2103.06255).
    """

    word: ClassVar[str] = "involution"
    gradient: ClassVar[str] = (
        "dx = sum of dy * the filter of each window that reads x, and what comes through the body\n"
        "dfilter = dy * the window of x, summed over the channels of the group"
    )
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
        if len(self.kernel) == 2:  # what the filters lie on, by place
            return Kept(inputs=(1,), own=size(output) * size(self.kernel))
        sides = self.sides(inputs[0])
        if not any(map(any, sides)):
            return Kept(inputs=(0, 1))
        return Kept(inputs=(1,), own=padded_size(sides, inputs[0]))

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = len(self.kernel)
        padding = tuple([before for before, _ in self.sides(inputs[0])])
        steps = {"dilation": self.dilation, "padding": padding, "stride": self.stride}
        usual = {"dilation": (1,) * axes, "padding": (0,) * axes, "stride": (1,) * axes}
        given: dict[str, object] = {
            n: plain(value) if axes == 2 else tuple(value)
            for n, value in steps.items()
            if axes != 2 or value != usual[n]
        }
        options = "".join(f", {name}={{{name}}}" for name in given)
        name = "involution" if axes == 2 else "involution_along"
        pattern = f"{name}({{0}}, {{1}}, {{kernel}}, {{groups}}{options})"
        kernel = plain(self.kernel) if axes == 2 else tuple(self.kernel)
        call = call_text(pattern, kernel=kernel, groups=self.groups, **given)
        return TorchText(call=call, helper=INVOLUTION if axes == 2 else INVOLUTION_ALONG)

    def work_out(self, element: Element) -> Worked:
        group = element.channel // (element.inputs[0][0] // self.groups)

        def read(*place: int) -> float:
            channel = group
            for at, side in zip(place, self.kernel, strict=True):
                channel = channel * side + at
            return element.read(1, channel, *element.position)

        window = self.covered(element, element.channel, read)
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

# Torch unfolds maps alone. Windows are views here, of any number of axes.
INVOLUTION_ALONG = helper('''\
def involution_along(
    x: Tensor,
    filters: Tensor,
    kernel: tuple[int, ...],
    groups: int,
    dilation: tuple[int, ...],
    padding: tuple[int, ...],
    stride: tuple[int, ...],
) -> Tensor:
    """Each place has filters of its own, which the channels of a group share."""
    axes = len(kernel)
    if any(padding):
        x = F.pad(x, [side for side in reversed(padding) for _ in range(2)])
    for axis in range(axes):
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        x = x.unfold(2 + axis, reach, stride[axis])[..., :: dilation[axis]]
    windows = torch.unflatten(x, 1, (groups, -1))
    weights = torch.unflatten(filters, 1, (groups, 1, *kernel))
    places, taps = range(3 + axes, 3 + 2 * axes), range(3, 3 + axes)
    weights = weights.permute(0, 1, 2, *places, *taps)
    return (windows * weights).sum(list(places)).flatten(1, 2)
''')
