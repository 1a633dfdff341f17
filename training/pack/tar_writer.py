"""Writes a tar file whose bytes depend on nothing but its members: no time, no user."""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from typing import IO

from ..data.packs.pack_index import Place

BLOCK = 512


class TarWriter:
    """Writes members one after the other; counts the bytes and computes their checksum."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.bytes = 0

    def add(self, name: str, content: bytes) -> Place:
        """Adds a member; returns where its bytes are."""
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        entry.mode = 0o644
        self._write(entry.tobuf(tarfile.USTAR_FORMAT))
        place = Place(self.bytes, len(content), zlib.crc32(content))
        self._write(content)
        self._write(bytes(-len(content) % BLOCK))
        return place

    def end(self) -> str:
        """Writes the end of the file; returns its checksum."""
        self._write(bytes(2 * BLOCK))
        return self._hash.hexdigest()

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._hash.update(content)
        self.bytes += len(content)


def stored_bytes(size: int) -> int:
    """The bytes that a member of a size takes, with its header."""
    return BLOCK + -(-size // BLOCK) * BLOCK
