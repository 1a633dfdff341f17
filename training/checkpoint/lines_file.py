"""A file of lines that grows, like metrics.jsonl: only whole lines are ever in it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ...dsl.atomic_file import write_whole
from ..untrusted.bad_file import BadFile
from ..untrusted.open_file import read_bytes

MAX_BYTES = 256 * 2**20


class Lines:
    """Each line is on the disk, whole, before the next one is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting = b""
        """What could not be written yet, as the disk was full."""

    def add(self, line: str) -> None:
        """Raises OSError where it cannot be written now; it then comes with the next one."""
        self._waiting += line.encode() + b"\n"
        with open(self.path, "ab", buffering=0) as file:
            size = file.tell()
            try:
                if file.write(self._waiting) < len(self._waiting):  # a part still had room
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, size)
                raise
        self._waiting = b""

    def keep(self, count: int) -> None:
        """The first ones alone; and all of them whole."""
        try:
            lines = read_bytes(self.path, MAX_BYTES).splitlines(keepends=True)
        except BadFile:  # not there, or nothing that was written here
            lines = []
        write_whole(self.path, b"".join(line for line in lines[:count] if line.endswith(b"\n")))
