"""Reads numpy's .npz and .npy files safely: no pickle, no more memory than the file size."""

from __future__ import annotations

import io
import math
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy
from numpy.lib import format as npy

from .bad_file import BadFile, damaged, guarded
from .open_file import open_regular, size_of
from .zip_archive import open_zip

CODE = "contains Python objects, not numbers; they could run code and are not loaded"

_ENDING = ".npy"
_MAJOR = npy.MAGIC_LEN - 2
"""The position of the version number of the header."""
_PREFIX = npy.MAGIC_LEN
_MAX_HEADER = 10_000


Content = TypeVar("Content")


class SingleArray(BadFile):
    """The file is a single array (.npy), but an archive of named arrays is expected."""

    def __init__(self) -> None:
        super().__init__("is a single array, without a name", "kind", "save it with numpy.savez")


class NpzArrays(Mapping[str, Any]):
    """The arrays of an archive by name; each is read when it is accessed. Raises BadFile."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = {
            member.filename.removesuffix(_ENDING): member
            for member in archive.infolist()
            if member.filename.endswith(_ENDING)
        }

    def __getitem__(self, name: str) -> Any:
        return self._read(name, read_array)

    def shape(self, name: str) -> tuple[int, ...]:
        """What its header says; the array is not read."""
        return self._read(name, lambda stream, _: shape_of(stream))

    def mapped(self, name: str) -> Any:
        """The array, as one in a folder of its own can be mapped into memory."""
        return self[name]

    def _read(self, name: str, read: Callable[[IO[bytes], int], Content]) -> Content:
        member = self._members[name]
        with guarded(f"`{name}` in it is not an array that numpy wrote"):
            try:
                with self._archive.open(member) as stream:
                    return read(stream, member.file_size)
            except zipfile.BadZipFile as error:
                wrong = "CRC" in str(error)
                raise damaged(
                    f"the checksum of `{name}` in it is wrong"
                    if wrong
                    else f"`{name}` is not where its list of members says"
                ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


@contextmanager
def open_npz(path: Path) -> Iterator[NpzArrays]:
    """A context in which a .npz archive is open; raises BadFile."""
    with open_regular(path) as file:
        start = file.read(len(npy.MAGIC_PREFIX))
        if not start:
            raise damaged("it is empty")
        if start == npy.MAGIC_PREFIX:
            raise SingleArray
        if start[:2] != b"PK":
            raise damaged("it is not an archive written by numpy")
        with open_zip(file) as archive:
            yield NpzArrays(archive)


def read_npy(path: Path) -> Any:
    """The array of a .npy file; raises BadFile."""
    with open_regular(path) as file, guarded("it is not an array that numpy wrote"):
        return read_array(file, size_of(file))


def map_npy(path: Path) -> Any:
    """The array of a .npy file, which stays in its file; raises BadFile."""
    with open_regular(path) as file, guarded("it is not an array that numpy wrote"):
        _promised(_start(file), size_of(file))  # names what numpy would only raise
    try:
        return numpy.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise damaged(f"it cannot be mapped into memory: {error}") from None


def npy_shape(path: Path) -> tuple[int, ...]:
    """The shape that the header of a .npy file says; raises BadFile."""
    with open_regular(path) as file, guarded("it is not an array that numpy wrote"):
        return shape_of(file)


def shape_of(stream: IO[bytes]) -> tuple[int, ...]:
    return _claimed(_start(stream))[0]


def read_array(stream: IO[bytes], size: int) -> Any:
    """Reads an array of `size` bytes, header included."""
    start = _start(stream)
    dtype = _promised(start, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about files written by Python 2
        array = npy.read_array(_Rewound(start, stream), allow_pickle=False)
    if dtype.kind == "U" and array.nbytes:
        codes = numpy.ascontiguousarray(array).view(numpy.dtype("u4").newbyteorder(dtype.byteorder))
        if codes.max() > sys.maxunicode:
            raise damaged("a text in it has characters that do not exist")
    return array


def _promised(start: bytes, size: int) -> Any:
    """The data type of an array of `size` bytes, header included, whose shape fits its data."""
    shape, dtype = _claimed(start)
    count = math.prod(shape)
    if dtype.hasobject:
        raise BadFile(CODE, "code", "save plain numbers: array.astype(numpy.float32)")
    if count * dtype.itemsize > size - len(start) and min(shape, default=0) >= 0:
        raise damaged("an array in it is truncated: it has fewer bytes than its shape needs")
    if min(shape, default=0) < 0 or count * dtype.itemsize != size - len(start):
        raise damaged("an array in it claims a shape that does not fit its data")
    if count > size:  # items of zero bytes
        raise damaged("an array in it has more items than bytes")
    return dtype


def _claimed(start: bytes) -> tuple[tuple[int, ...], Any]:
    """The shape and data type that a header claims."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files written by Python 2
            shape, _, dtype = npy.read_array_header_2_0(io.BytesIO(_as_version_2(start)))
    except Exception:  # noqa: BLE001 (numpy parses it as Python: SyntaxError, TokenError, …)
        raise damaged("an array in it has a header that cannot be read") from None
    return shape, dtype


def _start(stream: IO[bytes]) -> bytes:
    """Reads everything before the data: magic, version and header."""
    start = stream.read(_PREFIX + 2)
    if len(start) < _PREFIX + 2 and npy.MAGIC_PREFIX.startswith(start[: len(npy.MAGIC_PREFIX)]):
        raise damaged("it is truncated")
    if not start.startswith(npy.MAGIC_PREFIX):
        raise damaged("an array in it does not start with numpy's header")
    if start[_MAJOR] == 1:
        (length,) = struct.unpack("<H", start[_PREFIX:])
    else:
        start += stream.read(2)
        (length,) = struct.unpack("<I", start[_PREFIX:])
    if length > _MAX_HEADER:
        raise damaged(f"an array in it has a header of {length:,} bytes")
    return start + stream.read(length)


def _as_version_2(start: bytes) -> bytes:
    """The header with a length of four bytes, as in version 2; version 1 has two bytes."""
    header = start[_PREFIX + (2 if start[_MAJOR] == 1 else 4) :]
    return struct.pack("<I", len(header)) + header


class _Rewound:
    """A stream with the bytes that were already read from it put back at its start."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start, self._rest = io.BytesIO(start), rest

    def read(self, size: int = -1, /) -> bytes:
        return self._start.read(size) or self._rest.read(size)
