"""Opens zip archives of others: checks sizes and methods before unpacking (no zip bombs)."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO

from .bad_file import BadFile, damaged, guarded, too_large
from .open_file import size_of

MAX_DIRECTORY = 8 * 2**20
"""The most bytes of the list of members, enough for about 100,000. It is read into memory."""
UNPACKED_FREELY = 64 * 2**20
MAX_RATIO = 100
"""Beyond the size above, the unpacked data may be this many times as large as the file. Weights and
photographs are compressed to a half at best, blank images and masks to a fiftieth; a zip bomb to a
thousandth."""

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_COMMENT = 2**16
_METHODS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA", 93: "Zstandard"}


def may_unpack_to(packed: int) -> int:
    """The most bytes that a file of this size may unpack to; more are treated as a zip bomb."""
    return max(UNPACKED_FREELY, MAX_RATIO * packed)


@contextmanager
def open_zip(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """A context with an archive whose members can be read one by one; raises BadFile."""
    _check_directory(file)
    with guarded("it is a truncated zip archive"):
        archive = zipfile.ZipFile(file)
    with archive:
        _check_members(archive, size_of(file))
        yield archive


def read_member(archive: zipfile.ZipFile, name: str, most: int = UNPACKED_FREELY) -> bytes:
    """Reads a member of at most `most` bytes; raises BadFile."""
    try:
        member = archive.getinfo(name)
    except KeyError:
        raise damaged(f"{name} is missing in it") from None
    if member.file_size > most:
        raise too_large(f"has a member {name} of {member.file_size:,} bytes")
    with guarded(f"{name} in it is broken"), archive.open(member) as stream:
        return stream.read(most)


def start_of(file: BinaryIO, member: zipfile.ZipInfo) -> int:
    """The position of the data of an uncompressed member in the file; raises BadFile."""
    with guarded(f"{member.filename} in it is broken"):
        file.seek(member.header_offset)
        mark, name, extra = struct.unpack("<4s22xHH", file.read(30))
        start: int = member.header_offset + 30 + name + extra
        if mark != b"PK\x03\x04" or start + member.file_size > size_of(file):
            raise damaged(f"{member.filename} in it is broken")
        return start


_PIECE = 2**22
_MOST_THREADS = 8


def check_sums(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Raises BadFile unless the contents of each member match its checksum. Members are read in
    pieces, several at a time: their sums are computed without the lock of the interpreter."""
    if not hasattr(os, "pread"):  # Windows
        broken = archive.testzip()
        if broken is not None:
            raise _changed(broken)
        return
    members = sorted(archive.infolist(), key=lambda member: -member.file_size)
    stored = [member for member in members if member.compress_type == zipfile.ZIP_STORED]
    starts = [start_of(file, member) for member in stored]
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as threads:
        sums = threads.map(lambda start, member: _sum(file, start, member), starts, stored)
        for member, found in zip(stored, sums, strict=True):
            if found != member.CRC:
                threads.shutdown(wait=False, cancel_futures=True)
                raise _changed(member.filename)


def _sum(file: BinaryIO, start: int, member: zipfile.ZipInfo) -> int:
    found, end = 0, start + member.file_size
    with guarded(f"{member.filename} in it is broken"):
        while start < end:
            piece = os.pread(file.fileno(), min(_PIECE, end - start), start)
            if not piece:
                raise damaged("it is truncated")
            found = zlib.crc32(piece, found)
            start += len(piece)
    return found


def _changed(name: str) -> BadFile:
    return damaged(f"the contents of {name} in it do not match their checksum")


def _check_directory(file: BinaryIO) -> None:
    """Raises BadFile if the list of members is too long to be read."""
    with guarded("it is a truncated zip archive"):
        size = size_of(file)
        file.seek(max(0, size - 22 - _COMMENT))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0:
            raise damaged("it is a truncated zip archive")
        (length,) = struct.unpack_from("<I", tail, at + 12)
        if length == 0xFFFFFFFF and (at := tail.rfind(_END_64, 0, at)) >= 0:
            (length,) = struct.unpack_from("<Q", tail, at + 40)
    if length > MAX_DIRECTORY:
        raise too_large(f"has a directory of {length:,} bytes, more than {MAX_DIRECTORY:,}")
    file.seek(0)


def _check_members(archive: zipfile.ZipFile, packed: int) -> None:
    seen: set[str] = set()
    unpacked = 0
    for member in archive.infolist():
        name = member.filename
        if name in seen:
            raise damaged(f"it has two members of the name {name}")
        seen.add(name)
        if member.flag_bits & 0x1:
            help = "unpack it with its password, and pack it again without"
            raise BadFile(f"is encrypted ({name})", "kind", help)
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            method = _METHODS.get(member.compress_type, f"method {member.compress_type}")
            help = "pack it again with `deflate`, the usual method of zip"
            raise BadFile(
                f"is compressed with {method} ({name}), which is not supported", "kind", help
            )
        stored = member.compress_type == zipfile.ZIP_STORED
        if member.compress_size > packed or (stored and member.file_size != member.compress_size):
            raise damaged(f"{name} in it should have {member.file_size:,} bytes")
        unpacked += member.file_size
    if unpacked > may_unpack_to(packed):
        raise too_large(f"has {packed:,} bytes and would unpack to {unpacked:,}")
