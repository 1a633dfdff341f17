"""NumPy archives from others: sizes are checked before unpacking."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest

from dotcnn.training.untrusted.bad_file import BadFile
from dotcnn.training.untrusted.npz import SingleArray, open_npz, read_npy

NUMBERS = numpy.arange(6, dtype="<f4").reshape(2, 3)


def as_npy(array: Any = NUMBERS) -> bytes:
    stream = io.BytesIO()
    numpy.save(stream, array)
    return stream.getvalue()


def archive(path: Path, method: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    with zipfile.ZipFile(path / "a.npz", "w", method) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path / "a.npz"


def told(path: Path, name: str = "a") -> BadFile:
    with pytest.raises(BadFile) as caught, open_npz(path) as arrays:
        arrays[name]
    return caught.value


@pytest.mark.parametrize(
    "array",
    [
        NUMBERS,
        NUMBERS.T,
        numpy.array(3),
        numpy.zeros((0, 3)),
        numpy.array(["a", "bcd"]),
        numpy.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", "<f8")]),
        NUMBERS.astype(">f8"),
        numpy.asfortranarray(NUMBERS),
        numpy.arange(100_000),
    ],
    ids=lambda array: f"{array.shape}-{array.dtype.str}",
)
@pytest.mark.parametrize("save", [numpy.savez, numpy.savez_compressed])
def test_arrays_of_every_kind(array: Any, save: Any, tmp_path: Path) -> None:
    save(tmp_path / "a.npz", a=array, b=NUMBERS)
    with open_npz(tmp_path / "a.npz") as arrays:
        assert list(arrays) == ["a", "b"]
        assert arrays["a"].dtype == array.dtype
        assert numpy.array_equal(arrays["a"], array)
    numpy.save(tmp_path / "a.npy", array)
    assert numpy.array_equal(read_npy(tmp_path / "a.npy"), array)


def test_each_version_of_the_format(tmp_path: Path) -> None:
    for version in ((1, 0), (2, 0), (3, 0)):
        stream = io.BytesIO()
        numpy.lib.format.write_array(stream, NUMBERS, version)
        with open_npz(archive(tmp_path, a=stream.getvalue())) as arrays:
            assert numpy.array_equal(arrays["a"], NUMBERS)


def test_a_single_array_is_not_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(as_npy())
    assert isinstance(told(tmp_path / "a.npz"), SingleArray)


def test_members_that_are_not_arrays_are_ignored(tmp_path: Path) -> None:
    path = archive(tmp_path, a=as_npy())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("README.txt", "hello")
    with open_npz(path) as arrays:
        assert list(arrays) == ["a"]


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_methods_of_compression_that_numpy_does_not_write(method: int, tmp_path: Path) -> None:
    found = told(archive(tmp_path, method, a=as_npy()))
    assert (found.kind, "deflate" in found.help) == ("kind", True)


def test_an_encrypted_archive(tmp_path: Path) -> None:
    path = archive(tmp_path, a=as_npy())
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "is encrypted" in str(told(path))


def test_a_zip_bomb(tmp_path: Path) -> None:
    """A few hundred kilobytes that would unpack to hundreds of megabytes."""
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("a.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(as_npy(numpy.zeros(0)).replace(b"(0,), }         ", b"(33554432,), }  "))
        for _ in range(64):
            stream.write(bytes(2**22))
    found = told(tmp_path / "a.npz")
    assert found.kind == "limit"
    assert "would unpack to 268,435,584" in str(found)


def header(text: str, version: int = 1, length: int | None = None) -> bytes:
    data = text.encode()
    size = len(data) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + size.to_bytes(2 * version, "little") + data


def plain(shape: str = "(2,)", kind: str = "'<f4'") -> str:
    return f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    "data",
    [
        header(plain()) + bytes(7),
        header(plain()) + bytes(9),
        header(plain("(-2,)")) + bytes(8),
        header(plain("(2, -1, -1)")) + bytes(8),
        header(plain(f"({10**20}, 0)")),
        header(plain("(" + "1, " * 70 + "2)")) + bytes(8),
        header(plain("(1000000000,)", "'|V0'")),
        header(plain("(10000000000000000000000,)", "'<U0'")),
        header(plain("2")) + bytes(8),
        header(plain("(2.0,)")) + bytes(8),
        header(plain(kind="'no'")) + bytes(8),
        header(plain(kind="(" * 300 + "'<f4'" + ")" * 300)) + bytes(8),
        header("{'descr': '<f4'"),
        header("("),
        header("[" * 5000),
        header("-" * 9000 + "1"),
        header("1" * 9000),
        header("'''"),
        header("\0"),
        header("__import__('os').system('ls')"),
        header(plain(), 2, 2**31),
        header(plain(), 3, 2**31),
        header(plain(), 9),
        b"\x93NUM",
        b"\x93NUMPY\x01",
        b"",
        b"not an array at all",
    ],
)
def test_invalid_headers(data: bytes, tmp_path: Path) -> None:
    assert told(archive(tmp_path, a=data)).kind == "damaged"


def test_objects_are_refused(tmp_path: Path) -> None:
    assert told(archive(tmp_path, a=as_npy(numpy.array([{}], dtype=object)))).kind == "code"


def test_two_members_of_one_name(tmp_path: Path) -> None:
    path = archive(tmp_path, a=as_npy(), b=as_npy())
    path.write_bytes(path.read_bytes().replace(b"b.npy", b"a.npy"))
    assert "two members" in str(told(path))


def test_a_list_of_members_that_would_fill_memory(tmp_path: Path) -> None:
    """It is refused by its size, before it is read."""
    path = archive(tmp_path, a=as_npy())
    data = bytearray(path.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = (2**30).to_bytes(4, "little")
    path.write_bytes(data)
    assert "has a directory of" in str(told(path))


def test_what_is_damaged_is_said(tmp_path: Path) -> None:
    """Not always that it is truncated."""
    stored = archive(tmp_path, a=as_npy())
    data = bytearray(stored.read_bytes())
    at = data.index(NUMBERS.tobytes())
    data[at] ^= 255
    stored.write_bytes(bytes(data))
    assert "checksum of `a`" in str(told(stored))
    headless = {
        header(plain("(2.0,)")) + bytes(8): "header that cannot be read",
        header("1" * 9000): "header that cannot be read",
        header(plain("(3,)")) + bytes(8): "truncated",
        b"\x93NUMPY\x01": "truncated",
        b"not an array at all": "does not start with numpy's header",
    }
    for content, reason in headless.items():
        assert reason in str(told(archive(tmp_path, a=content)))
    packed = archive(tmp_path, zipfile.ZIP_DEFLATED, a=as_npy(numpy.zeros(1000)))
    data = bytearray(packed.read_bytes())
    data[36:44] = b"\xff" * 8
    packed.write_bytes(bytes(data))
    assert "unpacked" in str(told(packed))
