"""Deformable convolution, `deform`: filters that read the map at places of their own choice."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from ...language.kinds import count, flag
from ...shapes import Shape, ShapeError, plain, text
from ..base import EVERYTHING, Kept, TorchText, Weight, Window, constructor, helper
from ..worked import Element, Term, Worked, products, sigmoid, summed
from .conv import Grouped
from .sliding import SAME, parameters


class Deform(Grouped):
    """Convolution whose filters read the map at shifted places: between pixels, by interpolation.

    The body computes the shifts, two for each element of the filter, at the size of the output:
    `deform 64 3x3 same { conv 18 3x3 same }` (arXiv:1703.06211). With `modulated` it computes a
    third number, whose sigmoid weighs what is read: `deform 64 3x3 same modulated { conv 27 3x3
    same }` (arXiv:1811.11168). First come the shifts, down and to the right for each element in
    turn, then the weights, as in torchvision. A shift may reach any place, so the receptive field
    is the whole map.
    """

    word: ClassVar[str] = "deform"
    gradient: ClassVar[str] = (
        "dx = as `conv`, at the shifted places, divided among the four pixels around each\n"
        "dshift = sum of dy * filter * the slope between these pixels\n"
        "dweight = sum of dy * the interpolated window"
    )
    example: ClassVar[str] = "deform 64 3x3 same { conv 18 3x3 same }"
    arithmetic: ClassVar[str] = (
        "output: as `conv` of these arguments\n"
        "body: 2 (3 if modulated) * kernel height * kernel width * offset_groups channels\n"
        "parameters, multiply-adds: those of `conv`, and those of the body"
    )
    called: ClassVar[str] = ""
    spatial_axes: ClassVar[tuple[int, ...]] = (2,)
    paths: ClassVar[tuple[str, ...]] = ("shifts",)
    needs_paths: ClassVar[bool] = True

    same: bool = SAME
    modulated: bool = flag("the body also computes weights of what is read")
    offset_groups: int = count("groups of input channels with shifts of their own", 1, example="1")

    mode: ClassVar[str] = "zeros"  # type: ignore[misc]
    same_upper: ClassVar[bool] = False  # type: ignore[misc]

    @property
    def _taps(self) -> int:
        return math.prod(self.kernel)

    def output(self, *inputs: Shape) -> Shape:
        output = super().output(inputs[0])
        if inputs[0][0] % self.offset_groups:
            raise ShapeError(
                f"{inputs[0][0]} input channels cannot be divided into {self.offset_groups} groups"
                " with shifts of their own",
                f"use a number of groups that divides {inputs[0][0]}",
            )
        needed = ((3 if self.modulated else 2) * self._taps * self.offset_groups, *output[1:])
        if len(inputs) > 1 and inputs[1] != needed:
            raise ShapeError(
                f"the shifts of this filter are {text(needed)}, and the body leaves"
                f" {text(inputs[1])}",
                f"end it with `conv {needed[0]}`, at the size of the output, {text(output[1:])}",
            )
        return output

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return super().weights(inputs[0])

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """Four products and three sums for each value between pixels; weights and bias."""
        read = self._taps * inputs[0][0] * output[1] * output[2]
        return super().elementwise(output, inputs[0]) + (8 if self.modulated else 7) * read

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:  # type: ignore[override]
        return EVERYTHING

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        places = self._taps * output[1] * output[2]
        # The places, and what is read there; with weights these, and what is read before them.
        own = 2 * self.offset_groups * places + inputs[0][0] * places
        if self.modulated:
            own += inputs[0][0] * places + self.offset_groups * places
        return Kept(inputs=(0,), own=own)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        padding = self.padding(0, inputs[0][1])[0], self.padding(1, inputs[0][2])[0]
        module = constructor(
            "DeformConv2d",
            inputs[0][0],
            self.out,
            plain(self.kernel),
            stride=(plain(self.stride), 1),
            padding=(plain(padding), 0),
            dilation=(plain(self.dilation), 1),
            groups=(self.groups, 1),
            bias=self.bias_option(),
            modulated=(self.modulated, False),
            offset_groups=(self.offset_groups, 1),
        )
        return TorchText(module, "{m}({0}, {1})", DEFORM_CONV)

    def work_out(self, element: Element) -> Worked:
        channels = element.inputs[0][0]
        inside = channels // self.groups
        first = element.channel // (self.out // self.groups) * inside
        windows = [
            products(f"channel {first + n}", self._read(element, first + n, n), 4)
            for n in range(inside)
        ]
        bias = self.bias_of(element)
        rule = self.rule(inside, bias).replace("a ", "a shifted ", 1)
        return summed(element, windows, bias, rule)

    def _read(self, element: Element, channel: int, own: int) -> list[Term]:
        """The four pixels around each place, with their shares of the weight."""
        channels, height, width = element.inputs[0]
        group = channel // (channels // self.offset_groups)
        top = self.padding(0, height)[0]
        left = self.padding(1, width)[0]
        terms: list[Term] = []
        for tap in range(self._taps):
            down, right = tap // self.kernel[1], tap % self.kernel[1]
            at = 2 * (group * self._taps + tap)
            row = element.row * self.stride[0] - top + down * self.dilation[0]
            column = element.column * self.stride[1] - left + right * self.dilation[1]
            y = row + element.read(1, at, element.row, element.column)
            x = column + element.read(1, at + 1, element.row, element.column)
            weight = element.weight("weight", (element.channel, own, down, right))
            if self.modulated:
                place = 2 * self.offset_groups * self._taps + group * self._taps + tap
                weight *= sigmoid(element.read(1, place, element.row, element.column))
            above, before = math.floor(y), math.floor(x)
            for n, m in ((0, 0), (0, 1), (1, 0), (1, 1)):
                share = (1 - abs(y - above - n)) * (1 - abs(x - before - m))
                if 0 <= above + n < height and 0 <= before + m < width:
                    terms.append(element.term(channel, (above + n, before + m), share * weight))
        return terms

    def examples(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return []

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        lines = [line for line in super().explain(output, inputs[0]) if line[0] != "parameters"]
        numbers = 3 if self.modulated else 2
        total = numbers * self._taps * self.offset_groups
        groups = f" * {self.offset_groups} groups" if self.offset_groups > 1 else ""
        return [
            *lines[:2],
            ("shifts", f"{numbers} * {self._taps} elements of a filter{groups} = {total}"),
            ("parameters", f"{parameters(self.weights(*inputs))}; and those of the body"),
            *lines[2:],
        ]


DEFORM_CONV = helper('''\
class DeformConv2d(nn.Module):
    """A convolution that reads the map at shifted places, between pixels."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        modulated: bool = False,
        offset_groups: int = 1,
    ) -> None:
        super().__init__()
        filters = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
        )
        self.weight, self.bias = filters.weight, filters.bias
        pairs = filters.stride, filters.padding, filters.dilation
        self.steps = [[int(pair[axis]) for pair in pairs] for axis in (0, 1)]
        self.groups = groups
        self.modulated = modulated
        self.offset_groups = offset_groups

    def forward(self, x: Tensor, shifts: Tensor) -> Tensor:
        taps, size = self.weight[0, 0].numel(), shifts.shape[2:]
        groups = self.offset_groups
        # Two bytes would not tell the places of a large map apart.
        exact = torch.promote_types(shifts.dtype, torch.float32)
        by_axis = shifts[:, : 2 * groups * taps].to(exact)
        by_axis = torch.unflatten(by_axis, 1, (groups, taps, 2))
        places = []
        for axis in (0, 1):
            stride, padding, dilation = self.steps[axis]
            start = torch.arange(size[axis], device=x.device) * stride - padding
            count = self.weight.shape[2 + axis]
            along = torch.arange(count, device=x.device) * dilation
            if axis == 0:
                tap = along.repeat_interleave(self.weight.shape[3])[:, None, None]
                position = tap + start[:, None]
            else:
                position = along.repeat(self.weight.shape[2])[:, None, None] + start
            # From -1 to 1, at the outer edges of the first and the last pixel.
            side = x.shape[2 + axis]
            places.append(((by_axis[:, :, :, axis] + position) * 2 + 1) / side - 1)
        grid = torch.stack([places[1], places[0]], -1).flatten(0, 1).flatten(1, 2)
        maps = torch.unflatten(x, 1, (groups, -1)).flatten(0, 1)
        read = F.grid_sample(maps.to(exact), grid, align_corners=False)
        read = torch.unflatten(read, 2, (taps, -1))
        read = torch.unflatten(read, 0, (-1, groups))
        if self.modulated:
            weights = shifts[:, 2 * groups * taps :].sigmoid()
            read = read * torch.unflatten(weights, 1, (groups, 1, taps))
        weight = self.weight.flatten(1)[..., None, None]
        return F.conv2d(read.flatten(1, 3), weight, self.bias, groups=self.groups)
''')
