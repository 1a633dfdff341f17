"""Enlarging a map: `upsample`, by repetition or interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import floor, prod
from typing import TYPE_CHECKING, ClassVar

from ..language.kinds import choice, label, pair, switch
from ..language.signature import ArgumentError
from ..shapes import (
    AXES,
    POINTS,
    PerAxis,
    Shape,
    ShapeError,
    as_map,
    axes_of,
    by,
    exact_ratio,
    named,
    plain,
    size,
    text,
)
from .base import Autocast, TorchText, Window, constructor
from .shape import Rearranging, size_like
from .worked import Element, Worked, products, single, summed

if TYPE_CHECKING:
    from fractions import Fraction


class Upsample(Rearranging):
    """Enlarges the map by repeating pixels or interpolating between them."""

    autocast: ClassVar[Autocast] = "fp32"
    word: ClassVar[str] = "upsample"
    gradient: ClassVar[str] = (
        "dx = sum of dy * weight of the interpolation, over the outputs that read x"
    )
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
            return channels, *size_like(inputs[1], inputs[0], self.word)
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
        stride, start = exact_ratio(side, output_side), exact_ratio(0)
        if self.mode == "nearest":
            return 1, stride, start
        if self.align_corners:
            stride = exact_ratio(side - 1, output_side - 1) if output_side > 1 else exact_ratio(0)
        else:
            start = (stride - 1) / 2
        if stride.denominator == start.denominator == 1:
            taps = 1  # always on a pixel
        return taps, stride, start - (taps - 1) // 2

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
            return element.copied(element.channel, tuple([pixels[0][0] for pixels in near]))
        terms = []
        for pixels in product(*near):
            position, weights = zip(*pixels, strict=True)
            terms.append(element.term(element.channel, position, prod(weights)))
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
