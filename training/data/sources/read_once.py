"""Keeps what a large file of labels says until it is needed again: its classes are counted before
the network is built, and its images are opened afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_Key = tuple[object, ...]


class ReadOnce(Generic[T]):
    """The result of the last reading, which is given away to the last who needs it."""

    def __init__(self) -> None:
        self._key: _Key | None = None
        self._kept: T | None = None

    def __call__(self, read: Callable[[], T], path: Path | None, *key: object, last: bool) -> T:
        """What `read` returns, now or before, if the file is the same and so is the key; the key
        alone if the file is elsewhere."""
        own: _Key = key
        if path is not None:
            try:
                status = path.stat()
            except (OSError, ValueError):
                return read()  # which says what is wrong
            own = (str(path.absolute()), status.st_mtime_ns, status.st_size, *key)
        found = self._kept if self._kept is not None and self._key == own else read()
        self._key, self._kept = (None, None) if last else (own, found)
        return found
