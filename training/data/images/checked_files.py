"""A cache of checked image files: which can be decoded, remembered from one run to the next.

Decoding every image of a large data set takes minutes to hours; without a cache, each run would
spend that time before its first step. The cache is in the user's cache folder, never beside the
images. An entry is valid for a path, a file size, a modification time and a version of Pillow. If
the cache cannot be used, files are checked again. It is an SQLite file, because several runs may
write to it at the same time.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Container, Mapping
from contextlib import closing
from pathlib import Path

import PIL

RULES = 1
"""Increased whenever the rules for bad files change."""

Mark = tuple[int, int]
"""Size and modification time of a file."""


def cache_folder() -> Path:
    """The folder for files that can be computed again."""
    given = os.environ.get("DOTCNN_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "dotcnn"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/dotcnn"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dotcnn"


def mark(path: str, beside: str | None = None) -> Mark | None:
    """The mark of a file, or of an image together with the file of its mask; None if there is none,
    so that nothing is remembered."""
    try:
        each = [os.stat(one) for one in (path, *(() if beside is None else (beside,)))]
    except (OSError, ValueError):
        return None
    return sum(one.st_size for one in each), max(one.st_mtime_ns for one in each)


class CheckedFiles:
    """The cache: for each path, the reason why the file is bad; empty if it is good."""

    def __init__(self, folder: Path | None = None, reader: str = "") -> None:
        """`reader` says how images are read, if not as photographs."""
        self._file = (folder or cache_folder()) / "images.sqlite"
        self._reader = f"{RULES}/{PIL.__version__}" + (f"/{reader}" if reader else "")

    def known(self, root: str, wanted: Container[str]) -> dict[str, tuple[Mark, str]]:
        """The cached results for the files below a folder that are wanted."""
        start = os.path.join(os.path.abspath(root), "")
        if not _can_be_kept(start) or not self._file.exists():
            return {}
        try:
            with closing(self._opened()) as connection:
                rows = connection.execute(
                    "SELECT path, size, changed, reason FROM verdicts"
                    " WHERE reader = ? AND path >= ? AND path < ?",
                    (self._reader, start, start + "\U0010ffff"),
                )
                return {
                    path: ((size, changed), reason)
                    for path, size, changed, reason in rows
                    if path in wanted
                }
        except (sqlite3.Error, OSError):
            return {}

    def remember(self, verdicts: Mapping[str, tuple[Mark, str]]) -> None:
        rows = [
            (path, size, changed, self._reader, reason)
            for path, ((size, changed), reason) in verdicts.items()
            if _can_be_kept(path)
        ]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._opened()) as connection, connection:
                connection.executemany(
                    "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?)", rows
                )
        except (sqlite3.Error, OSError):
            return  # the disk is full, or the home folder is not writable

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=30)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS verdicts"
            " (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, reader TEXT, reason TEXT)"
        )
        return connection


def _can_be_kept(path: str) -> bool:
    """Whether a path is valid UTF-8: only then can a database hold it."""
    return not any("\ud800" <= sign <= "\udfff" for sign in path)
