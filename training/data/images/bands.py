"""The bands of an image file as the file has them: of any number, and of more than 8 bits.

Bands become levels from 0, black, to 255, white, as 8-bit images have them, with what the further
bits say as fractions. 65,535 of 16 bits is white. Signed and longer numbers and floats have units
of their own: 1 is white, and there is no limit, so that their mean and deviation are measured in
their units.
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy
import torch
from PIL import Image
from torch import Tensor

from .color_modes import as_grey, plain
from .image_file import DAMAGE, FORMATS, BadImage, pages, upright
from .tiff_file import is_tiff, layout_of, tiff_pages

_PNG = b"\x89PNG\r\n\x1a\n"
_LOW_BYTES = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}


class Bands(NamedTuple):
    """What a file has."""

    planes: list[numpy.ndarray]
    """Each height x width, upright, in the number type of the file."""
    alpha: bool
    """Whether the last one is the opacity."""
    pages: int = 1
    """The number of pages that they are from."""


def bands_of(data: bytes, most: int) -> Bands:
    """The bands of an image: of a TIFF, those of all its pages, one after the other, until there
    are more than `most`. Raises BadImage."""
    layout = layout_of(data) if is_tiff(data) else None
    if layout is not None and not layout.for_pillow:
        read = [*tiff_pages(data, most)]
        every = [plane for page in read for plane in page]
        return Bands(_of_one_size(every), layout.alpha, len(read))
    if depth_of_png(data) > 8 and (deep := _deep_png(data)) is not None:
        return Bands([*numpy.moveaxis(deep, 2, 0)], deep.shape[2] == 4)
    found: list[Bands] = []
    for page in pages(data):
        found.append(bands_of_page(page))
        if sum(len(one.planes) for one in found) > most:
            break
    planes = [plane for one in found for plane in one.planes]
    return Bands(_of_one_size(planes), any(one.alpha for one in found), len(found))


def has_more_than_colors(data: bytes) -> bool:
    """Whether a file is a TIFF with bands that are no colors."""
    layout = layout_of(data) if is_tiff(data) else None
    return layout is not None and not layout.colors


def _of_one_size(bands: list[numpy.ndarray]) -> list[numpy.ndarray]:
    if any(band.shape != bands[0].shape for band in bands):
        raise BadImage("its pages differ in size")
    return bands


def bands_of_page(image: Image.Image) -> Bands:
    """The bands of an image that Pillow has read."""
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode in ("1", "YCbCr", "LAB", "HSV"):
        image = plain(image, 1 if len(image.getbands()) == 1 else 3)
    pixels = numpy.array(image)
    if image.mode == "I" and image.format != "TIFF":  # 16 bits, in a wider type
        pixels = pixels.clip(0, 65535).astype(numpy.uint16)
    planes = [*numpy.moveaxis(pixels.reshape(*pixels.shape[:2], -1), 2, 0)]
    return Bands(planes, image.mode in ("LA", "RGBA"))


# ---- PNG -------------------------------------------------------------------------------------


def depth_of_png(data: bytes) -> int:
    """The bits of a channel of a PNG; 0 of another file."""
    return data[24] if data.startswith(_PNG) and len(data) > 24 else 0


def _deep_png(data: bytes) -> numpy.ndarray | None:
    """The 16 bits of a PNG in color, which Pillow reads with 8: once their high bytes are read, and
    once the low ones. None if it is gray, or of a rarer kind."""
    whole = None
    next(pages(data))  # checks sizes, and raises what there is to say
    try:
        for low in (False, True):
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            (tile,) = image.tile
            if str(tile[3]) not in _LOW_BYTES or "transparency" in image.info:
                return None
            if low:
                image.tile = [(*tile[:3], _LOW_BYTES[str(tile[3])])]  # type: ignore[list-item]
            half = numpy.array(upright(image)).astype(numpy.uint16)
            whole = half if whole is None else whole * 256 + half
    except DAMAGE as error:
        raise BadImage(f"damaged: {error}") from None
    return whole


# ---- levels ----------------------------------------------------------------------------------


def in_levels(band: numpy.ndarray) -> Tensor:
    """A band in levels, as float32. Raises BadImage for numbers that are not finite."""
    if band.dtype == numpy.bool_:
        return torch.from_numpy(band.astype(numpy.float32) * 255)
    if band.dtype == numpy.uint8:
        return torch.from_numpy(band.astype(numpy.float32))
    numbers = band.astype(numpy.float64)
    numbers *= 1 / 257 if band.dtype.newbyteorder("=") == numpy.uint16 else 255
    levels = torch.from_numpy(numbers).float()
    if not bool(levels.isfinite().all()):
        count = int((~levels.isfinite()).sum())
        raise BadImage(f"{count:,} of its values are NaN or infinite")
    return levels


def in_bytes(band: numpy.ndarray) -> Tensor:
    """A band with 8 bits. Raises BadImage for numbers in units of their own."""
    if band.dtype == numpy.uint8:
        return torch.from_numpy(band)
    levels = in_levels(band)
    low, high = float(levels.min()), float(levels.max())
    if low < 0 or high > 255:
        raise BadImage(
            f"its values go from {low / 255:g} to {high / 255:g}, which are not pixel values"
        )
    return levels.round().to(torch.uint8)


def stacked(bands: Bands, channels: int, depth: int) -> Tensor:
    """Bands as an image with the channels that a network takes: uint8, or levels if `depth` is more
    than 8. Gray is repeated, colors become gray, and transparent pixels are blended with white; any
    other number of bands has to be that of the network. Raises BadImage."""
    have = len(bands.planes)
    of_colors = channels in (1, 3) and have <= 4 and bands.pages == 1
    if have != channels and not (of_colors and (bands.alpha or have in (1, 3))):
        if bands.pages > 1 and have > channels:
            raise BadImage(
                f"its pages have more than the {_channels(channels)} that the network takes"
            )
        raise BadImage(f"it has {_channels(have)}, but the network takes {channels}")
    image = torch.stack([in_levels(one) if depth > 8 else in_bytes(one) for one in bands.planes])
    if have != channels and bands.alpha:
        image = _on_white(image)
    if len(image) == channels:
        return image
    if channels == 3:
        return image.expand(3, -1, -1).clone()
    return as_grey(image.float())


def _channels(count: int) -> str:
    return f"{count} channel{'s' * (count != 1)}"


def _on_white(image: Tensor) -> Tensor:
    opacity = image[-1:].float() / 255
    blended = image[:-1] * opacity + 255 * (1 - opacity)
    return blended if image.is_floating_point() else blended.round().to(image.dtype)
