"""A text file that lines are appended to, like metrics.jsonl: it never contains a partial line."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ...dsl.atomic_file import write_whole
from ..untrusted.bad_file import BadFile
from ..untrusted.open_file import read_bytes

MAX_BYTES = 256 * 2**20


class Lines:
    """Appends lines; each is on disk completely before the next one is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting = b""
        """The lines that could not be written yet, because the disk was full."""

    def add(self, line: str) -> None:
        """Appends a line. Raises OSError if it cannot be written now; it is then written with the
        next line."""
        self._waiting += line.encode() + b"\n"
        with open(self.path, "ab", buffering=0) as file:
            size = file.tell()
            try:
                if file.write(self._waiting) < len(self._waiting):  # there was room for a part
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, size)
                raise
        self._waiting = b""

    def keep(self, count: int) -> None:
        """Keeps the first `count` lines and removes the rest, and a partial line at the end."""
        try:
            lines = read_bytes(self.path, MAX_BYTES).splitlines(keepends=True)
        except BadFile:  # the file does not exist, or this program did not write it
            lines = []
        write_whole(self.path, b"".join(line for line in lines[:count] if line.endswith(b"\n")))
