"""Layers that keep a part: `crop` of a map, `slice` of its channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..language.kinds import custom, label, natural, pair
from ..language.signature import ArgumentError
from ..language.values import Interval, show
from ..shapes import AXES, LAYOUTS, LINES, PerAxis, Shape, ShapeError, as_map, axes_of, text
from .base import TorchText, Window, call_text, helper
from .shape import View, size_like
from .worked import Element, Worked


class Crop(View):
    """Cuts out a part of the map, by default its center; `crop top=1` cuts the first row off.

    `crop right=12` cuts the end of a series off, and `crop 1 right=0` keeps its last step.
    """

    word: ClassVar[str] = "crop"
    gradient: ClassVar[str] = "dx = dy where it was kept, 0 where it was cut off"
    torch_calls: ClassVar[tuple[str, ...]] = ("narrow",)
    example: ClassVar[str] = "crop 24x24"
    arithmetic: ClassVar[str] = (
        "output: the size given; without one H - top - bottom, W - left - right"
    )
    called: ClassVar[str] = "Keras CenterCrop"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "crop": "CenterCrop(size>to) center_crop",
    }

    to: PerAxis | None = pair("height and width of the part", None, example="24x24")
    top: int | None = natural("rows cut off at the top", None)
    left: int | None = natural("columns cut off at the left", None)
    front: int | None = natural("slices cut off at the front, of a volume", None)
    like: str | None = label("a map whose size the part gets, instead of a size")
    bottom: int | None = natural("rows cut off at the bottom", None)
    right: int | None = natural("columns cut off at the right", None)
    back: int | None = natural("slices cut off at the back, of a volume", None)

    def starts(self, axes: int) -> list[int | None]:
        """What is cut off before the part, along each axis, where that is given."""
        return [self.front, self.top, self.left][-axes:]

    def ends(self, axes: int) -> list[int | None]:
        """What is cut off behind the part, along each axis, where that is given."""
        return [self.back, self.bottom, self.right][-axes:]

    def check(self) -> None:
        if self.to is not None and self.like is not None:
            raise ArgumentError(
                "`crop` takes a size or `like`, not both", "take one of them out", drop="like"
            )
        ends = [end is not None for end in self.ends(3)]
        if any(ends) and self.like is not None:
            raise ArgumentError(
                "with `like`, the part begins in the center, or where `top` and `left` say",
                "take out what is cut off behind it",
                drop="bottom" if ends[1] else "right" if ends[2] else "back",
            )
        if any(ends) and self.to is not None and any(one is not None for one in self.starts(3)):
            raise ArgumentError(
                "a size and what is cut off on one side say where the part is",
                "give the sides before the part, or those behind it",
            )
        if self.to is None and self.like is None and not any([*self.starts(3), *self.ends(3)]):
            raise ArgumentError(
                "`crop` needs the size of the part, or what is cut off",
                "write `crop 24x24`, `crop like=label` for the size of another map, or"
                " `crop top=1 left=1`",
            )

    def kept_of(self, input_shape: Shape, *others: Shape) -> PerAxis:
        """The size of the part."""
        if others:
            return size_like(others[0], input_shape, self.word)
        if self.to is not None:
            return self.to
        axes = axes_of(input_shape)
        cut = zip(input_shape[1:], self.starts(axes), self.ends(axes), strict=True)
        return tuple([side - (start or 0) - (end or 0) for side, start, end in cut])

    def output(self, *inputs: Shape) -> Shape:
        channels, *sides = as_map(inputs[0], self.word)
        axes = len(sides)
        for unused in ("front", "back", "top", "bottom")[: 2 * (3 - axes)]:
            if getattr(self, unused) is not None:
                raise ShapeError(
                    f"`{unused}` of `{self.word}` cuts an axis that its input, {text(inputs[0])},"
                    " has not",
                    f"it is {LAYOUTS[axes]}: take `{unused}` out",
                )
        ends = self.ends(axes)
        if self.to is not None and any(end is None for end in ends) and ends != [None] * axes:
            lacking = _ENDS[axes][ends.index(None)]
            raise ShapeError(
                f"with a size, what is cut off behind the part is given along every axis or none:"
                f" `{lacking}` is not",
                f"write `{lacking}=0`, too",
            )
        for what, first, last, kept, side in zip(
            LINES[axes], self.starts(axes), ends, self.kept_of(*inputs), sides, strict=True
        ):
            start = (first or 0) + ((last or 0) if self.to is not None else 0)
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
        ends = [end for end in self.ends(axes_of(input_shape)) if end is not None]
        if ends:
            each_end = zip(ends, input_shape[1:], output[1:], strict=True)
            return tuple([n - kept - end for end, n, kept in each_end])
        each = zip(starts, input_shape[1:], output[1:], strict=True)
        return tuple([(n - kept) // 2 if start is None else start for start, n, kept in each])

    def window(self, output: Shape, *inputs: Shape) -> Window:
        ones = (1,) * axes_of(output)
        return Window(ones, ones, self._start(output, inputs[0]))

    def torch(self, output: Shape, *inputs: Shape) -> TorchText:
        axes = axes_of(output)
        if self.to is None and self.like is None:
            each = zip(self.starts(axes), self.ends(axes), strict=True)
            cut = ", ".join([f"{start or ''}:{-end if end else ''}" for start, end in each])
            return TorchText(call=f"{{0}}[:, :, {cut}]")
        ends = [end for end in self.ends(axes) if end is not None]
        if ends:  # from the end, whatever the size is; refused by torch where that is too small
            pattern, numbers = "{0}", dict[str, int]()
            for axis, (end, kept) in enumerate(zip(ends, output[1:], strict=True), 2):
                pattern += f".narrow({axis}, {{first{axis}}}, {{kept{axis}}})"
                numbers |= {f"first{axis}": -kept - end, f"kept{axis}": kept}
            return TorchText(call=call_text(pattern, **numbers))
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
        return element.copied(element.channel, tuple([at + start for at, start in starts]))

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


_ENDS = {1: ("right",), 2: ("bottom", "right"), 3: ("back", "bottom", "right")}
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
    return Interval(ends.low, ends.high)  # type: ignore[return-value]  # written as a range


class Slice(View):
    """Some of the channels, from the first given up to the last, without the last."""

    word: ClassVar[str] = "slice"
    gradient: ClassVar[str] = "dx = dy for the channels that it takes, 0 for the others"
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
        call = call_text("{0}.narrow(1, {first}, {count})", first=first, count=last - first)
        return TorchText(call=call)

    def work_out(self, element: Element) -> Worked:
        return element.copied(self.channels[0] + element.channel, element.position)

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        first, last = self.channels
        return [("channels", f"{first} to {last - 1} of {inputs[0][0]}: {last - first}")]
