"""Writes a large file in pieces: each is on the disk before many more follow.

Else gigabytes would wait in memory for the disk, in place of the images that training reads again
in each epoch; and the last sync would take as long as all of the writing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO

_PIECE = 2**24
_SYNCED = 2**26
"""The most bytes that are written before they have to reach the disk."""

Check = Callable[[], None]
"""Called between pieces of a file: raises an error if it is not to be written on."""


def nothing() -> None:
    """Checks nothing."""


class LargeFile:
    """What is written to a file, which is open. Keeps an error that a library such as torch would
    hide, like that of a full disk."""

    def __init__(self, file: IO[bytes], check: Check = nothing) -> None:
        self.file, self.check = file, check
        self.error: BaseException | None = None
        self._written = self._synced = 0

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data)
        try:
            for start in range(0, len(view), _PIECE):
                self.check()
                self._written += self.file.write(view[start : start + _PIECE])
                if self._written - self._synced >= _SYNCED:
                    self.sync()
        except BaseException as error:
            self.error = error
            raise
        return len(view)

    def flush(self) -> None:
        self.file.flush()

    def sync(self) -> None:
        """Waits until all is on the disk, which then is not kept in memory too."""
        self.file.flush()
        handle, length = self.file.fileno(), self._written - self._synced
        (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(handle)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(handle, self._synced, length, os.POSIX_FADV_DONTNEED)
        self._synced = self._written
