"""An image file to a tensor."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from .color_modes import plain
from .image_file import DAMAGE, BadImage, picture


def decode(source: str | os.PathLike[str] | bytes, channels: int) -> Tensor:
    """uint8, channels x height x width, upright; raises BadImage."""
    image = picture(source)
    try:
        image = plain(image, channels)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    except DAMAGE as error:
        raise BadImage(f"damaged: {error}") from None
    return pixels.view(image.height, image.width, channels).permute(2, 0, 1)
