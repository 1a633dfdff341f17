"""Converts arrays of any layout and number type to uint8 images."""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy
import torch
from torch import Tensor

from ....compiler.shapes import Shape, size, text
from ..sources.unfit import Unfit
from .bands import in_levels
from .image_file import BadImage

_CHUNK = 1024
"""Images that are converted at a time, so that an array of floats is never copied as a whole."""


def as_images(array: Any, wanted: Shape, depth: int = 8) -> Tensor:
    """Images as uint8, images x channels x height x width, from an array of any layout; `wanted` is
    the input shape of the network. With a `depth` of more bits than 8, levels of float32, as those
    of image files (`bands.py`). Raises Unfit."""
    array = _arranged(array, wanted)
    if not array.shape[0]:
        raise Unfit("there are none")
    if not array.size:
        raise Unfit("they have no pixels")
    if depth > 8:
        try:
            return in_levels(_of_sixteen_bits(array) if depth == 16 else array)
        except BadImage as error:
            raise Unfit(error.reason) from None
    _must_be_finite(array)
    scale = _scale(array)
    images = torch.empty(array.shape, dtype=torch.uint8)
    for start in range(0, len(array), _CHUNK):
        part = array[start : start + _CHUNK]
        if scale != 1 or part.dtype.kind == "f":
            part = numpy.rint(part.astype(numpy.float64) * scale)
        images[start : start + _CHUNK] = torch.from_numpy(
            numpy.ascontiguousarray(part.astype(numpy.uint8))
        )
    return images


def depth_of_array(array: Any) -> int:
    """The bits of a channel: 16 for whole numbers that need more than 8, else 8."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize == 1 or not array.size:
        return 8
    return 16 if int(array.min()) >= 0 and 255 < int(array.max()) <= 65535 else 8


def _must_be_finite(array: Any) -> None:
    """Raises Unfit for NaN and infinite numbers, which names the first image that has some."""
    if array.dtype.kind != "f":
        return
    bad = [
        start + int(place)
        for start in range(0, len(array), _CHUNK)
        for place in numpy.flatnonzero(
            ~numpy.isfinite(array[start : start + _CHUNK])
            .reshape(len(array[start : start + _CHUNK]), -1)
            .all(1)
        )
    ]
    if bad and len(array) == 1:
        raise Unfit("some of its pixels are NaN or infinite")
    if bad:
        raise Unfit(
            f"{len(bad):,} of {len(array):,} images have pixels that are NaN or infinite, the first"
            f" is #{bad[0]}"
        )


def _of_sixteen_bits(array: Any) -> Any:
    """Longer whole numbers are what a program has where a file has 16 bits."""
    if array.dtype.kind not in "iu" or array.dtype in (numpy.uint8, numpy.uint16):
        return array
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > 65535:
        raise Unfit(f"its values range from {low} to {high}; 16 bits range from 0 to 65,535")
    return array.astype(numpy.uint16)


def ambiguity(array: Any, wanted: Shape) -> str:
    """A note on arrays whose channels could be the first or the last axis; else empty."""
    sizes = array.shape
    channels = {wanted[0] if len(wanted) == 3 else 3, 1, 3}
    if len(sizes) != 4 or sizes[1] != sizes[3] or sizes[1] not in channels:
        return ""
    return (
        f"images of {text(sizes[1:])} are read as channels x height x width; if the channels are"
        " last, transpose the array: array.transpose(0, 3, 1, 2)"
    )


def _arranged(array: Any, wanted: Shape) -> Any:
    """The array with channels before height and width, whichever layout it has."""
    sizes = array.shape
    if len(sizes) == 4:
        if sizes[1:] == wanted:
            return array
        first, last = sizes[1], sizes[3]
        channels = wanted[0] if len(wanted) == 3 else 3
        last_fits = (last == channels, last in (1, 3))
        first_fits = (first == channels, first in (1, 3))
        if first_fits == last_fits:  # both fit, or neither: the shorter axis is the channels
            return array if first < last else numpy.moveaxis(array, 3, 1)
        return array if first_fits > last_fits else numpy.moveaxis(array, 3, 1)
    if len(sizes) == 3:
        return array[:, None]
    if len(sizes) == 2:
        return array.reshape(sizes[0], *_unrolled(sizes[1], wanted))
    raise Unfit(f"an array of {text(sizes) or 'one number'} is not images")


def _unrolled(length: int, wanted: Shape) -> Shape:
    if len(wanted) == 3 and size(wanted) == length:
        return wanted
    if isqrt(length) ** 2 == length:
        return 1, isqrt(length), isqrt(length)
    needs = f"; the input {text(wanted)} has {size(wanted):,}" if wanted else ""
    raise Unfit(
        f"rows of {length:,} numbers do not determine the height and width of an image{needs}"
    )


def _scale(array: Any) -> float:
    """The factor that brings the values to a range from 0 to 255."""
    if array.dtype == numpy.uint8:
        return 1
    if array.dtype.kind == "b":
        return 255
    if array.dtype.kind not in "iuf":
        raise Unfit(f"it holds {array.dtype}, which are not pixel values")
    low, high = float(array.min()), float(array.max())
    if low >= 0:
        if array.dtype.kind == "f" and high <= 1:
            return 255
        if high <= 255:
            return 1
        if array.dtype.kind in "iu" and high <= 65535:
            return 255 / 65535
    raise Unfit(
        f"its values range from {low:g} to {high:g}; pixels range from 0 to 255, to 65,535 in"
        " whole numbers, or to 1 in fractions"
    )
