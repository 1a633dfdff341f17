"""Shortcuts of residuals whose input and body differ in shape: a projection, its stride, and a
shortcut without weights.
"""

from __future__ import annotations

from typing import ClassVar, Self

from ..language.kinds import count, pair
from ..shapes import PerAxis, Shape, ShapeError, as_map, axes_of, plain, text
from .base import (
    ANY_AXES,
    REGISTRY,
    Kept,
    Kind,
    NoMultiplyAdds,
    Op,
    TorchText,
    Window,
    constructor,
    helper,
)
from .worked import Element, Worked


def projection(channels: int, stride: PerAxis) -> list[Op]:
    """A 1x1 convolution of this stride, and a batch norm (ResNet's option B)."""
    conv = REGISTRY["conv"].make(out=channels, stride=stride, bias=False).on_axes(len(stride))
    return [conv, REGISTRY["bn"]()]


def stride_between(side: int, output_side: int) -> int:
    """The stride with which a 1x1 filter reduces one size to another."""
    for stride in (side // output_side, -(-side // output_side)):
        if stride >= 1 and (side - 1) // stride + 1 == output_side:
            return stride
    raise ShapeError(f"no stride reduces {side} to {output_side}")


class PadShortcut(NoMultiplyAdds):
    """Shortcut without weights: skips pixels and adds zero channels (ResNet's option A)."""

    short_word: ClassVar[str] = "shortcut"
    kind: ClassVar[Kind] = "shape"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    out: int = count("output channels")
    stride: PerAxis = pair("step between the pixels that are kept", (1, 1))

    @classmethod
    def between(cls, input_shape: Shape, output_shape: Shape) -> Self:
        """The shortcut that turns one shape into another."""
        axes = axes_of(input_shape)
        if not axes or axes != axes_of(output_shape) or output_shape[0] < input_shape[0]:
            raise ShapeError(
                f"padding with zero channels cannot turn {text(input_shape)} into "
                f"{text(output_shape)}"
            )
        sides = zip(input_shape[1:], output_shape[1:], strict=True)
        strides = tuple(stride_between(before, after) for before, after in sides)
        return cls(out=output_shape[0], stride=strides)

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], "shortcut=pad")
        if self.out < channels:
            raise ShapeError(f"{channels} channels cannot be padded to {self.out}")
        return self.out, *(-(-n // step) for n, step in zip(sides, self.stride, strict=True))

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def window(self, output: Shape, *inputs: Shape) -> Window:
        axes = len(self.stride)
        return Window((1,) * axes, self.stride, (0,) * axes)

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        added = self.out - inputs[0][0]
        axes = axes_of(output)
        name = "PadShortcut" + ("" if axes == 2 else f"{axes}d")
        module = constructor(name, added, stride=(plain(self.stride), 1))
        return TorchText(module, helper=PAD_SHORTCUT[axes])

    def work_out(self, element: Element) -> Worked:
        channels = element.inputs[0][0]
        channel = element.channel - (self.out - channels) // 2
        if not 0 <= channel < channels:
            return element.constant(0.0, "an added channel of zeros")
        steps = zip(element.position, self.stride, strict=True)
        return element.copied(channel, tuple(at * step for at, step in steps))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        added = self.out - inputs[0][0]
        return [("channels", f"{inputs[0][0]} + {added} of zeros = {self.out}")]


# As usual, half of the channels are added before and half after; an odd one comes after. `F.pad`
# runs even if there are none to add, so that the output is always a copy in memory of its own.
PAD_SHORTCUT = {
    axes: helper(f'''\
class PadShortcut{suffix}(nn.Module):
    """Skips pixels and adds channels of zeros: a shortcut without weights."""

    def __init__(self, channels: int, stride: {sizes} = 1) -> None:
        super().__init__()
        self.stride = {each}
        self.before = channels // 2
        self.after = channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        taken = x[:, :, {steps}]
        return F.pad(taken, ({"0, 0, " * axes}self.before, self.after))
''')
    for axes, suffix, sizes, each, steps in (
        (1, "1d", "int", "stride", ":: self.stride"),
        (
            2,
            "",
            "int | tuple[int, int]",
            "(stride, stride) if isinstance(stride, int) else stride",
            ":: self.stride[0], :: self.stride[1]",
        ),
        (
            3,
            "3d",
            "int | tuple[int, int, int]",
            "(stride,) * 3 if isinstance(stride, int) else stride",
            ":: self.stride[0], :: self.stride[1], :: self.stride[2]",
        ),
    )
}
