"""An image file to an upright picture, or the reason why it is none.

Whatever is wrong with a file ends in a `BadImage` that says it in a few words; nothing else gets
out. What a file is, is decided by what is in it, not by its name.
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
"""What is tried. Some other formats of Pillow's start programs, or reach for other files."""

MAX_PIXELS = 2**30 // 4 // 3
"""A file of a few thousand bytes can claim any size. As in Pillow: a quarter of a GiB."""
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
"""What makes a picture upright, by the orientation that its camera wrote down (EXIF)."""
_ORIENTATION = 0x0112

DAMAGE = (
    OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, IndexError, KeyError,
    TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError, Warning,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow's readers raise over files that were cut short, written over, or made to harm."""


class BadImage(Exception):
    """A file that cannot be used as an image; says why."""

    @property
    def reason(self) -> str:
        return str(self)


def picture(source: str | os.PathLike[str] | bytes) -> Image.Image:
    """The upright picture of a file, or of its bytes, in the mode that it has; raises BadImage."""
    return next(pages(source))


def pages(source: str | os.PathLike[str] | bytes) -> Iterator[Image.Image]:
    """The pages of a file, of which a TIFF may have several; raises BadImage."""
    data = source if isinstance(source, bytes) else _contents(os.fspath(source))
    if not data:
        raise BadImage("it is empty")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        more = True
        while more:
            _must_be_of_a_size(*image.size)
            image.load()
            yield upright(image)
            more = image.format == "TIFF" and _next_page(image)
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


def _contents(path: str) -> bytes:
    try:
        # Without O_NONBLOCK the mere opening of a named pipe waits for somebody to write to it.
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
        raise BadImage(f"{width:,} x {height:,} pixels, which are more than {MAX_PIXELS:,}")
    if not width * height:
        raise BadImage("it has no pixels")


def upright(image: Image.Image) -> Image.Image:
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except DAMAGE:  # the picture is well, what the camera wrote beside it is not
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
    """Around the reading of many files: Pillow's remarks on odd ones are not printed. Not for
    threads: it has to be entered before they start and left after they end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
