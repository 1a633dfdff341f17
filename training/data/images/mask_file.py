"""Reads a mask: an image file that gives the class of each pixel, as a number or as a color; or a
.npy file of class numbers.

A mask is turned into class numbers once, when it is read. `UNLABELLED` stands for pixels without a
label, whatever the file has there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy
import torch
from torch import Tensor

from ....compiler.plan.data import UNLABELLED
from ....compiler.shapes import text
from ...untrusted.bad_file import BadFile
from ...untrusted.npz import read_npy
from .image_file import DAMAGE, BadImage, picture

Color = tuple[int, int, int]


@dataclass(frozen=True)
class MaskCode:
    """What the values of a mask file stand for."""

    classes: int
    ignored: tuple[int, ...] = (UNLABELLED,)
    """Values of pixels without a label."""
    colors: Mapping[Color, int] | None = None
    """The class of each color; None if the values are class numbers."""
    two_valued: bool = False
    """Whether the masks are black and white: 255 is class 1."""

    def read(self, path: str | bytes) -> Tensor:
        """The class of each pixel (uint8, height x width); raises BadImage."""
        values = mask_values(path, colors=self.colors is not None)
        return self._of_colors(values) if self.colors is not None else self._of_numbers(values)

    def _of_numbers(self, values: numpy.ndarray) -> Tensor:
        table = self._table
        if values.max(initial=0) >= len(table) or values.min(initial=0) < 0:
            raise BadImage(self._unknown(values))
        numbers = table[values]
        if (numbers == _UNKNOWN).any():
            raise BadImage(self._unknown(values))
        return torch.from_numpy(numbers.astype(numpy.uint8))

    @cached_property
    def _table(self) -> numpy.ndarray:
        """The class of each value."""
        table = numpy.full(256, _UNKNOWN, dtype=numpy.int16)
        table[: self.classes] = numpy.arange(self.classes)
        table[[value for value in self.ignored if 0 <= value < len(table)]] = UNLABELLED
        if self.two_valued:
            table[255] = 1
        return table

    def _unknown(self, values: numpy.ndarray) -> str:
        known = [*range(self.classes), *self.ignored, *([255] if self.two_valued else [])]
        strange = numpy.unique(values[~numpy.isin(values, known)])
        numbers = ", ".join(map(str, strange[:5].tolist()))
        ignore = f"({numbers})" if "," in numbers else numbers
        return (
            f"the mask has the class number {numbers}; there are {self.classes} classes, from 0 to"
            f" {self.classes - 1}; `ignore={ignore}` if that stands for no label"
        )

    def _of_colors(self, values: numpy.ndarray) -> Tensor:
        assert self.colors is not None
        packed = _packed(values)
        known, classes = self._packed_colors
        places = numpy.searchsorted(known, packed).clip(max=len(known) - 1)
        strange = known[places] != packed
        if strange.any():
            color = int(packed[strange][0])
            red, green, blue = color >> 16, color >> 8 & 255, color & 255
            raise BadImage(f"the mask has the color {red} {green} {blue}, which no class has")
        return torch.from_numpy(classes[places])

    @cached_property
    def _packed_colors(self) -> tuple[numpy.ndarray, numpy.ndarray]:
        assert self.colors is not None
        pairs = sorted(((r << 16) + (g << 8) + b, n) for (r, g, b), n in self.colors.items())
        return (
            numpy.array([color for color, _ in pairs]),
            numpy.array([number for _, number in pairs], dtype=numpy.uint8),
        )


_UNKNOWN = -1


def mask_values(path: str | bytes, *, colors: bool = False) -> numpy.ndarray:
    """The values of a mask file, or of its bytes: numbers (height x width), or with `colors` red,
    green and blue. Of an image with a palette, the numbers are the indices. Raises BadImage."""
    if isinstance(path, str) and path.lower().endswith(".npy"):
        return _of_array(path, colors=colors)
    try:
        image = picture(path)
        if colors:
            return numpy.array(image.convert("RGB"))
        if image.mode in ("1", "L", "P", "I", "I;16", "I;16B", "I;16L"):
            return numpy.array(image).astype(numpy.int64)
        if image.mode in ("LA", "RGB", "RGBA"):
            values = numpy.array(image.convert("RGB"))
            if (values == values[..., :1]).all():  # gray, saved in color
                return values[..., 0].astype(numpy.int64)
            raise BadImage(
                "the mask has colors, and no table says which class each stands for: write"
                " `classes.txt` into the folder of the data, a line for each like `road 128 64 128`"
            )
        raise BadImage(f"a mask is an image of class numbers, not of mode {image.mode}")
    except DAMAGE as error:
        raise BadImage(f"damaged: {error}") from None


def _of_array(path: str, *, colors: bool) -> numpy.ndarray:
    """The values of a .npy file; -1 stands for no label, too."""
    try:
        array: numpy.ndarray = read_npy(Path(path))
    except BadFile as error:
        raise BadImage(f"the mask {error}") from None
    if colors:
        if array.ndim == 3 and array.shape[2] == 3 and array.dtype.kind in "iu":
            return array.astype(numpy.int64)
        raise BadImage("the mask is not height x width x 3 levels, and classes have colors")
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[0] if array.shape[0] == 1 else array[..., 0]
    array = array.astype(numpy.uint8) if array.dtype.kind == "b" else array
    if array.ndim != 2 or array.dtype.kind not in "iubf" or not array.size:
        raise BadImage(
            f"the mask is not class numbers, height x width: it has {text(array.shape) or 'one'}"
            f" numbers of the type {array.dtype}"
        )
    if (array != numpy.rint(array)).any() or abs(array).max() > _MOST:
        raise BadImage("the mask has numbers that are not those of classes")
    values = array.astype(numpy.int64)
    return numpy.where(values == -1, UNLABELLED, values)


_MOST = 2**31
"""A limit for numbers, none of which is a class beyond 254."""


def _packed(values: numpy.ndarray) -> numpy.ndarray:
    red, green, blue = (values[..., channel].astype(numpy.int64) for channel in range(3))
    return (red << 16) + (green << 8) + blue
