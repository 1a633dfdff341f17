"""An image file to a tensor."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from torch import Tensor

from .color_modes import plain
from .image_file import DAMAGE, BadImage, picture, upright
from .in_memory import array_pixels, is_array


def decode(source: Any, channels: int) -> Tensor:
    """uint8, channels x height x width, upright, of a path, the bytes of a file, an image of
    Pillow's, or an array; raises BadImage."""
    if is_array(source):
        return array_pixels(source, channels)
    image = upright(source) if isinstance(source, Image.Image) else picture(source)
    try:
        image = plain(image, channels)
        pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    except DAMAGE as error:
        raise BadImage(f"damaged: {error}") from None
    return pixels.view(image.height, image.width, channels).permute(2, 0, 1)
