"""Finds out how many bits a channel of image files has, and whether they can be read at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..loader.image_source import Files
from .bands import bands_of, depth_of_png
from .decode import Pixels, Together
from .image_file import DAMAGE, BadImage, contents, quiet
from .tiff_file import is_tiff, layout_of, tifffile_or_none

_LOOKED = 8
"""The files that are checked."""


class Depth(NamedTuple):
    """What image files hold."""

    bits: int = 8
    """Those of a channel: 8, 16, or 32 for numbers in units of their own."""
    kept: int = 8
    """The bits that are read."""
    name: str = ""
    """The file that has most of them."""
    channels: int = 0
    """The number of bands, if they are no colors; else 0."""
    lacks: str = ""
    """What a file has that only tifffile reads, if that is not installed."""

    @property
    def note(self) -> str:
        """What to say of images with more than 8 bits."""
        if self.bits <= 8:
            return ""
        if self.bits > self.kept:
            lost = ' (`pip install "dotcnn[tiff]"` reads all)' if self.lacks else ""
            return (
                f"images have {self.bits} bits a channel ({self.name}), and are read with"
                f" {self.kept} of them{lost}"
            )
        if self.bits == 16:
            return f"images have 16 bits a channel ({self.name}): all of them count"
        return (
            f"images hold numbers in units of their own ({self.name}): 1 is white, and nothing is"
            " cut off"
        )


def depth_of(source: Files, *, keeps: bool = True) -> Depth:
    """The depth of some of the files, and the number of bands that most of them have. With `keeps`,
    what is more than 8 bits can be used."""
    found: list[Depth] = []
    for data, name in _some(source):
        try:
            found.append(_depth(data)._replace(name=name))
        except DAMAGE:
            continue  # it is named when it is decoded
    if not found:
        return Depth()
    (channels, _), *_ = Counter(one.channels for one in found).most_common(1)
    usual = [one for one in found if one.channels == channels]
    deepest = max(usual, key=lambda one: one.bits)
    if source.first_input is not None:
        deepest = deepest._replace(channels=0)  # each input has channels of its own
    return deepest if keeps else deepest._replace(kept=8)


def _some(source: Files) -> Iterator[tuple[Any, str]]:
    """The contents of some files, with their names."""
    with quiet():
        for index in range(0, len(source), max(1, len(source) // _LOOKED)):
            try:
                data = source.content(index)
                each = [one for _, one in data.parts] if isinstance(data, Together) else [data]
                for one in each:
                    known = one if isinstance(one, bytes | Pixels) else contents(one)
                    yield known, source.name(index)
            except BadImage:
                continue  # it is named when it is decoded


def _depth(data: bytes | Pixels) -> Depth:
    if isinstance(data, Pixels):
        bits = 32 if data.image.is_floating_point() else 8
        return Depth(bits, bits)
    if not is_tiff(data):
        png = depth_of_png(data)
        return Depth(max(8, png), max(8, png))
    layout = layout_of(data)
    if layout is None:
        return Depth()
    bits = layout.depth
    channels = 0 if layout.colors else layout.bands
    if layout.for_pillow or tifffile_or_none() is not None:
        return Depth(bits, bits, channels=channels)
    return Depth(bits, 8, channels=channels, lacks=str(layout))


def channels_of(source: Files, most: int) -> tuple[int, str]:
    """The number of channels that most of some files have, and the name of one; 0 if none can be
    read. Of more than `most`, it may be too low."""
    found: dict[str, int] = {}
    for data, name in _some(source):
        try:
            planes = data.image if isinstance(data, Pixels) else bands_of(data, most).planes
            found[name] = len(planes)
        except (BadImage, *DAMAGE):
            continue
    if not found:
        return 0, ""
    ((channels, _),) = Counter(found.values()).most_common(1)
    return channels, next(name for name, count in found.items() if count == channels)
