"""Decodes an image to a tensor with the number of channels that the network takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from ....compiler.plan.plan import NamedInput
from .bands import bands_of, bands_of_page, has_more_than_colors, stacked
from .color_modes import in_channels, plain
from .image_file import DAMAGE, BadImage, contents, pages, upright
from .in_memory import array_pixels, is_array


class Together(NamedTuple):
    """The images of several inputs of a network, which are one sample: what each is decoded
    from."""

    parts: tuple[tuple[NamedInput, Any], ...]

    def decoded(self, depth: int) -> Tensor:
        """The channels of all, one after the other. Raises BadImage, which names the input."""
        images: list[Tensor] = []
        first = self.parts[0][0].name
        for input, source in self.parts:
            try:
                images.append(decode(source, input.channels, depth))
            except BadImage as error:
                raise BadImage(f"its `{input.name}`: {error.reason}") from None
            (_, height, width), (_, tall, broad) = images[0].shape, images[-1].shape
            if (height, width) != (tall, broad):
                raise BadImage(
                    f"its `{input.name}` has {broad} x {tall} pixels, and `{first}` {width} x"
                    f" {height}"
                )
        return torch.cat(images)


class Pixels(NamedTuple):
    """An image that is decoded already: channels x height x width, uint8 or levels."""

    image: Tensor

    def decoded(self, channels: int, depth: int) -> Tensor:
        image = self.image
        if depth > 8:
            image = image.float()
        elif image.is_floating_point():
            image = image.round().clamp(0, 255).to(torch.uint8)
        try:
            return in_channels(image, channels)
        except ValueError as error:
            raise BadImage(str(error)) from None


def decode(source: Any, channels: int, depth: int = 8) -> Tensor:
    """The pixels of an image: uint8, channels x height x width, upright; with a `depth` of more
    bits than 8, levels from 0 to 255 with fractions, float32 (`bands.py`). `source` is a path, the
    bytes of a file, a Pillow image or an array; or several, for the inputs of a network. Raises
    BadImage."""
    if isinstance(source, Together):
        return source.decoded(depth)
    if isinstance(source, Pixels):
        return source.decoded(channels, depth)
    if is_array(source):
        return array_pixels(source, channels, depth)
    if not isinstance(source, (str, bytes, os.PathLike, Image.Image)):
        raise BadImage(
            "an image is a path, the bytes of a file, a Pillow image or an array, not"
            f" {type(source).__name__}"
        )
    try:
        if isinstance(source, Image.Image):
            image = upright(source)
            if depth > 8 or channels not in (1, 3):
                return stacked(bands_of_page(image), channels, depth)
            return _tensor(plain(image, channels))
        data = source if isinstance(source, bytes) else contents(os.fspath(source))
        if depth > 8 or channels not in (1, 3) or has_more_than_colors(data):
            return stacked(bands_of(data, channels), channels, depth)
        images = pages(data)
        first = next(images)
        size = first.size
        pixels = _tensor(plain(first, channels))
        _refuse_more(images, size, channels)
        return pixels
    except DAMAGE as error:
        raise BadImage(f"damaged: {error}") from None


def _tensor(image: Image.Image) -> Tensor:
    """A gray or RGB image."""
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.view(image.height, image.width, -1).permute(2, 0, 1)


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
