"""Converts an image that a program passes as an array to the tensor that a file would give."""

from __future__ import annotations

from typing import Any

import numpy
from torch import Tensor

from ..sources.unfit import Unfit
from .arrays import as_images
from .color_modes import in_channels
from .image_file import BadImage


def is_array(value: object) -> bool:
    return isinstance(value, (numpy.ndarray, Tensor))


def is_batch(value: Any) -> bool:
    """Whether `value` is an array of several images."""
    return is_array(value) and value.ndim == 4


def array_pixels(image: Any, channels: int, depth: int = 8) -> Tensor:
    """The pixels (channels x height x width; uint8, or levels if `depth` is more than 8) of an
    array of H x W, H x W x C or C x H x W; raises BadImage."""
    array = image.detach().cpu().numpy() if isinstance(image, Tensor) else image
    try:
        if array.ndim not in (2, 3):
            sizes = f"{array.ndim} dimension{'s' * (array.ndim != 1)}"
            raise Unfit(f"an array of {sizes} is not an image of H x W, H x W x C or C x H x W")
        pixels = as_images(array[None], (channels, 0, 0), depth)[0]
        return in_channels(pixels, channels)
    except (Unfit, ValueError) as error:
        raise BadImage(str(error)) from None
