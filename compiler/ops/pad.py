"""The layer `pad`: rows and columns around a map, steps before and after a series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..language.kinds import choice, natural, natural_pair, number
from ..language.signature import ArgumentError
from ..shapes import AXES, LAYOUTS, PerAxis, Shape, ShapeError, as_map, axes_of, plain, text
from .base import Kept, TorchText, Window, constructor
from .padding import PADDING_MODES, Sides, check_padding, flat_sides, source_position
from .shape import Rearranging
from .worked import Element, Worked


class Pad(Rearranging):
    """Adds rows and columns around the map.

    Of a series, `left` is before and `right` after it; of a volume, `front` and `back` are before
    and after its slices.
    """

    word: ClassVar[str] = "pad"
    gradient: ClassVar[str] = (
        "dx = dy of the inside; where the border repeats pixels, its dy is added to theirs"
    )
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
        return element.copied(element.channel, tuple([n for n in inside if n is not None]))

    def explain(self, output: Shape, *inputs: Shape) -> list[tuple[str, str]]:
        axes = axes_of(output)
        each = zip(AXES[axes], self.sides(axes), inputs[0][1:], output[1:], strict=True)
        return [
            (name, f"{before} + {side} + {after} = {total}")
            for name, (before, after), side, total in each
        ]


_SIDES = (("front", "back"), ("top", "bottom"), ("left", "right"))
"""The sides along each axis of a volume; a series has the last axis alone."""
