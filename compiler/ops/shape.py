"""Layers that give the elements of a map other places, all of them: flatten, reshape, permute,
shuffle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ..language.kinds import count, custom
from ..language.signature import ArgumentError
from ..language.values import show
from ..shapes import AXES, PerAxis, Shape, ShapeError, as_map, axes_of, size, text
from .base import (
    ANY_AXES,
    EVERYTHING,
    POINT,
    Kept,
    Kind,
    NoMultiplyAdds,
    TorchText,
    Window,
    call_text,
    constructor,
)
from .worked import Element, Worked, raveled, unraveled


class Rearranging(NoMultiplyAdds):
    """Computes nothing, and the backward pass needs nothing."""

    kind: ClassVar[Kind] = "shape"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES

    def elementwise(self, output: Shape, *inputs: Shape) -> int:
        return 0

    def kept(self, output: Shape, *inputs: Shape) -> Kept:
        return Kept()


class View(Rearranging):
    """A view of the input: the same memory in another shape."""

    @property
    def shares_storage(self) -> bool:
        return True


def product(shape: Shape) -> str:
    """`64*7*7 = 3,136`."""
    return f"{'*'.join(map(str, shape))} = {size(shape):,}" if len(shape) > 1 else f"{shape[0]:,}"


def size_like(like: Shape, input_shape: Shape, word: str) -> PerAxis:
    """The size of the map that `like` names."""
    if len(like) != len(input_shape):
        raise ShapeError(
            f"`like` takes the size from a map with as many axes as the input of `{word}`,"
            f" {text(input_shape)}; this one is {text(like)}",
            "name another map, or write the size: `to=`",
        )
    return like[1:]


# ---- other shapes -----------------------------------------------------------------------------


class Flatten(View):
    """Turns a map into a vector: channels, then rows, then columns."""

    word: ClassVar[str] = "flatten"
    gradient: ClassVar[str] = "dx = dy, in the shape of x"
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
        return element.copied(*unraveled(element.channel, element.inputs[0]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        return [("numbers", product(inputs[0]))]


TO = "a size like 16x7x7, or one number for a vector"


def read_shape(value: object) -> Shape:
    axes = value if isinstance(value, (tuple, list)) else (value,)
    if any(not isinstance(axis, int) or isinstance(axis, bool) or axis < 1 for axis in axes):
        raise ArgumentError(f"{show(value)} is not a shape", "write whole numbers of at least 1")
    if not 1 <= len(axes) <= len(AXES):
        raise ArgumentError(
            f"{show(value)} has {len(axes)} axes",
            "a map has channels, height and width, like 16x7x7; a vector has one number, a series"
            " two, a volume four",
        )
    return tuple(axes)


class Reshape(View):
    """Arranges the same numbers in another shape."""

    word: ClassVar[str] = "reshape"
    gradient: ClassVar[str] = "dx = dy, in the shape of x"
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
        names = ("channels", "depth", "height", "width")
        sides = dict(zip((names[0], *names[-len(self.to) + 1 :]), self.to, strict=True))
        axes = ", ".join(f"{{{name}}}" for name in sides)
        return TorchText(call=call_text(f"{{0}}.reshape({{0}}.shape[0], {axes})", **sides))

    def work_out(self, element: Element) -> Worked:
        return element.copied(*unraveled(raveled(element), element.inputs[0]))

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


class Permute(View):
    """The axes in a different order: 0 is channels, 1 height, 2 width."""

    word: ClassVar[str] = "permute"
    gradient: ClassVar[str] = "dx = dy, with the axes in their old order"
    example: ClassVar[str] = "permute (0, 2, 1)"
    arithmetic: ClassVar[str] = "output: axis i is axis axes[i] of the input"
    called: ClassVar[str] = "Keras Permute"
    torch_calls: ClassVar[tuple[str, ...]] = ("permute",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "permute": "Permute transpose swapaxes",
    }

    axes: tuple[int, ...] = custom(
        "the order of the axes", _read_axes, "an order like (1, 2, 0)",
        write=lambda axes: f"({', '.join(map(str, axes))})",
    )  # fmt: skip

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
        return element.copied(channel, tuple(position))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        names = _names(output)
        return [
            (names[n], f"{names[axis]} of the input, {output[n]}")
            for n, axis in enumerate(self.axes)
        ]


class Shuffle(Rearranging):
    """Channel shuffle: takes one channel of each group in turn (ShuffleNet, arXiv:1707.01083)."""

    word: ClassVar[str] = "shuffle"
    gradient: ClassVar[str] = "dx = dy, with the channels in their old order"
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
        return element.copied(group * each + position, element.position)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        each = output[0] // self.groups
        order = [n // self.groups + n % self.groups * each for n in range(min(output[0], 8))]
        rest = ", …" if output[0] > 8 else ""
        return [("order", ", ".join(map(str, order)) + rest)]
