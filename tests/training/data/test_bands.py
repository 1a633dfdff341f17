"""Images of several bands and of more than 8 bits: TIFF by tifffile, and PNG of 16 bits."""

from __future__ import annotations

import importlib.util
import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from dotcnn.training.data.images import tiff_file
from dotcnn.training.data.images.bands import bands_of
from dotcnn.training.data.images.decode import decode
from dotcnn.training.data.images.image_file import BadImage, quiet
from dotcnn.training.data.images.preprocessing import Preparation
from dotcnn.training.data.images.resize import Fit
from dotcnn.training.data.images.tiff_file import layout_of
from dotcnn.training.data.images.visible import visible

from .sets import opened, refused

SIZE = 9, 7


def numbers(bands: int, dtype: str = "u2", seed: int = 0) -> numpy.ndarray:
    """Height x width x bands, of the whole range of a type."""
    random = numpy.random.default_rng(seed)
    if dtype.startswith("f"):
        return random.normal(0, 3, (*SIZE, bands)).astype(dtype)
    kind = numpy.iinfo(dtype)
    return random.integers(kind.min, kind.max, (*SIZE, bands), dtype=dtype, endpoint=True)


def tiff(pixels: numpy.ndarray, **options: Any) -> bytes:
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    several = {"planarconfig": "contig"} if pixels.ndim == 3 else {}
    options = {"photometric": "minisblack", **several, **options}
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def png(pixels: numpy.ndarray) -> bytes:
    """A PNG of 16 bits, which Pillow does not write in color."""
    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deflate": {"compression": "zlib", "predictor": 2},
    "tiles": {"compression": "zlib", "tile": (16, 16)},
    "big": {"bigtiff": True},
    "other bytes first": {"byteorder": ">"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_bits_of_all_bands_are_read(layout: str) -> None:
    pixels = numbers(13)
    image = decode(tiff(pixels, **LAYOUTS[layout]), 13, 16)
    assert image.dtype == torch.float32
    assert torch.equal((image * 257).round().permute(1, 2, 0), torch.from_numpy(pixels).float())


def test_bands_may_be_planes_or_pages() -> None:
    pixels = numpy.moveaxis(numbers(5), 2, 0)
    for options in ({"planarconfig": "separate"}, {"planarconfig": None}):
        found = bands_of(tiff(pixels, **options), 5).planes
        assert numpy.array_equal(numpy.stack(found), pixels)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_of_16_bits_in_color_keeps_them(channels: int) -> None:
    pixels = numbers(channels)
    found = numpy.stack(bands_of(png(pixels), channels).planes, axis=2)
    assert numpy.array_equal(found, pixels)


def test_floats_are_in_units_of_their_own() -> None:
    pixels = numbers(4, "f4")
    image = decode(tiff(pixels), 4, 32)
    assert torch.allclose(image.permute(1, 2, 0) / 255, torch.from_numpy(pixels))
    with pytest.raises(BadImage, match=r"its values go from .* which are not pixel values"):
        decode(tiff(pixels), 4)
    pixels[2, 3, 1] = numpy.nan
    with pytest.raises(BadImage, match="1 of its values are NaN or infinite"):
        decode(tiff(pixels), 4, 32)


def test_red_green_blue_and_infrared_are_four_bands() -> None:
    """Pillow takes the last for padding, and leaves it out."""
    pixels = numbers(4, "u1")
    data = tiff(pixels, photometric="rgb", extrasamples=["unspecified"])
    assert numpy.array_equal(decode(data, 4).permute(1, 2, 0).numpy(), pixels)
    with pytest.raises(BadImage, match="it has 4 channels, but the network takes 3"):
        decode(data, 3)


def test_deep_images_become_gray_or_colors() -> None:
    gray = decode(png(numbers(1)), 1, 16)
    assert torch.equal(decode(png(numbers(1)), 3, 16), gray.expand(3, -1, -1))
    color = decode(png(numbers(3)), 3, 16)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    assert torch.allclose(decode(png(numbers(3)), 1, 16), (color * luma).sum(0), atol=1e-3)
    clear = numbers(4)
    clear[..., 3] = 0
    assert (decode(png(clear), 3, 16) == 255).all()
    with pytest.raises(BadImage, match="it has 13 channels, but the network takes 3"):
        decode(tiff(numbers(13)), 3)


def test_sixteen_bits_read_as_eight_are_those_of_before() -> None:
    pixels = numbers(3)
    eight = decode(png(pixels), 3).permute(1, 2, 0).numpy()
    assert numpy.abs(eight.astype(float) - pixels / 257).max() <= 1  # Pillow drops the low byte
    assert torch.equal(decode(png(numbers(1)), 1), decode(png(numbers(1)), 1, 16).round().byte())


# ---- bad files ---------------------------------------------------------------------------------


def test_without_tifffile_a_reason_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiff(numbers(13))
    monkeypatch.setattr(tiff_file, "tifffile_or_none", lambda: None)
    with pytest.raises(BadImage, match=r"it has 13 bands of 16 bits.*pip install \"dotcnn\[tiff\]"):
        decode(data, 13, 16)


@pytest.mark.parametrize("compressed", [False, True])
def test_every_cut_and_many_changes_give_a_reason(compressed: bool) -> None:
    data = tiff(numbers(5), **({"compression": "zlib"} if compressed else {}))
    random = numpy.random.default_rng(0)
    with quiet():
        for end in range(4, len(data) - 1, max(1, len(data) // 25)):
            with pytest.raises(BadImage):
                decode(data[:end], 5, 16)
        for _ in range(60):
            changed = bytearray(data)
            for place in random.integers(0, min(400, len(data)), 3):
                changed[place] = random.integers(0, 256)
            with suppress(BadImage):
                assert decode(bytes(changed), 5, 16).shape[0] == 5


def _tagged(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF with another value of a tag of its first page."""
    changed = bytearray(data)
    at = struct.unpack_from("<I", data, 4)[0]
    for entry in range(at + 2, at + 2 + 12 * struct.unpack_from("<H", data, at)[0], 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            kind = "<H" if struct.unpack_from("<H", data, entry + 2)[0] == 3 else "<I"
            struct.pack_into(kind, changed, entry + 8, value)
    return bytes(changed)


def test_sizes_are_compared_with_limits_before_anything_is_decoded() -> None:
    data = tiff(numbers(5), compression="zlib")
    with pytest.raises(BadImage, match="are more than the limit"):
        decode(_tagged(_tagged(data, 256, 60_000), 257, 60_000), 5, 16)
    with pytest.raises(BadImage, match="60,000 bands are more than the limit"):
        decode(_tagged(data, 277, 60_000), 5, 16)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed data that becomes far more than the page should be."""
    monkeypatch.setattr(tiff_file, "MAX_BYTES", 2**16)
    data = tiff(numpy.zeros((2000, 64, 5), numpy.uint8), compression="zlib", rowsperstrip=2000)
    small = _tagged(data, 257, 20)
    with pytest.raises(BadImage, match="its compressed data is larger than its size says"):
        decode(small, 5)


def test_the_tags_say_what_pillow_reads() -> None:
    found = {
        "colors": layout_of(tiff(numbers(3, "u1"), photometric="rgb")),
        "deep gray": layout_of(tiff(numbers(1)[..., 0])),
        "deep colors": layout_of(tiff(numbers(3), photometric="rgb")),
        "bands": layout_of(tiff(numbers(5, "u1"))),
        "floats": layout_of(tiff(numbers(1, "f4")[..., 0])),
    }
    assert [name for name, one in found.items() if one and one.for_pillow] == [
        "colors",
        "deep gray",
    ]
    assert [one.depth for one in found.values() if one] == [8, 16, 16, 8, 32]


# ---- data --------------------------------------------------------------------------------------


def folder(root: Path, bands: int = 13, dtype: str = "u2") -> Path:
    for place in range(8):
        path = root / "ab"[place % 2] / f"{place}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiff(numbers(bands, dtype, place)))
    return root


def test_a_folder_of_bands(tmp_path: Path) -> None:
    data = opened(f'folder "{folder(tmp_path)}"', input="13x9x7")
    assert data.preparation.depth == 16
    store = data.stores["train"]
    first = next(iter(data.training(seed=0)(0)))
    assert first.images.dtype == torch.float32
    every = torch.stack([store.read(index) for index in range(len(store))]).double()
    for number, band in enumerate(data.dataset.bands):
        levels = every[:, number] * 257
        assert band.mean == pytest.approx(float(levels.mean()), rel=1e-5)
        assert band.deviation == pytest.approx(float(levels.std(unbiased=False)), rel=1e-5)
        assert band.low == pytest.approx(float(levels.quantile(0.02)), abs=1500)
        assert band.high == pytest.approx(float(levels.quantile(0.98)), abs=1500)
    lines = list(data.dataset.lines())
    assert any("images have 16 bits a channel" in line and "all of them" in line for line in lines)
    assert sum(line.split()[0].isdigit() for line in lines if len(line.split()) == 5) == 13


def test_preprocessing_keeps_what_16_bits_say(tmp_path: Path) -> None:
    """Two images that are equal in 8 bits differ for the network, and its record says so."""
    data = opened(f'folder "{folder(tmp_path)}"', input="13x9x7")
    known = Preparation.from_json(data.preparation.to_json())
    assert known == data.preparation
    pixels = numbers(13)
    pixels[:] = pixels // 257 * 257
    one, other = (known.image(tiff(each)) for each in (pixels, pixels + 1))
    assert not torch.equal(known.prepare(one[None]), known.prepare(other[None]))
    eight = Preparation(13, Fit(9, "bilinear", (9, 7)), 1 / 255, (0.0,) * 13, (1.0,) * 13)
    assert torch.equal(eight.image(tiff(pixels)), eight.image(tiff(pixels + 1)))


@pytest.mark.parametrize("where", ["memory", "files"])
def test_bad_bands_are_named_as_other_bad_files(tmp_path: Path, where: str) -> None:
    folder(tmp_path)
    (tmp_path / "a" / "0.tif").write_bytes(tiff(numbers(12)))
    opening = {"budget": 0} if where == "files" else {}
    found = opened(f'folder "{tmp_path}" bad=20%', input="13x9x7", opening=opening)
    (bad,) = found.dataset.bad
    assert bad.name == "a/0.tif"
    assert bad.reason == "it has 12 channels, but the network takes 13"


def test_the_number_of_bands_is_said_with_the_input_to_write(tmp_path: Path) -> None:
    error = refused(f'folder "{folder(tmp_path)}"', input="4x9x7")
    assert "the images have 13 channels (a/0.tif), but the network takes 4" in error.message
    assert "`input 13x9x7`" in error.help


def test_the_data_says_that_tifffile_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotcnn.training.data.images import bit_depth

    folder(tmp_path)
    monkeypatch.setattr(bit_depth, "tifffile_or_none", lambda: None)
    error = refused(f'folder "{tmp_path}"', input="13x9x7")
    assert error.code == "not-installed"
    assert 'pip install "dotcnn[tiff]"' in error.help


@pytest.mark.parametrize(
    ("words", "dtype", "refuses"),
    [
        ("randaugment", "u2", True),
        ("color brightness=0.2", "u2", False),
        ("color brightness=0.2", "f4", True),
        ("flip horizontal, noise 0.1, erase", "f4", False),
    ],
)
def test_augmentations_that_would_lose_bits_are_refused(
    tmp_path: Path, words: str, dtype: str, refuses: bool
) -> None:
    options = {"input": "4x9x7", "more": f"augment {{ {words} }}"}
    data = f'folder "{folder(tmp_path, 4, dtype)}"'
    if refuses:
        assert "and the images" in refused(data, **options).message
    else:
        opened(data, **options)


def test_what_is_shown_of_bands() -> None:
    assert visible(torch.zeros(13, 4, 4, dtype=torch.uint8)).shape == (3, 4, 4)
    deep = torch.linspace(-500, 9000, 64).view(1, 8, 8).expand(4, -1, -1)
    seen = visible(deep)
    assert seen.dtype == torch.uint8
    assert (seen.min(), seen.max()) == (0, 255)


def test_a_compression_that_needs_a_further_package_is_named() -> None:
    if importlib.util.find_spec("imagecodecs"):
        pytest.skip("imagecodecs is installed")
    file = tiff(numbers(5))
    compression = struct.pack("<HHI", 259, 3, 1)  # a tag, the type of its value, and how many
    place = file.index(compression) + len(compression)
    as_lzw = file[:place] + struct.pack("<H", 5) + file[place + 2 :]
    with quiet(), pytest.raises(BadImage) as error:
        decode(as_lzw, 5, 16)
    assert error.value.reason == (
        "it is compressed as LZW, which needs imagecodecs: pip install imagecodecs, or save it as"
        " DEFLATE"
    )
