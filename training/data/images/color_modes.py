"""Pictures of every mode to 8 bits of grey or of red, green and blue.

- What is transparent is seen on white, as on a page.
- 16 bits are divided by 257 and rounded, so that 65,535 is 255.
- Grey of whole numbers (TIFF's 32 bits) is taken for 16 bits; fractions for 0 to 1, or, where one
  of them is larger than 1, for 0 to 255.
- Colours become grey by luma (ITU-R 601): 0.299 red + 0.587 green + 0.114 blue.
"""

from __future__ import annotations

import torch
from PIL import Image, ImageCms
from torch import Tensor

from .image_file import BadImage


def plain(image: Image.Image, channels: int) -> Image.Image:
    """Mode `L` or `RGB`; raises BadImage for numbers that are not pixels."""
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
        image = image.convert("I")  # from 16 bits, whichever byte of them comes first
    flat = torch.frombuffer(bytearray(image.tobytes()), dtype=kind)
    return flat.view(image.height, image.width)


def _eight_bits(numbers: Tensor, white: int) -> Image.Image:
    low, high = numbers.min().item(), numbers.max().item()
    if low < 0 or high > white:
        raise BadImage(f"its numbers go from {low:g} to {high:g}, which are not pixels")
    pixels = (numbers.double() * (255 / white)).round().to(torch.uint8)
    return Image.fromarray(pixels.numpy())


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    made = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if made is None:
        raise BadImage("its colors cannot be converted")
    return made


def _on_white(image: Image.Image) -> Image.Image:
    seen = image.convert("RGBA")
    page = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(page, seen).convert("RGB")


def as_grey(images: Tensor) -> Tensor:
    """... x 3 x H x W to one channel, to the last bit as for files."""
    red, green, blue = images.to(torch.int32).unbind(-3)
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return luma.to(torch.uint8).unsqueeze(-3)


def in_channels(images: Tensor, channels: int) -> Tensor:
    """Images in memory with another number of channels: grey repeated, colours made grey."""
    have = images.shape[-3]
    if have == channels:
        return images
    if have == 3 and channels == 1:
        return as_grey(images)
    if have == 1:
        return images.expand(*images.shape[:-3], channels, *images.shape[-2:])
    raise ValueError(f"{have} channels cannot become {channels}")
