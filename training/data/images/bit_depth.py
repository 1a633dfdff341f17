"""Finds out whether image files have more than 8 bits a channel, of which training sees only 8."""

from __future__ import annotations

import io

from PIL import Image

from ..loader.image_source import Files, ImageSource
from .decode import Together
from .image_file import DAMAGE, FORMATS, BadImage, contents, quiet

_LOOKED = 8
"""Files that are looked at."""
_BITS_PER_SAMPLE = 258
"""The tag of a TIFF."""


def bit_depth_note(source: ImageSource) -> str:
    """What to say of images with more than 8 bits; empty if there are none among some files."""
    if not isinstance(source, Files):
        return ""
    step = max(1, len(source) // _LOOKED)
    with quiet():
        for index in range(0, len(source), step):
            bits = _bits(source, index)
            if bits > 8:
                file = source.name(index)
                return f"images have {bits} bits a channel ({file}), and are read with 8 of them"
    return ""


def _bits(source: Files, index: int) -> int:
    try:
        data = source.content(index)
        if isinstance(data, Together):
            return max(_bits_of(each) for _, each in data.parts)
        return _bits_of(data)
    except BadImage:
        return 8  # it is named when it is decoded


def _bits_of(data: str | bytes) -> int:
    try:
        data = data if isinstance(data, bytes) else contents(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 24:
            return data[24]
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            tags = getattr(image, "tag_v2", {})
            depths = tags.get(_BITS_PER_SAMPLE, 8)
            depth = max(depths) if isinstance(depths, tuple) else int(depths)
            return depth if image.mode[0] not in "IF" else max(depth, 16)
    except (BadImage, *DAMAGE):
        return 8  # it is named when it is decoded
