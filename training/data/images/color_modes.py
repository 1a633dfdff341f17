"""Converts images of any color mode to 8-bit gray or RGB.

- Transparent pixels are blended with white, like on a web page.
- 16-bit values are divided by 257 and rounded, so that 65,535 becomes 255.
- 32-bit integers (in TIFF files) are treated as 16-bit values; floats as values from 0 to 1, or, if
  one of them is larger than 1, from 0 to 255.
- Colors are converted to gray by luma (ITU-R 601): 0.299 red + 0.587 green + 0.114 blue.
"""

from __future__ import annotations

import torch
from PIL import Image, ImageCms
from torch import Tensor

from .image_file import BadImage


def plain(image: Image.Image, channels: int) -> Image.Image:
    """The image in mode `L` or `RGB`; raises BadImage for numbers that are not pixel values."""
    wanted = "L" if channels == 1 else "RGB"
    if image.mode == wanted and not image.has_transparency_data:
        return image
    if image.mode.startswith("I"):
        image = _eight_bits(_numbers(image, torch.int32), 65535)
    elif image.mode == "F":
        numbers = _numbers(image, torch.float32)
        if not bool(numbers.isfinite().all()):
            raise BadImage("some of its values are NaN or infinite")
        image = _eight_bits(numbers, 1 if bool((numbers <= 1).all()) else 255)
    elif image.mode == "LAB":
        image = _from_lab(image)
    elif image.has_transparency_data:
        image = _on_white(image)
    return image if image.mode == wanted else image.convert(wanted)


def _numbers(image: Image.Image, kind: torch.dtype) -> Tensor:
    if image.mode not in ("I", "F"):
        image = image.convert("I")  # from 16 bits, of either byte order
    flat = torch.frombuffer(bytearray(image.tobytes()), dtype=kind)
    return flat.view(image.height, image.width)


def _eight_bits(numbers: Tensor, white: int) -> Image.Image:
    low, high = numbers.min().item(), numbers.max().item()
    if low < 0 or high > white:
        raise BadImage(f"its values go from {low:g} to {high:g}, which are not pixel values")
    pixels = (numbers.double() * (255 / white)).round().to(torch.uint8)
    return Image.fromarray(pixels.numpy())


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise BadImage("its colors cannot be converted")
    return converted


def _on_white(image: Image.Image) -> Image.Image:
    foreground = image.convert("RGBA")
    white = Image.new("RGBA", foreground.size, "white")
    return Image.alpha_composite(white, foreground).convert("RGB")


def as_grey(images: Tensor) -> Tensor:
    """Images (... x 3 x H x W) converted to one gray channel, with the same result as for files."""
    if images.is_floating_point():  # levels of more than 8 bits
        red, green, blue = images.unbind(-3)
        return (red * 0.299 + green * 0.587 + blue * 0.114).unsqueeze(-3)
    red, green, blue = images.to(torch.int32).unbind(-3)
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.to(torch.uint8).unsqueeze(-3)


def in_channels(images: Tensor, channels: int) -> Tensor:
    """Images with another number of channels: gray is repeated, colors are converted to gray."""
    have = images.shape[-3]
    if have == channels:
        return images
    if have == 3 and channels == 1:
        return as_grey(images)
    if have == 1:
        return images.expand(*images.shape[:-3], channels, *images.shape[-2:])
    raise ValueError(f"{have} channels cannot become {channels}")
