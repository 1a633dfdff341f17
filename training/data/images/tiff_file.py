"""Reads TIFF files that Pillow cannot read, or only with 8 bits: of several bands, of more bits,
and of floats. tifffile decodes them, an optional package.

A file claims its own size, and compressed data may be a thousand times larger than the file: sizes
are compared with limits before anything is decoded, from the tags of each page.
"""

from __future__ import annotations

import io
import logging
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy
from PIL import TiffImagePlugin

from .image_file import DAMAGE, MAX_PIXELS, BadImage

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first bytes of a TIFF, and of a BigTIFF."""
MAX_BANDS = 2**10
MAX_BYTES = 2**31
"""A limit for all bands of an image when they are decoded."""

_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _EXTRA, _FORMAT = 258, 262, 274, 277, 338, 339
_UNSIGNED, _INKS = 1, 5
_PLAIN, _LZW, _DEFLATE, _PACKED_BITS = (1,), (5,), (8, 32946), (32773,)
_THOUSAND = 1032
"""No deflated byte becomes more bytes than that."""
_ALPHA = (1, 2)


@dataclass(frozen=True)
class TiffLayout:
    """What the tags of the first page say."""

    bands: int
    bits: int
    """Those of the deepest band."""
    unsigned: bool
    """Whether values are whole numbers from 0."""
    alpha: bool
    """Whether the last band is the opacity."""
    inks: bool
    """Whether the bands are cyan, magenta, yellow and black."""

    @property
    def for_pillow(self) -> bool:
        """Whether Pillow reads the page without losing anything."""
        return (self.colors and self.bits <= 8) or (self.bands == 1 and self.bits == 16)

    @property
    def colors(self) -> bool:
        """Whether the bands are gray or colors, and perhaps opacity."""
        return self.bands in (1, 3) or self.alpha or (self.bands == 4 and self.inks)

    @property
    def depth(self) -> int:
        """The bits that hold what the file says: 8, 16, or 32 for numbers in units of their own."""
        return 32 if not self.unsigned or self.bits > 16 else 16 if self.bits > 8 else 8

    def __str__(self) -> str:
        kind = f"{self.bits} bits" if self.unsigned else f"{self.bits}-bit numbers"
        return f"{self.bands} band{'s' * (self.bands != 1)} of {kind}"


def is_tiff(data: bytes) -> bool:
    return data[:4] in STARTS


def layout_of(data: bytes) -> TiffLayout | None:
    """The layout of a TIFF; None if its tags cannot be read."""
    try:
        file = io.BytesIO(data)
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if data[2] == 43 else 8))
        file.seek(tags.next)
        tags.load(file)
        bits = _numbers(tags.get(_BITS, 1))
        formats = _numbers(tags.get(_FORMAT, _UNSIGNED))
        bands = int(tags.get(_SAMPLES, 1))
        extra = _numbers(tags.get(_EXTRA, 0))
        inks = tags.get(_PHOTOMETRIC) == _INKS
    except DAMAGE:
        return None
    alpha = bands in (2, 4) and extra[-1] in _ALPHA
    return TiffLayout(bands, max(bits), set(formats) == {_UNSIGNED}, alpha, inks)


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(map(int, value)) if isinstance(value, tuple) else (int(value),)


def tifffile_or_none() -> Any:
    """The optional package."""
    try:
        import tifffile
    except ImportError:
        return None
    # What it has to say of damaged files is said by us: without a handler, it would be printed.
    logging.getLogger("tifffile").addHandler(_SILENT)
    return tifffile


_SILENT = logging.NullHandler()


def must_have_tifffile(what: str) -> Any:
    """The package; raises BadImage if it is not installed."""
    package = tifffile_or_none()
    if package is None:
        raise BadImage(f'{what}, which needs tifffile: pip install "dotcnn[tiff]"')
    return package


def tiff_pages(data: bytes, most: int) -> Iterator[list[numpy.ndarray]]:
    """The bands of each page that has the size of the first, until there are more than `most`:
    upright, each height x width, in the number type of the file. Raises BadImage."""
    layout = layout_of(data)
    package = must_have_tifffile(f"it has {layout}" if layout else "it is a TIFF")
    try:
        # Files of OME and others may name further files: they are read as plain TIFFs.
        others = {f"is_{kind}": False for kind in ("ome", "micromanager", "mmstack", "ndpi", "sis")}
        with package.TiffFile(io.BytesIO(data), **others) as file:
            yield from _pages(file, most)
    except BadImage:
        raise
    except Exception as error:  # noqa: BLE001 - whatever tifffile raises for a damaged file
        raise BadImage(_damage(error)) from None


def _pages(file: Any, most: int) -> Iterator[list[numpy.ndarray]]:
    count, size, total = 0, None, 0
    number = 0
    while count <= most:
        try:
            page = file.pages[number]
        except IndexError:
            return
        number += 1
        sizes = int(page.imagelength), int(page.imagewidth)
        if size is not None and (sizes != size or int(page.subfiletype or 0) & 1):
            continue  # a thumbnail, or a level of a pyramid
        size = sizes
        total += _must_be_bounded(page)
        if total > MAX_BYTES:
            raise BadImage(f"its bands have more than {MAX_BYTES:,} bytes")
        pixels = numpy.asarray(page.asarray(maxworkers=1))
        planes = [_upright(plane, page) for plane in _planes(pixels, page)]
        yield planes
        count += len(planes)


def _must_be_bounded(page: Any) -> int:
    """The bytes of a page when it is decoded. Raises BadImage for more than the limits."""
    height, width, bands = (
        int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)
    )  # fmt: skip
    if not height * width:
        raise BadImage("it has no pixels")
    if int(page.imagedepth) != 1:
        raise BadImage(f"it is a volume of {int(page.imagedepth)} slices")
    if height * width > MAX_PIXELS:
        raise BadImage(f"{width:,} x {height:,} pixels are more than the limit of {MAX_PIXELS:,}")
    if bands > MAX_BANDS:
        raise BadImage(f"{bands:,} bands are more than the limit of {MAX_BANDS:,}")
    if page.dtype is None or page.dtype.kind not in "biuf":
        raise BadImage("its values are not numbers")
    compression = int(page.compression)
    if compression not in _PLAIN + _LZW + _DEFLATE + _PACKED_BITS:
        name = getattr(page.compression, "name", str(compression))
        raise BadImage(
            f"it is compressed as {name}, which is not read for such images: save it uncompressed,"
            " or as DEFLATE"
        )
    size = height * width * bands * int(page.dtype.itemsize)
    if size > MAX_BYTES:
        raise BadImage(f"its bands have {size:,} bytes, more than the limit of {MAX_BYTES:,}")
    largest = max(map(int, page.databytecounts), default=0)
    if compression in _DEFLATE and largest * _THOUSAND > MAX_BYTES:
        _must_inflate_within(page, size)
    stored = sum(map(int, page.databytecounts))
    if compression in _PLAIN and stored < _stored_bytes(page):
        raise BadImage(f"cut short: its pixels have {stored:,} of {_stored_bytes(page):,} bytes")
    return size


def _stored_bytes(page: Any) -> int:
    bits = int(page.bitspersample) * int(page.samplesperpixel)
    return (int(page.imagewidth) * bits + 7) // 8 * int(page.imagelength)


def _must_inflate_within(page: Any, size: int) -> None:
    """Raises BadImage if a compressed part of a page is larger than the whole page should be."""
    file = page.parent.filehandle
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(int(offset))
        left, total = file.read(int(count)), 0
        inflate = zlib.decompressobj()
        while left and total <= size:
            total += len(inflate.decompress(left, 2**20))
            left = inflate.unconsumed_tail
        if total > size:
            raise BadImage("its compressed data is larger than its size says")


def _planes(pixels: numpy.ndarray, page: Any) -> Iterator[numpy.ndarray]:
    """The bands of a page, whose samples may be the first or the last axis."""
    bands = int(page.samplesperpixel)
    shape = (int(page.imagelength), int(page.imagewidth))
    if pixels.shape == shape and bands == 1:
        yield pixels
    elif pixels.shape == (bands, *shape):
        yield from pixels
    elif pixels.shape == (*shape, bands):
        yield from numpy.moveaxis(pixels, 2, 0)
    else:
        raise BadImage(f"damaged: its pixels are {' x '.join(map(str, pixels.shape))}")


def _upright(plane: numpy.ndarray, page: Any) -> numpy.ndarray:
    turn = page.tags.get(_ORIENTATION)
    turned = _TURNS.get(int(turn.value)) if turn is not None else None
    return turned(plane) if turned is not None else plane


_TURNS: dict[int, Callable[[Any], numpy.ndarray]] = {
    2: numpy.fliplr,
    3: lambda plane: numpy.rot90(plane, 2),
    4: numpy.flipud,
    5: numpy.transpose,
    6: lambda plane: numpy.rot90(plane, -1),
    7: lambda plane: numpy.rot90(plane, 2).T,
    8: numpy.rot90,
}
"""The operation that turns an image upright, by the orientation tag of its page."""


def _damage(error: Exception) -> str:
    text = str(error).strip().strip("\"'").partition("\n")[0]
    if "imagecodecs" in text:  # `<COMPRESSION.LZW: 5> requires the 'imagecodecs' package`
        kind = re.search(r"<(COMPRESSION|PREDICTOR)\.(\w+)", text)
        words = {"COMPRESSION": "compressed as", "PREDICTOR": "stored with the predictor"}
        how = f"it is {words[kind[1]]} {kind[2]}" if kind else "its compression is a rare one"
        return f"{how}, which needs imagecodecs: pip install imagecodecs, or save it as DEFLATE"
    return f"damaged: {text}" if text else f"damaged: {type(error).__name__}"
