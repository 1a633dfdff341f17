"""Layers that rearrange, cut, pad or repeat elements: flatten, reshape, permute, crop, upsample,
….
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product as every
from math import floor, prod
from typing import ClassVar, Literal

from ..language.kinds import (
    choice,
    count,
    custom,
    label,
    natural,
    natural_pair,
    number,
    pair,
    switch,
)
from ..language.signature import ArgumentError
from ..language.values import Interval, show
from ..shapes import (
    AXES,
    LAYOUTS,
    LINES,
    POINTS,
    PerAxis,
    Shape,
    ShapeError,
    as_map,
    axes_of,
    by,
    named,
    plain,
    size,
    text,
)
from .base import (
    ANY_AXES,
    EVERYTHING,
    POINT,
    Autocast,
    Kept,
    Kind,
    NoMultiplyAdds,
    TorchText,
    Window,
    constructor,
    helper,
)
from .padding import PADDING_MODES, Sides, check_padding, flat_sides, source_position
from .worked import Element, Worked, products, raveled, single, summed, unravelled


class Rearranging(NoMultiplyAdds):
    """Computes nothing, and the backward pass needs nothing."""

    kind: ClassVar[Kind] = "shape"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()


class Seen(Rearranging):
    """A view of the input: the same memory in another shape."""

    @property
    def shares_storage(self) -> bool:
        return True


def product(shape: Shape) -> str:
    """`64*7*7 = 3,136`."""
    return f"{'*'.join(map(str, shape))} = {size(shape):,}" if len(shape) > 1 else f"{shape[0]:,}"


# ---- other shapes -----------------------------------------------------------------------------


class Flatten(Seen):
    """Turns a map into a vector: channels, then rows, then columns."""

    word: ClassVar[str] = "flatten"
    example: ClassVar[str] = "flatten"
    arithmetic: ClassVar[str] = "output: C * H * W numbers"
    called: ClassVar[str] = "Keras Flatten, Caffe Flatten"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "flatten": "Flatten(start_dim,end_dim) ravel squeeze Squeeze flatten_layer FlattenLayer",
    }

    def output(self, *inputs: Shape) -> Shape:
        return (size(inputs[0]),)

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(constructor("nn.Flatten"))

    def work_out(self, element: Element) -> Worked:
        return element.copied_from(*unravelled(element.channel, element.inputs[0]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [("numbers", product(inputs[0]))]


TO = "a size like 16x7x7, or one number for a vector"


def read_shape(value: object) -> Shape:
    axes = value if isinstance(value, (tuple, list)) else (value,)
    if any(type(axis) is not int or axis < 1 for axis in axes):
        raise ArgumentError(f"{show(value)} is not a shape", "write whole numbers of at least 1")
    if not 1 <= len(axes) <= len(AXES):
        raise ArgumentError(
            f"{show(value)} has {len(axes)} axes",
            "a map has channels, height and width, like 16x7x7; a vector has one number, a series"
            " two, a volume four",
        )
    return tuple(axes)


class Reshape(Seen):
    """Arranges the same numbers in another shape."""

    word: ClassVar[str] = "reshape"
    example: ClassVar[str] = "reshape 64x16x16"
    arithmetic: ClassVar[str] = "output: the shape given, with as many numbers as the input"
    called: ClassVar[str] = "Keras Reshape, Caffe Reshape"
    torch_calls: ClassVar[tuple[str, ...]] = ("reshape",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "reshape": "Reshape(target_shape>channels_last) view unflatten Unflatten",
    }

    to: Shape = custom("the output shape", read_shape, TO)

    def output(self, *inputs: Shape) -> Shape:
        if size(self.to) != size(inputs[0]):
            raise ShapeError(
                f"{text(self.to)} holds {product(self.to)} numbers, and the input has "
                f"{product(inputs[0])}",
                self._fitting(inputs[0]),
            )
        return self.to

    def _fitting(self, input_shape: Shape) -> str:
        channels, rest = divmod(size(input_shape), size(self.to[1:]))
        if len(self.to) > 1 and not rest:
            return f"`{self.word} {text((channels, *self.to[1:]))}` would fit"
        return f"`{self.word} {size(input_shape)}` would fit"

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        # The output has no windows over the input.
        if len(output) == 1 or output == inputs[0]:
            return POINT
        return EVERYTHING

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if len(self.to) == 1:
            return TorchText(constructor("nn.Flatten"))
        if len(inputs[0]) == 1:
            return TorchText(constructor("nn.Unflatten", 1, self.to))
        axes = ", ".join(map(str, self.to))
        return TorchText(call=f"{{0}}.reshape({{0}}.shape[0], {axes})")

    def work_out(self, element: Element) -> Worked:
        return element.copied_from(*unravelled(raveled(element), element.inputs[0]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [("numbers", f"{product(inputs[0])}; {product(self.to)}")]


def _read_axes(value: object) -> tuple[int, ...]:
    axes = tuple(value) if isinstance(value, (tuple, list)) else ()
    whole = all(type(axis) is int for axis in axes)
    if not whole or not 2 <= len(axes) <= len(AXES) or {*axes} != {*range(len(axes))}:
        raise ArgumentError(
            f"{show(value)} does not name each axis once",
            "0 is channels, 1 height, 2 width: `permute (1, 2, 0)` puts the channels last",
        )
    return axes


def _names(shape: Shape) -> tuple[str, ...]:
    """`channels`, `height`, `width`."""
    return "channels", *AXES[axes_of(shape)]


class Permute(Seen):
    """The axes in a different order: 0 is channels, 1 height, 2 width."""

    word: ClassVar[str] = "permute"
    example: ClassVar[str] = "permute (0, 2, 1)"
    arithmetic: ClassVar[str] = "output: axis i is axis axes[i] of the input"
    called: ClassVar[str] = "Keras Permute"
    torch_calls: ClassVar[tuple[str, ...]] = ("permute",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "permute": "Permute transpose swapaxes",
    }

    axes: tuple[int, ...] = custom("the order of the axes", _read_axes, "an order like (1, 2, 0)")

    def output(self, *inputs: Shape) -> Shape:
        input_shape = as_map(inputs[0], self.word)
        if len(self.axes) != len(input_shape):
            listed = ", ".join(f"{n} {name}" for n, name in enumerate(_names(input_shape)))
            raise ShapeError(
                f"{show(self.axes)} orders {len(self.axes)} axes, and the input has"
                f" {len(input_shape)}: {text(input_shape)}",
                f"name each of its axes once: {listed}",
            )
        return tuple([input_shape[axis] for axis in self.axes])

    def window(self, output: Shape, *inputs: Shape) -> Window | Literal["everything"]:
        # If height and width are swapped, there is no window by height and width either.
        return POINT if self.axes == tuple(range(len(self.axes))) else EVERYTHING

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(call=f"{{0}}.permute(0, {', '.join(str(1 + a) for a in self.axes)})")

    def work_out(self, element: Element) -> Worked:
        order = range(len(self.axes))
        channel, *position = (element.at[self.axes.index(axis)] for axis in order)
        return element.copied_from(channel, tuple(position))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        names = _names(output)
        return [
            (names[n], f"{names[axis]} of the input, {output[n]}")
            for n, axis in enumerate(self.axes)
        ]


class Shuffle(Rearranging):
    """Channel shuffle: takes one channel of each group in turn (ShuffleNet, arXiv:1707.01083)."""

    word: ClassVar[str] = "shuffle"
    example: ClassVar[str] = "shuffle 4"
    arithmetic: ClassVar[str] = "channel g * C / groups + i becomes channel i * groups + g"
    called: ClassVar[str] = "Caffe ShuffleChannel"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "shuffle": "ChannelShuffle(groups) channel_shuffle(groups) ShuffleChannel(group) "
        "native_channel_shuffle(groups)",
    }

    groups: int = count("number of groups", example="2")

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], self.word)
        if channels % self.groups:
            raise ShapeError(
                f"{channels} input channels cannot be divided into {self.groups} groups",
                f"use a number of groups that divides {channels}, or "
                f"{-(-channels // self.groups) * self.groups} channels before it",
            )
        return channels, *sides

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        return TorchText(constructor("nn.ChannelShuffle", self.groups))

    def work_out(self, element: Element) -> Worked:
        each = element.output[0] // self.groups
        position, group = divmod(element.channel, self.groups)
        return element.copied_from(group * each + position, element.position)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        each = output[0] // self.groups
        order = [n // self.groups + n % self.groups * each for n in range(min(output[0], 8))]
        rest = ", …" if output[0] > 8 else ""
        return [("order", ", ".join(map(str, order)) + rest)]


# ---- more and less of a map -------------------------------------------------------------------


class Pad(Rearranging):
    """Adds rows and columns around the map.

    Of a series, `left` is before and `right` after it; of a volume, `front` and `back` are before
    and after its slices.
    """

    word: ClassVar[str] = "pad"
    example: ClassVar[str] = "pad 2"
    arithmetic: ClassVar[str] = "output: H + top + bottom, W + left + right"
    called: ClassVar[str] = "Keras ZeroPadding2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "pad": "ZeroPad2d(padding) ZeroPadding2D(padding) ConstantPad2d(padding,value) padding "
        "SpatialZeroPadding zero_pad zero_padding zeropad pad2d",
        "pad mode=reflect": "ReflectionPad2d(padding) ReflectionPadding2D(padding) "
        "reflection_pad reflect_pad reflection_padding",
        "pad mode=replicate": "ReplicationPad2d(padding) replication_pad replicate_pad edge_pad",
        "pad mode=circular": "CircularPad2d(padding) circular_pad",
    }

    by: PerAxis | None = natural_pair("rows and columns added on each side", None)
    top: int | None = natural("rows above", None)
    bottom: int | None = natural("rows below", None)
    left: int | None = natural("columns to the left", None)
    right: int | None = natural("columns to the right", None)
    front: int | None = natural("slices before, of a volume", None)
    back: int | None = natural("slices after", None)
    mode: str = choice("what the padding is filled with", PADDING_MODES, "zeros")
    value: float = number("the constant for `mode=zeros`", 0.0)

    def check(self) -> None:
        given = any(getattr(self, side) is not None for both in _SIDES for side in both)
        if self.by is not None and given:
            raise ArgumentError(
                f"`{self.word} {plain(self.by)}` already sets every side",
                "write `top`, `bottom`, `left` and `right` alone",
            )
        if self.by is None and not given:
            raise ArgumentError(
                f"`{self.word}` needs a size",
                f"write `{self.word} 1` for every side, or `{self.word} top=1 left=1`",
            )
        if self.value and self.mode != "zeros":
            raise ArgumentError(f"with `mode={self.mode}` no constant is used", "take `value` out")

    def sides(self, axes: int = 2) -> Sides:
        if self.by is not None:
            return tuple([(number, number) for number in self.by])
        given = [(getattr(self, one), getattr(self, two)) for one, two in _SIDES]
        return tuple([(one or 0, two or 0) for one, two in given[-axes:]])

    def output(self, *inputs: Shape) -> Shape:
        channels, *lengths = as_map(inputs[0], self.word)
        for side in (side for both in _SIDES[: -len(lengths)] for side in both):
            if getattr(self, side):
                raise ShapeError(
                    f"`{side}` of `{self.word}` pads an axis that its input, {text(inputs[0])}, has"
                    " not",
                    f"it is {LAYOUTS[len(lengths)]}: take `{side}` out",
                )
        sides = self.sides(len(lengths))
        check_padding(self.mode, sides, inputs[0])
        return channels, *(n + sum(both) for n, both in zip(lengths, sides, strict=True))

    def window(self, output: Shape, *inputs: Shape) -> Window:
        sides = self.sides(axes_of(output))
        ones = (1,) * len(sides)
        return Window(ones, ones, tuple([-before for before, _ in sides]))

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept(inputs=(0,) if self.mode in ("reflect", "replicate") else ())

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        around = flat_sides(self.sides(axes))
        sides = around[0] if len({*around}) == 1 else around
        if self.value:
            return TorchText(constructor(f"nn.ConstantPad{axes}d", sides, self.value))
        name = {"zeros": "Zero", "reflect": "Reflection", "replicate": "Replication"}
        return TorchText(constructor(f"nn.{name.get(self.mode, 'Circular')}Pad{axes}d", sides))

    def work_out(self, element: Element) -> Worked:
        sides = zip(element.position, self.sides(len(element.position)), strict=True)
        shown = zip(sides, element.inputs[0][1:], strict=True)
        inside = [
            source_position(self.mode, at - before, side) for (at, (before, _)), side in shown
        ]
        if None in inside:
            return element.constant(self.value, "padding")
        return element.copied_from(element.channel, tuple([n for n in inside if n is not None]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        axes = axes_of(output)
        each = zip(AXES[axes], self.sides(axes), inputs[0][1:], output[1:], strict=True)
        return [
            (name, f"{before} + {side} + {after} = {total}")
            for name, (before, after), side, total in each
        ]


def _size_like(like: Shape, input_shape: Shape, word: str) -> PerAxis:
    """The size of the map that `like` names."""
    if len(like) != len(input_shape):
        raise ShapeError(
            f"`like` takes the size from a map with as many axes as the input of `{word}`,"
            f" {text(input_shape)}; this one is {text(like)}",
            "name another map, or write the size: `to=`",
        )
    return like[1:]


_SIDES = (("front", "back"), ("top", "bottom"), ("left", "right"))
"""The sides along each axis of a volume; a series has the last axis alone."""


class Crop(Seen):
    """Cuts out a part of the map, by default its center; `crop top=1` cuts the first row off."""

    word: ClassVar[str] = "crop"
    example: ClassVar[str] = "crop 24x24"
    arithmetic: ClassVar[str] = "output: the size given; without one H - top, W - left"
    called: ClassVar[str] = "Keras CenterCrop"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "crop": "CenterCrop(size>to) center_crop",
    }

    to: PerAxis | None = pair("height and width of the part", None, example="24x24")
    top: int | None = natural("rows cut off at the top", None)
    left: int | None = natural("columns cut off at the left", None)
    front: int | None = natural("slices cut off at the front, of a volume", None)
    like: str | None = label("a map whose size the part gets, instead of a size")

    def starts(self, axes: int) -> list[int | None]:
        """What is cut off before the part, along each axis, where that is given."""
        return [self.front, self.top, self.left][-axes:]

    def check(self) -> None:
        if self.to is not None and self.like is not None:
            raise ArgumentError(
                "`crop` takes a size or `like`, not both", "take one of them out", drop="like"
            )
        if self.to is None and self.like is None and not any(self.starts(3)):
            raise ArgumentError(
                "`crop` needs the size of the part, or what is cut off",
                "write `crop 24x24`, `crop like=label` for the size of another map, or"
                " `crop top=1 left=1`",
            )

    def kept_of(self, input_shape: Shape, *others: Shape) -> PerAxis:
        """The size of the part."""
        if others:
            return _size_like(others[0], input_shape, self.word)
        if self.to is not None:
            return self.to
        cut = zip(input_shape[1:], self.starts(axes_of(input_shape)), strict=True)
        return tuple([side - (start or 0) for side, start in cut])

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], self.word)
        axes = len(sides)
        for unused in ("front", "top")[: 3 - axes]:
            if getattr(self, unused) is not None:
                raise ShapeError(
                    f"`{unused}` of `{self.word}` cuts an axis that its input, {text(inputs[0])},"
                    " has not",
                    f"it is {LAYOUTS[axes]}: take `{unused}` out",
                )
        for what, given, kept, side in zip(
            LINES[axes], self.starts(axes), self.kept_of(*inputs), sides, strict=True
        ):
            start = given or 0
            if start + max(kept, 1) > side:  # torch would silently return fewer
                after = f" after the first {start}" if start else ""
                raise ShapeError(
                    f"cannot keep {max(kept, 1)} {what}{after}: the input has {side}",
                    f"at most {side - start} can be kept"
                    if start < side
                    else f"only {side} can be cut off",
                )
        return channels, *self.kept_of(*inputs)

    def _start(self, output: Shape, input_shape: Shape) -> PerAxis:
        starts = self.starts(axes_of(input_shape))
        if self.to is None and self.like is None:
            return tuple([start or 0 for start in starts])
        each = zip(starts, input_shape[1:], output[1:], strict=True)
        return tuple([(n - kept) // 2 if start is None else start for start, n, kept in each])

    def window(self, output: Shape, *inputs: Shape) -> Window:
        ones = (1,) * axes_of(output)
        return Window(ones, ones, self._start(output, inputs[0]))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        if self.to is None and self.like is None:
            cut = ", ".join([f"{start or ''}:" for start in self.starts(axes)])
            return TorchText(call=f"{{0}}[:, :, {cut}]")
        names = ("front", "top", "left")[-axes:]
        fixed = [
            f", {name}={value}"
            for name, value in zip(names, self.starts(axes), strict=True)
            if value is not None
        ]
        sizes = "*{1}.shape[2:]" if self.to is None else ", ".join(map(str, self.to))
        call = f"{_CROP_NAMES[axes]}({{0}}, {sizes}{''.join(fixed)})"
        return TorchText(call=call, helper=CROP[axes])

    def holds_size(self, *inputs: Shape) -> tuple[str, str]:
        names = LINES[axes_of(inputs[0])]
        for name, kept, side in zip(names, self.to or (), inputs[0][1:], strict=False):
            if kept == side:
                return (
                    f"it keeps all {side} {name}, and would cut off some of a larger map",
                    "to take some of the channels, write `slice 0..16`",
                )
        return "", ""

    def work_out(self, element: Element) -> Worked:
        starts = zip(element.position, self._start(element.output, element.inputs[0]), strict=True)
        return element.copied_from(element.channel, tuple([at + start for at, start in starts]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        axes = axes_of(output)
        sides = [("before", "after"), ("above", "below"), ("left", "right")][-axes:]
        lines = []
        each = zip(
            AXES[axes],
            sides,
            inputs[0][1:],
            self._start(output, inputs[0]),
            output[1:],
            strict=True,
        )
        for name, (first, last), side, start, kept in each:
            rest = f"{side} - {start} {first} - {side - start - kept} {last}"
            lines.append((name, f"{rest} = {kept}"))
        return lines


# The middle of a map is elsewhere at another size; and torch would silently return less than all.
_CROP_NAMES = {1: "crop1d", 2: "crop", 3: "crop3d"}
CROP = {
    1: helper('''\
def crop1d(x: Tensor, length: int, left: int | None = None) -> Tensor:
    """Cuts out a part of the series, by default its center."""
    left = (x.shape[2] - length) // 2 if left is None else left
    if min(left, x.shape[2] - length - left) < 0:
        raise ValueError(f"cannot cut {length} out of {x.shape[2]}")
    return x[:, :, left : left + length]
'''),
    2: helper('''\
def crop(
    x: Tensor, height: int, width: int, top: int | None = None, left: int | None = None
) -> Tensor:
    """Cuts out a part of the map, by default its center."""
    top = (x.shape[2] - height) // 2 if top is None else top
    left = (x.shape[3] - width) // 2 if left is None else left
    if min(top, left, x.shape[2] - height - top, x.shape[3] - width - left) < 0:
        whole = f"{x.shape[2]}x{x.shape[3]}"
        raise ValueError(f"cannot cut {height}x{width} out of {whole}")
    return x[:, :, top : top + height, left : left + width]
'''),
    3: helper('''\
def crop3d(
    x: Tensor,
    depth: int,
    height: int,
    width: int,
    front: int | None = None,
    top: int | None = None,
    left: int | None = None,
) -> Tensor:
    """Cuts out a part of the volume, by default its center."""
    front = (x.shape[2] - depth) // 2 if front is None else front
    top = (x.shape[3] - height) // 2 if top is None else top
    left = (x.shape[4] - width) // 2 if left is None else left
    depths, rows, columns = x.shape[2:]
    after = depths - depth - front, rows - height - top, columns - width - left
    if min(front, top, left, *after) < 0:
        whole = f"{x.shape[2]}x{x.shape[3]}x{x.shape[4]}"
        raise ValueError(f"cannot cut {depth}x{height}x{width} out of {whole}")
    return x[:, :, front : front + depth, top : top + height, left : left + width]
'''),
}


def _read_channels(value: object) -> tuple[int, int]:
    ends = value if isinstance(value, Interval) else None
    if ends is None or not all(isinstance(n, int) and not isinstance(n, bool) for n in ends):
        raise ArgumentError(
            f"{show(value)} is not a range of channels",
            "write `slice 0..16` for the first 16: channel 0 to channel 15",
        )
    if not 0 <= ends.low < ends.high:
        raise ArgumentError(f"{show(value)} has no channels", "the first channel is 0")
    return ends.low, ends.high  # type: ignore[return-value]


class Slice(Seen):
    """Some of the channels, from the first given up to the last, without the last."""

    word: ClassVar[str] = "slice"
    example: ClassVar[str] = "slice 0..8"
    arithmetic: ClassVar[str] = "output: last - first channels; slice 0..8 has channels 0 to 7"
    torch_calls: ClassVar[tuple[str, ...]] = ("narrow",)

    channels: tuple[int, int] = custom(
        "first channel, and the first that is left out",
        _read_channels,
        "a range like 0..16",
        example="0..2",
    )

    def output(self, *inputs: Shape) -> Shape:
        first, last = self.channels
        channels, *sides = inputs[0]
        if last > channels:
            raise ShapeError(
                f"channels {first} to {last - 1} cannot be taken: the input has {channels}",
                f"`{self.word} {first}..{channels}` takes them up to the last"
                if first < channels
                else f"the last channel is {channels - 1}",
            )
        return last - first, *sides

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        first, last = self.channels
        # Unlike `x[:, first:last]`, this refuses a map that has fewer channels.
        return TorchText(call=f"{{0}}.narrow(1, {first}, {last - first})")

    def work_out(self, element: Element) -> Worked:
        return element.copied_from(self.channels[0] + element.channel, element.position)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        first, last = self.channels
        return [("channels", f"{first} to {last - 1} of {inputs[0][0]}: {last - first}")]


class Upsample(Rearranging):
    """Enlarges the map by repeating pixels or interpolating between them."""

    autocast: ClassVar[Autocast] = "fp32"
    word: ClassVar[str] = "upsample"
    example: ClassVar[str] = "upsample 2 mode=bilinear"
    arithmetic: ClassVar[str] = (
        "output: H * factor, W * factor; or the size given with `to`, or that of the map `like`"
    )
    called: ClassVar[str] = "Keras UpSampling2D"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "upsample": "UpSampling2D(size,data_format,interpolation) Upsample(size>to,scale_factor,"
        "mode,align_corners) interpolate(size>to,scale_factor,mode,align_corners) "
        "UpsamplingNearest2d(size>to,scale_factor) resize Interp upsampling unpool "
        "SpatialUpSamplingNearest upsample_nearest(size>to,scale_factor)",
        "upsample 2": "UpSampling2D()",
        "upsample mode=bilinear": "UpsamplingBilinear2d(size>to,scale_factor) resize_bilinear "
        "upsample_bilinear(size>to,scale_factor) "
        "bilinear_upsample ResizeBilinear bilinear",
        "upsample mode=bicubic": "bicubic resize_bicubic",
    }

    factor: PerAxis | None = pair("scale factor", None)
    to: PerAxis | None = pair("output height and width, instead of a factor", None)
    like: str | None = label("a map whose height and width the output gets, at every size of input")
    mode: str = choice(
        "interpolation; `linear` is for series, `trilinear` for volumes",
        ["nearest", "bilinear", "bicubic", "linear", "trilinear"],
        "nearest",
    )
    align_corners: bool = switch(
        "whether the centers of corner pixels are aligned, when interpolating", False
    )

    _TAPS: ClassVar[dict[str, int]] = {
        "nearest": 1, "bilinear": 2, "bicubic": 4, "linear": 2, "trilinear": 2
    }  # fmt: skip
    """Input pixels that one output pixel depends on, along an axis."""
    _MODES: ClassVar[dict[int, str]] = {1: "linear", 2: "bilinear", 3: "trilinear"}
    """Linear interpolation, by the number of axes."""

    def check(self) -> None:
        sizes = [n for n in ("factor", "to", "like") if getattr(self, n) is not None]
        if len(sizes) != 1:
            first, *others = [
                f"`{name}`" if name != "factor" else "a factor" for name in sizes
            ] or [""]
            raise ArgumentError(
                f"`{self.word}` takes {first} or {' or '.join(others)}, not both"
                if sizes
                else f"`{self.word}` needs a factor, or the output size with `to` or `like`",
                f"write `{self.word} 2`, `{self.word} to=56x56`, or for the size of another map"
                f" `{self.word} like=label`",
            )
        if self.align_corners and self.mode == "nearest":
            raise ArgumentError(
                "`align_corners` affects interpolation, and `mode=nearest` repeats pixels",
                "write `mode=bilinear`, or take `align_corners` out",
            )

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], self.word)
        usual = self._MODES[len(sides)]
        if self.mode not in ("nearest", usual) and (self.mode != "bicubic" or len(sides) != 2):
            raise ShapeError(
                f"`mode={self.mode}` does not interpolate along {named(AXES[len(sides)])}, the axes"
                f" of its input, {text(inputs[0])}",
                f"write `mode={usual}`",
                change={"mode": usual},
            )
        if len(inputs) > 1:
            return channels, *_size_like(inputs[1], inputs[0], self.word)
        if self.to is not None:
            return channels, *self.to
        assert self.factor is not None
        return channels, *(side * n for side, n in zip(sides, self.factor, strict=True))

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        """A weighted sum of n pixels is n products and n - 1 sums; repeating is free."""
        taps = self._TAPS[self.mode] ** axes_of(output)
        return (2 * taps - 1) * size(output) if taps > 1 else 0

    def window(self, output: Shape, *inputs: Shape) -> Window:
        sides = zip(inputs[0][1:], output[1:], strict=True)
        sizes, strides, starts = zip(*(self._axis(*each) for each in sides), strict=True)
        return Window(sizes, strides, starts)

    def _axis(self, side: int, output_side: int) -> tuple[int, Fraction, Fraction]:
        """Window size, stride and start: output i is at position start + i*stride of the input,
        usually between two pixels.
        """
        taps = self._TAPS[self.mode]
        ratio, start = Fraction(side, output_side), Fraction(0)
        if self.mode == "nearest":
            return 1, ratio, start
        if self.align_corners:
            ratio = Fraction(side - 1, output_side - 1) if output_side > 1 else Fraction(0)
        else:
            start = (ratio - 1) / 2
        if ratio.denominator == start.denominator == 1:
            taps = 1  # always on a pixel
        return taps, ratio, start - (taps - 1) // 2

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        if self.like is not None:
            mode = "" if self.mode == "nearest" else f', mode="{self.mode}"'
            corners = ", align_corners=True" if self.align_corners else ""
            return TorchText(call=f"F.interpolate({{0}}, size={{1}}.shape[2:]{mode}{corners})")
        module = constructor(
            "nn.Upsample",
            size=(None if self.to is None else plain(self.to), None),
            scale_factor=(None if self.factor is None else plain(self.factor), None),
            mode=(self.mode, "nearest"),
            align_corners=(self.align_corners, False),
        )
        return TorchText(module)

    def work_out(self, element: Element) -> Worked:
        near = [
            self._weighted(at, element.inputs[0][1 + axis], element.output[1 + axis], axis)
            for axis, at in enumerate(element.position)
        ]
        if self.mode == "nearest":
            return element.copied_from(element.channel, tuple([pixels[0][0] for pixels in near]))
        terms = []
        for pixels in every(*near):
            position, weights = zip(*pixels, strict=True)
            terms.append(element.term_at(element.channel, position, prod(weights)))
        window = products(f"channel {element.channel}", terms, len(near[-1]))
        points = f"{by(tuple(map(len, near)))} neighboring {POINTS[len(near)]}"
        rule = f"sum of value*weight over {points}"
        return summed(element, [window], None, rule)

    def _weighted(self, at: int, side: int, output_side: int, axis: int) -> list[tuple[int, float]]:
        """The pixels along an axis that an output pixel is interpolated from, and their weights."""
        if self.mode == "nearest":
            # As torch does, with a ratio in single precision.
            ratio = single(side / output_side if self.factor is None else 1 / self.factor[axis])
            return [(min(floor(single(at * ratio)), side - 1), 1.0)]
        position = (at + 0.5) * side / output_side - 0.5
        if self.align_corners:
            position = at * (side - 1) / (output_side - 1) if output_side > 1 else 0.0
        if self.mode != "bicubic":
            position = max(position, 0.0)
            first = min(floor(position), side - 1)
            part = position - first
            return [(first, 1 - part), (min(first + 1, side - 1), part)]
        first = floor(position)
        part = position - first
        return [(min(max(first + n - 1, 0), side - 1), _cubic(abs(part - n + 1))) for n in range(4)]

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        if self.factor is None:
            return [("size", f"{text(inputs[0][1:])} -> {text(output[1:])}")]
        each = zip(AXES[axes_of(output)], inputs[0][1:], self.factor, output[1:], strict=True)
        return [(name, f"{side}*{n} = {total}") for name, side, n, total in each]


def _cubic(distance: float) -> float:
    """The weight of a pixel at a distance, in bicubic interpolation (Keys, 1981, a = -0.75)."""
    a = -0.75
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
