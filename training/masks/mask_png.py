"""Masks as PNG files: class numbers, with the colors of the classes as palette."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from .class_colors import class_colors

WRITTEN = re.compile(rb"dotcnn (mask|overlay|polygons|image)")
"""A mark in what `cnn predict` writes: these files may be replaced."""


def mask_png(mask: Tensor, classes: Sequence[str]) -> bytes:
    """The bytes of a PNG file: the value of a pixel is its class number. Programs that show images
    show the colors of the classes; the names of the classes are in the file as well."""
    picture = Image.fromarray(mask.numpy())
    picture.putpalette(class_colors(classes).flatten().tolist())
    about = PngInfo()
    about.add_itxt("Software", "dotcnn mask")
    about.add_itxt("classes", "\n".join(classes))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True, pnginfo=about)
    return file.getvalue()


def overlay_png(picture: Tensor) -> bytes:
    """The bytes of a PNG file with a picture (uint8, 3 x height x width)."""
    return picture_png(picture, "overlay")


def picture_png(picture: Tensor, what: str = "image") -> bytes:
    """The bytes of a PNG file with a picture in gray or in color (uint8, 1 or 3 x height x
    width)."""
    about = PngInfo()
    about.add_itxt("Software", f"dotcnn {what}")
    file = io.BytesIO()
    pixels = picture[0] if len(picture) == 1 else picture.permute(1, 2, 0)
    Image.fromarray(pixels.contiguous().numpy()).save(file, "PNG", pnginfo=about)
    return file.getvalue()
