"""A cache on disk of blocks of files elsewhere: bounded, shared by the processes of a computer.

Each block is a file of its own with its checksum at the end. It is written under another name and
renamed, so that what a killed process leaves is never read; what is damaged is fetched again.
Blocks that were not used for longest go first. Processes wait for each other only where they want
the same block at the same time, which one of them then fetches: they lock a byte of a file for it,
which the system unlocks when a process dies.
"""

from __future__ import annotations

import os
import threading
import time
import zlib
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from .notes import say

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows: two processes may then fetch the same block
    fcntl = None

BLOCK = 2**18
"""The bytes of a block. An image of 110 KB needs 1.4 of them on average."""
_CHECK = 4
_FRESH = 300.0
"""Seconds in which a block that is read again counts as used only once."""
_LEFT = 3600.0
"""Seconds after which an unfinished file is what a killed process left."""
_FULL = 30.0
"""Seconds until writing is tried again on a full disk."""
_MOST_FREE = 2 * 10**9


class BlockCache:
    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._started = False
        self._full_until = 0.0
        self._evicting = threading.Lock()
        self._locks = self._evict_lock = self._written = -1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            # Closing one of these would unlock what other threads of this process have locked.
            self._locks = os.open(folder / "locks", flags, 0o666)
            self._evict_lock = os.open(folder / "evicting", flags, 0o666)
            self._written = os.open(folder / "written", flags | os.O_APPEND, 0o666)
        except OSError as error:
            self._say_full(error.strerror or "it cannot be written")

    def close(self) -> None:
        for descriptor in (self._locks, self._evict_lock, self._written):
            if descriptor >= 0:
                os.close(descriptor)
        self._locks = self._evict_lock = self._written = -1

    # ---- blocks --------------------------------------------------------------------------------

    def has(self, key: str, number: int) -> bool:
        return os.path.exists(self._path(key, number))

    def load(self, key: str, number: int, size: int) -> memoryview | None:
        """A block of `size` bytes; None if it is not there, or damaged."""
        path = self._path(key, number)
        data = bytearray(size + _CHECK + 1)
        try:
            with open(path, "rb", buffering=0) as file:
                count = file.readinto(data)
                used = os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        block = memoryview(data)[:size]
        check = bytes(data[size : size + _CHECK])
        if count != size + _CHECK or zlib.crc32(block).to_bytes(_CHECK, "big") != check:
            self.drop(key, number)
            return None
        if time.time() - used > _FRESH:
            with suppress(OSError):
                os.utime(path)
        return block

    def store(self, key: str, number: int, data: memoryview) -> bool:
        """Keeps a block; False if there is no room for it."""
        if self._written < 0 or time.monotonic() < self._full_until:
            return False
        if not self._started:
            self._started = True
            self._evict()  # the limit may be lower than that of the last run
        if not self._has_room(len(data)):
            return False
        path = self._path(key, number)
        scratch = f"{path}.{os.getpid()}-{threading.get_ident()}.part"
        try:
            with open(_new(scratch), "wb", buffering=0) as file:
                _write_all(file.fileno(), data)
                _write_all(file.fileno(), zlib.crc32(data).to_bytes(_CHECK, "big"))
            os.replace(scratch, path)
            os.write(self._written, b".")
            written = os.fstat(self._written).st_size * BLOCK
        except OSError as error:
            with suppress(OSError):
                os.unlink(scratch)
            self._say_full(error.strerror or type(error).__name__)
            return False
        if written > self.limit // 16:
            self._evict()
        return True

    def drop(self, key: str, number: int) -> None:
        with suppress(OSError):
            os.unlink(self._path(key, number))

    def _path(self, key: str, number: int) -> str:
        return f"{self.folder}{os.sep}{key}{os.sep}{number}"

    # ---- locks ---------------------------------------------------------------------------------

    def lock(self, key: str, number: int) -> bool:
        """Locks a block, to fetch it, without waiting; False if another process has it locked.
        Threads of one process must not lock the same block."""
        return self._locked(self._locks, _place(key, number))

    def unlock(self, key: str, number: int) -> None:
        if fcntl is not None and self._locks >= 0:
            with suppress(OSError):
                fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, _place(key, number))

    @staticmethod
    def _locked(descriptor: int, place: int) -> bool:
        if fcntl is None or descriptor < 0:
            return True
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:  # a file system without locks
            return True
        return True

    # ---- room ----------------------------------------------------------------------------------

    def _has_room(self, size: int) -> bool:
        if self._room() >= size:
            return True
        self._evict()
        if self._room() >= size:
            return True
        self._say_full("the disk is almost full")
        return False

    def _room(self) -> int:
        """The bytes that may still be written to the disk."""
        try:
            disk = os.statvfs(self.folder)
        except (AttributeError, OSError):
            return 2**62
        least = min(_MOST_FREE, disk.f_blocks * disk.f_frsize // 10)
        return disk.f_bavail * disk.f_frsize - least

    def _say_full(self, why: str) -> None:
        self._full_until = time.monotonic() + _FULL
        say(
            f"the cache in {self.folder} keeps nothing more for now ({why}); what is read again is"
            " fetched again",
            f"full {self.folder}",
        )

    def _evict(self) -> None:
        """Deletes the blocks that were not used for longest, if there are too many bytes. One
        process does so at a time; the others go on."""
        if not self._evicting.acquire(blocking=False):
            return
        try:
            if not self._locked(self._evict_lock, 0):
                return
            try:
                os.ftruncate(self._written, 0)
                self._delete_oldest()
            finally:
                if fcntl is not None:
                    fcntl.lockf(self._evict_lock, fcntl.LOCK_UN, 1, 0)
        except OSError:
            return
        finally:
            self._evicting.release()

    def _delete_oldest(self) -> None:
        blocks: list[tuple[float, int, str]] = []
        now = time.time()
        for folder in os.scandir(self.folder):
            if not folder.is_dir(follow_symlinks=False):
                continue
            with suppress(OSError):
                for entry in os.scandir(folder.path):
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(".part"):
                        if now - status.st_mtime > _LEFT:
                            os.unlink(entry.path)
                        continue
                    blocks.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in blocks)
        lacking = -self._room()
        too_many = max(total - self.limit, lacking)
        if too_many <= 0 and lacking + BLOCK <= 0:
            return
        too_many += max(BLOCK, self.limit // 10)
        blocks.sort()
        for _, size, path in blocks:
            if too_many <= 0:
                break
            with suppress(OSError):
                os.unlink(path)
                too_many -= size
        for folder in os.scandir(self.folder):
            if folder.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    os.rmdir(folder.path)  # which fails unless it is empty


_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
_NEW |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


_TRIES = 10


def _new(path: str) -> int:
    """A new file, in a folder that another process may delete, being empty, before it has one."""
    for _ in range(_TRIES):
        with suppress(FileNotFoundError):
            return os.open(path, _NEW, 0o666)
        os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, _NEW, 0o666)


def _write_all(descriptor: int, data: memoryview | bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _place(key: str, number: int) -> int:
    digest = blake2b(f"{key}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2
