"""Reads an image file, turned upright by its EXIF orientation, or says why it cannot be used.

Any problem with a file raises `BadImage`, which describes it in a few words; no other exception is
raised. The format is determined by the contents of the file, not by its name.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from ..sources.file_names import clean

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "PPM", "GIF")
"""The supported formats. Some other formats of Pillow start programs or open other files."""

MAX_PIXELS = 2**30 // 4 // 3
"""The same limit as in Pillow, a quarter of a GiB: a file of a few thousand bytes can claim any
size."""
MAX_BYTES = 2**30

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that turns an image upright, for each EXIF orientation."""
_ORIENTATION = 0x0112

DAMAGE = (
    OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, IndexError, KeyError,
    TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError, Warning,
    Image.DecompressionBombError,
)  # fmt: skip
"""The exceptions that Pillow raises for truncated, overwritten or malicious files."""


class BadImage(Exception):
    """A file that cannot be used as an image; the text says why."""

    @property
    def reason(self) -> str:
        return str(self)


def picture(source: str | os.PathLike[str] | bytes) -> Image.Image:
    """The image in a file or in its bytes, upright, in its own mode; raises BadImage."""
    return next(pages(source))


def pages(source: str | os.PathLike[str] | bytes, *, frames: bool = False) -> Iterator[Image.Image]:
    """The pages of a file, upright (a TIFF may have several); with `frames`, those of an animation,
    too. Each is valid until the next is read. Raises BadImage."""
    data = source if isinstance(source, bytes) else contents(os.fspath(source))
    if not data:
        raise BadImage("it is empty")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        has_page = True
        while has_page:
            _must_be_of_a_size(*image.size)
            image.load()
            yield upright(image)
            has_page = (frames or image.format == "TIFF") and _next_page(image)
    except UnidentifiedImageError:
        raise BadImage(_what_else(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImage(f"it has more than {MAX_PIXELS:,} pixels") from None
    except DAMAGE as error:
        raise BadImage(_damage(error)) from None


def _next_page(image: Image.Image) -> bool:
    try:
        image.seek(image.tell() + 1)
    except EOFError:
        return False
    return True


def contents(path: str) -> bytes:
    """The bytes of a regular file, within a limit; raises BadImage."""
    try:
        # Without O_NONBLOCK, opening a named pipe would wait until something is written to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BadImage("it is not a regular file")
            if status.st_size > MAX_BYTES:
                raise BadImage(f"it has {status.st_size:,} bytes")
            return file.read()
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror or type(error).__name__}") from None
    except ValueError:
        raise BadImage(f"{clean(path)!r} is not a file name") from None


_BINARY: int = getattr(os, "O_BINARY", 0)


def _must_be_of_a_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BadImage(f"{width:,} x {height:,} pixels are more than the limit of {MAX_PIXELS:,}")
    if not width * height:
        raise BadImage("it has no pixels")


def upright(image: Image.Image) -> Image.Image:
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except DAMAGE:  # the image is intact, but its EXIF data is not
        return image
    return image.transpose(turn) if turn is not None else image


def _what_else(data: bytes) -> str:
    start = data[:200].lstrip()
    if start[:1] == b"<":
        return "not an image, but a web page or an SVG drawing (it starts with <)"
    if start and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start):
        return "not an image, but text"
    return "not an image in a supported format"


def _damage(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    short = any(
        word in text.lower() for word in ("truncated", "eof", "end of", "unrecognized data")
    )
    what = "cut short" if short else "damaged"
    return f"{what}: {text}" if text else what


@contextmanager
def quiet() -> Iterator[None]:
    """A context that silences Pillow's warnings about unusual files. It is not thread-safe: enter
    it before threads start, and leave it after they have ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
