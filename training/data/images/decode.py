"""An image file to a tensor: as many channels as the network takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
import torch
from PIL import Image
from torch import Tensor

from .color_modes import plain
from .image_file import DAMAGE, BadImage, pages, upright
from .in_memory import array_pixels, is_array


def decode(source: Any, channels: int) -> Tensor:
    """uint8, channels x height x width, upright, of a path, the bytes of a file, an image of
    Pillow's, or an array; raises BadImage."""
    if is_array(source):
        return array_pixels(source, channels)
    images = iter([upright(source)]) if isinstance(source, Image.Image) else pages(source)
    try:
        if channels not in (1, 3):
            return _bands(images, channels)
        image = plain(next(images), channels)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    except DAMAGE as error:
        raise BadImage(f"damaged: {error}") from None
    return pixels.view(image.height, image.width, channels).permute(2, 0, 1)


def _bands(images: Iterator[Image.Image], channels: int) -> Tensor:
    """Channels as they are, not mixed into colors: those of an image with alpha, those of CMYK, or
    those of the pages of a TIFF, one after the other."""
    planes: list[Tensor] = []
    for page in images:
        pixels = numpy.array(_eight_bit(page))
        bands = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)
        if planes and planes[0].shape != bands.shape[1:]:
            raise BadImage("its pages differ in size")
        planes += bands.unbind()
        if len(planes) >= channels:
            break
    if len(planes) != channels:
        many = f"{len(planes)} channel{'s' * (len(planes) != 1)}"
        raise BadImage(f"it has {many}, and the network takes {channels}")
    return torch.stack(planes)


def _eight_bit(image: Image.Image) -> Image.Image:
    """A mode whose bands are its channels."""
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return plain(image, 1 if len(image.getbands()) == 1 else 3)
