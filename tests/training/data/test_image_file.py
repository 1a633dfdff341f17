"""Reading image files: all formats and color modes, and all kinds of bad files."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dotcnn.training.data.images.color_modes import as_grey, in_channels
from dotcnn.training.data.images.decode import decode
from dotcnn.training.data.images.image_file import MAX_PIXELS, BadImage, quiet

from .sets import picture


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixel(data: bytes, channels: int = 3, row: int = -1, column: int = -1) -> tuple[int, ...]:
    return tuple(decode(data, channels)[:, row, column].tolist())


# ---- kinds of files --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "GIF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_usual_kinds_of_files(kind: str, channels: int) -> None:
    """What a file is, is decided by its contents; those of photographs are nearly the same."""
    image = picture(3, (16, 12))
    found = decode(encoded(image, kind), channels)
    assert (found.dtype, found.shape) == (torch.uint8, (channels, 12, 16))
    expected = torch.from_numpy(numpy.array(image.convert("RGB"))).permute(2, 0, 1)
    away = (found.int() - in_channels(expected, channels).int()).abs()
    assert away.float().mean() < (6 if kind in ("JPEG", "WEBP", "GIF") else 0.01)


def test_contents_count_not_names(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(picture(3)))
    assert torch.equal(decode(path, 3), decode(encoded(picture(3)), 3))


# ---- kinds of pictures -----------------------------------------------------------------------


def test_gray_becomes_three_equal_channels() -> None:
    assert pixel(encoded(Image.new("L", (4, 4), 77))) == (77, 77, 77)


def test_colors_become_gray_by_luma() -> None:
    """Arrays in memory as files do, to the last bit."""
    image = picture(5, (16, 16))
    colours = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)
    assert pixel(encoded(Image.new("RGB", (2, 2), (255, 0, 0))), 1) == (76,)
    assert torch.equal(as_grey(colours), decode(encoded(image), 1))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_luma_is_pillows(colours: tuple[int, int, int]) -> None:
    value = Image.new("RGB", (1, 1), colours).convert("L").getpixel((0, 0))
    grey = as_grey(torch.tensor(colours, dtype=torch.uint8).view(3, 1, 1))
    assert grey.dtype == torch.uint8
    assert grey.item() == value


def test_one_bit() -> None:
    assert pixel(encoded(Image.new("1", (4, 4), 1))) == (255, 255, 255)


def test_a_palette_is_looked_up() -> None:
    image = picture(3).quantize(8)
    assert image.mode == "P"
    assert pixel(encoded(image)) == picture(3).getpixel((7, 7))


def test_transparent_pixels_are_blended_with_white() -> None:
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert pixel(encoded(half)) == (127, 127, 127)
    assert pixel(encoded(Image.new("RGBA", (4, 4), (9, 9, 9, 0))), 1) == (255,)
    assert pixel(encoded(Image.new("LA", (4, 4), (0, 0)))) == (255, 255, 255)
    see_through = Image.new("P", (4, 4), 0)
    assert pixel(encoded(see_through, transparency=0)) == (255, 255, 255)
    assert pixel(encoded(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3))) == (255,) * 3


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (65535, 255), (32768, 128), (257 * 7, 7)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits(value: int, expected: int, kind: str) -> None:
    """White stays white; no library's way of cutting them off at 255."""
    image = Image.fromarray(numpy.full((4, 4), value, dtype=numpy.uint16))
    assert pixel(encoded(image, kind)) == (expected,) * 3
    assert pixel(encoded(image, kind), 1) == (expected,)


def test_fractions() -> None:
    def tiff(value: float) -> bytes:
        return encoded(Image.fromarray(numpy.full((2, 2), value, dtype=numpy.float32)), "TIFF")

    assert pixel(tiff(0.5), 1) == (128,)
    assert pixel(tiff(200.0), 1) == (200,)
    with pytest.raises(BadImage, match="not pixel values"):
        decode(tiff(-1), 1)
    with pytest.raises(BadImage, match="are NaN or infinite"):
        decode(tiff(float("nan")), 1)


def test_cmyk() -> None:
    cmyk = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = pixel(encoded(cmyk, "JPEG", quality=100))
    assert red < 30 < 200 < min(green, blue)
    assert pixel(encoded(cmyk, "TIFF")) == (0, 255, 255)


def test_lab() -> None:
    grey = Image.new("LAB", (4, 4), (255, 128, 128))
    assert min(pixel(encoded(grey, "TIFF"))) > 250


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_are_upright(turn: int) -> None:
    """However the camera was held: what it wrote down about that is heeded."""
    upright = picture(3, (6, 4))
    back = {
        1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4,
    }[turn]  # fmt: skip
    lies = upright if back is None else upright.transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = turn
    found = decode(encoded(lies, "PNG", exif=exif.tobytes()), 3)
    assert torch.equal(found, decode(encoded(upright), 3))


def test_damaged_exif_data_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    found = decode(encoded(picture(3), "PNG", exif=exif.tobytes()), 3)
    assert torch.equal(found, decode(encoded(picture(3)), 3))
    assert decode(encoded(picture(3), "PNG", exif=b"Exif\0\0nonsense"), 3).shape == (3, 8, 8)


def test_the_first_of_several_pictures() -> None:
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    assert pixel(data) == (255, 0, 0)


# ---- what is no picture ----------------------------------------------------------------------


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


PNG = encoded(picture(3, (64, 64)))
JPEG = encoded(picture(3, (64, 64)), "JPEG")

NONE = {
    "empty": (b"", "it is empty"),
    "text": (b"hello\n", "not an image, but text"),
    "page": (b"<!DOCTYPE html><html></html>", "not an image, but a web page"),
    "drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image, but a web page or"),
    "bytes": (bytes(range(256)), "not an image in a supported format"),
    "zeros": (bytes(1000), "not an image in a supported format"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "not an image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image, but text"),
    "short png": (PNG[:-30], "cut short"),
    "short jpeg": (JPEG[:-100], "cut short"),
    "head alone": (PNG[:20], "cut short"),
    "bomb": (claiming(60_000, 60_000), "it has more than 89,478,485 pixels"),
    "large": (claiming(9_000, 10_000), "it has more than 89,478,485 pixels"),
    "no pixels": (claiming(0, 5), "no"),
    "overwritten": (PNG[:60] + bytes(20) + PNG[80:], "damaged"),
}


@pytest.mark.parametrize("name", NONE)
def test_reasons_for_bad_files(name: str) -> None:
    data, reason = NONE[name]
    with quiet(), pytest.raises(BadImage) as caught:
        decode(data, 3)
    assert caught.value.reason.startswith(reason)


def test_a_bomb_is_not_unpacked() -> None:
    """Its size is asked before anything else; photographs are smaller."""
    assert 9_000 * 10_000 > MAX_PIXELS > 8_000 * 11_000


@given(st.binary(max_size=200) | st.builds(
    lambda cut, at, more: PNG[:cut][:at] + more + PNG[:cut][at + len(more) :],
    st.integers(0, len(PNG)), st.integers(0, len(PNG)), st.binary(max_size=9),
) | st.builds(
    lambda at, more: JPEG[:at] + more + JPEG[at + len(more) :],
    st.integers(0, len(JPEG)), st.binary(max_size=9),
))  # fmt: skip
def test_arbitrary_bytes_give_an_image_or_a_reason(data: bytes) -> None:
    found, reason = None, ""
    try:
        with quiet():
            found = decode(data, 3)
    except BadImage as error:
        reason = error.reason
    assert reason or (found is not None and found.dtype == torch.uint8 and found.shape[0] == 3)


def test_paths_that_are_not_files(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="cannot be read: No such file"):
        decode(tmp_path / "nowhere.png", 3)
    with pytest.raises(BadImage):
        decode(tmp_path, 3)
    with pytest.raises(BadImage, match="not a file name"):
        decode("a\0b.png", 3)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadImage, match="not a regular file"):
        decode(tmp_path / "pipe.png", 3)
