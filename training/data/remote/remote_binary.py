"""A file elsewhere that is read like one on a disk: for headers of tar files."""

from __future__ import annotations

import os

from .block_cache import BLOCK
from .remote_blocks import RemoteFile, Wanted, blocks

_MOST_AHEAD = 64
"""Blocks that are fetched ahead where all are read: 16 MiB."""


class RemoteBinary:
    """Only the blocks are fetched that something is read from. Where one after the other is, since
    members are small, the next ones are fetched ahead, more each time."""

    def __init__(self, file: RemoteFile) -> None:
        self.file = file
        self._at = 0
        self._number = -1
        self._block = b""
        self._ahead = 1
        self._asked = 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.file.size}[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._at = start + offset
        return self._at

    def read(self, size: int) -> bytes:
        """Raises SpecError."""
        stop = min(self._at + size, self.file.size)
        pieces = []
        while self._at < stop:
            number, inside = divmod(self._at, BLOCK)
            self._load(number)
            piece = self._block[inside : inside + stop - self._at]
            pieces.append(piece)
            self._at += len(piece)
        return b"".join(pieces)

    def _load(self, number: int) -> None:
        if number == self._number:
            return
        self._ahead = min(_MOST_AHEAD, 2 * self._ahead) if number == self._number + 1 else 1
        if self._ahead > 2 and self._asked < number + self._ahead // 2:
            start = max(self._asked, number)
            self._asked = number + self._ahead
            stop = min(self._asked * BLOCK, self.file.size)
            blocks().ahead([Wanted(self.file, start * BLOCK, stop)] if start * BLOCK < stop else [])
        start = number * BLOCK
        self._block = blocks().read(self.file, start, start + BLOCK)
        self._number = number
