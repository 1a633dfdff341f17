"""Files that are whole at every moment: what is there is the old one or the new one."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def write_whole(path: Path, *pieces: bytes | memoryview) -> None:
    """Under another name, to the disk, and then into its place; raises OSError, and what was there
    is still there. What a process leaves that dies meanwhile is overwritten by the next one."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    reach_the_disk(path.parent)


def reach_the_disk(folder: Path) -> None:
    """The names in a folder, so that they outlive a power cut."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # no such thing on Windows
        return
    try:
        os.fsync(handle)
    except OSError:  # nor on some file systems
        pass
    finally:
        os.close(handle)


class Lines:
    """A file of lines that grows; each is whole before the next one comes."""

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
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            lines = []
        write_whole(self.path, b"".join(lines[:count]))
