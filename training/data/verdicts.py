"""Which files have been found fit to be used, remembered from one run to the next.

In the user's own cache, never beside the images. A verdict is for a file of a certain path, size
and time of change, and for the version of what reads it; where the cache cannot be used, files are
merely looked at again.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import PIL

RULES = 1
"""Goes up when files are judged in another way."""

Mark = tuple[int, int]
"""Size and time of change."""


def cache_folder() -> Path:
    """Where this program keeps what it can find out again."""
    given = os.environ.get("DOTCNN_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "dotcnn"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/dotcnn"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dotcnn"


def mark(path: str) -> Mark | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


class Verdicts:
    """By path: the reason why a file is bad, empty where it is not."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = (folder or cache_folder()) / "images.sqlite"
        self._reader = f"{RULES}/{PIL.__version__}"

    def known(self, root: str) -> dict[str, tuple[Mark, str]]:
        """All that is known of files below a folder."""
        start = os.path.join(os.path.abspath(root), "")
        try:
            with self._opened() as connection:
                rows = connection.execute(
                    "SELECT path, size, changed, reason FROM verdicts"
                    " WHERE reader = ? AND path >= ? AND path < ?",
                    (self._reader, start, start + "\U0010ffff"),
                ).fetchall()
        except (sqlite3.Error, OSError):
            return {}
        finally:
            self._close()
        return {path: ((size, changed), reason) for path, size, changed, reason in rows}

    def remember(self, verdicts: Mapping[str, tuple[Mark, str]]) -> None:
        rows = [
            (path, size, changed, self._reader, reason)
            for path, ((size, changed), reason) in verdicts.items()
            if _can_be_kept(path)
        ]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._opened() as connection:
                connection.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?)", rows)
        except (sqlite3.Error, OSError):
            return  # a full disk, a home that cannot be written to
        finally:
            self._close()

    _connection: sqlite3.Connection | None = None

    def _opened(self) -> sqlite3.Connection:
        self._connection = sqlite3.connect(self._file, timeout=30)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS verdicts"
            " (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, reader TEXT, reason TEXT)"
        )
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _can_be_kept(path: str) -> bool:
    return path.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in path)


def absolute(paths: Iterable[str]) -> list[str]:
    return [os.path.abspath(path) for path in paths]
