"""Decodes an image to a tensor with the number of channels that the network takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy
import torch
from PIL import Image
from torch import Tensor

from ....compiler.plan.plan import NamedInput
from .color_modes import plain
from .image_file import DAMAGE, BadImage, pages, upright
from .in_memory import array_pixels, is_array


class Together(NamedTuple):
    """The images of several inputs of a network, which are one sample: what each is decoded
    from."""

    parts: tuple[tuple[NamedInput, Any], ...]

    def decoded(self) -> Tensor:
        """The channels of all, one after the other. Raises BadImage, which names the input."""
        images: list[Tensor] = []
        first = self.parts[0][0].name
        for input, source in self.parts:
            try:
                images.append(decode(source, input.channels))
            except BadImage as error:
                raise BadImage(f"its `{input.name}`: {error.reason}") from None
            (_, height, width), (_, tall, broad) = images[0].shape, images[-1].shape
            if (height, width) != (tall, broad):
                raise BadImage(
                    f"its `{input.name}` has {broad} x {tall} pixels, and `{first}` {width} x"
                    f" {height}"
                )
        return torch.cat(images)


def decode(source: Any, channels: int) -> Tensor:
    """The pixels of an image: uint8, channels x height x width, upright. `source` is a path, the
    bytes of a file, a Pillow image or an array; or several, for the inputs of a network. Raises
    BadImage."""
    if isinstance(source, Together):
        return source.decoded()
    if is_array(source):
        return array_pixels(source, channels)
    if not isinstance(source, (str, bytes, os.PathLike, Image.Image)):
        raise BadImage(
            "an image is a path, the bytes of a file, a Pillow image or an array, not"
            f" {type(source).__name__}"
        )
    images = iter([upright(source)]) if isinstance(source, Image.Image) else pages(source)
    try:
        if channels not in (1, 3):
            return _bands(images, channels)
        first = next(images)
        size = first.size
        image = plain(first, channels)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        _refuse_more(images, size, channels)
    except DAMAGE as error:
        raise BadImage(f"damaged: {error}") from None
    return pixels.view(size[1], size[0], channels).permute(2, 0, 1)


def _refuse_more(images: Iterator[Image.Image], size: tuple[int, int], channels: int) -> None:
    """Raises BadImage for a further page of the same size; a smaller one is a thumbnail."""
    try:
        further = next(images, None)
    except BadImage:
        return
    if further is not None and further.size == size:
        raise BadImage(
            f"it has several pages, and the network takes one image of {channels}"
            f" channel{'s' * (channels != 1)}: save the page as a file of its own"
        )


def _bands(images: Iterator[Image.Image], channels: int) -> Tensor:
    """The channels of an image without color conversion: those of an image with alpha, of a CMYK
    image, or of all pages of a TIFF, one after the other."""
    planes: list[Tensor] = []
    for page in images:
        pixels = numpy.array(_eight_bit(page))
        bands = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)
        if planes and planes[0].shape != bands.shape[1:]:
            raise BadImage("its pages differ in size")
        planes += bands.unbind()
        if len(planes) >= channels:
            break
    if len(planes) == channels and next(images, None) is not None:
        raise BadImage(f"its pages have more than the {channels} channels that the network takes")
    if len(planes) != channels:
        many = f"{len(planes)} channel{'s' * (len(planes) != 1)}"
        raise BadImage(f"it has {many}, but the network takes {channels}")
    return torch.stack(planes)


def _eight_bit(image: Image.Image) -> Image.Image:
    """The image in a mode whose bands are its channels."""
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return plain(image, 1 if len(image.getbands()) == 1 else 3)
