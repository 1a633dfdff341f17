"""The file of `cnn play`: what is typed is written into it, and what something else writes into it
is typed. No other file is written.
"""

from __future__ import annotations

from pathlib import Path

from ...compiler.starter import STARTER
from ...dsl.atomic_file import written
from ...dsl.diagnostics import SpecError
from ...dsl.files import read_file


class OwnFile:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.uri = self.path.as_uri()
        self.text = read_file(path if path.exists() else STARTER).text
        """As it was last read or written."""
        self.seen = self._mark()

    def write(self, text: str) -> None:
        """Writes what was typed; raises OSError."""
        if text == self.text:
            return
        with written(self.path) as scratch:
            scratch.write_text(text, encoding="utf-8", newline="")
        self.text, self.seen = text, self._mark()

    def changed_outside(self) -> str | None:
        """The text, if something else has written another one."""
        mark = self._mark()
        if mark == self.seen:
            return None
        self.seen = mark
        try:
            text = read_file(self.path).text
        except SpecError:
            return None
        if text == self.text:
            return None
        self.text = text
        return text

    def _mark(self) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
        except OSError:
            return 0, 0, 0
        return found.st_mtime_ns, found.st_size, found.st_ino
