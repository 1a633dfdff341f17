"""The image files below a folder, found by what a table calls them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .folder_tree import Wanted, files_below
from .table_file import Column

_SAMPLE = 200


class NamedFiles:
    """The image files below a folder, found by what a table calls them."""

    def __init__(self, root: Path, wanted: Wanted, preferred: str = "") -> None:
        """Of several files of one name, that in the folder `preferred` is meant."""
        self.root = root
        self.wanted = wanted
        self.left_out = ""
        """The beginning of paths that was left out: of the machine on which the table was made."""
        self._preferred = preferred.casefold()
        self._folder = str(root)
        self._known: dict[str, str] | None = None
        self._in_any_case: dict[str, str] | None = None

    def path(self, name: str) -> str | None:
        """The path of an image relative to the folder: of its path, of its name in any folder, or
        of its name without an ending; None if there is none, or if there are several. Where that
        finds nothing, neither case nor the folders that `root` is in matter."""
        if not name:
            return None
        if self._is_path(name):
            return name
        known, wanted = self._all(), name.replace("\\", "/").removeprefix("./")
        if wanted in known:
            return known[wanted] or None
        return self._whole_end(known, wanted) or self._in_other_case(wanted)

    def _whole_end(self, known: dict[str, str], name: str) -> str | None:
        """The file whose whole path is the end of a longer one: `C:/set/photos/1.jpg`."""
        start = name.find("/") + 1
        while start:
            end = name[start:]
            file = known.get(end)
            if file and end in (file, os.path.splitext(file)[0]):
                self.left_out = self.left_out or name[:start]
                return file
            start = name.find("/", start) + 1
        return None

    def _in_other_case(self, name: str) -> str | None:
        if self._in_any_case is None:
            folded: dict[str, str] = {}
            for key, file in self._all().items():
                lower = key.casefold()
                folded[lower] = file if folded.get(lower, file) == file else ""
            self._in_any_case = folded
        return self._in_any_case.get(name.casefold()) or None

    def _all(self) -> dict[str, str]:
        if self._known is None:
            files = files_below(self.root, self.wanted)
            preferred = [file for file in files if self._is_preferred(file)]
            self._known = {**_by_name(files), **_by_name(preferred)}
        return self._known

    def _is_preferred(self, file: str) -> bool:
        return bool(self._preferred) and self._preferred in file.casefold().split("/")[:-1]

    def all_paths(self, column: Column) -> bool:
        """Whether a column's first values are paths of images."""
        values = [value for value in column.values[:_SAMPLE] if value]
        return bool(values) and all(map(self._is_path, values))

    def _is_path(self, name: str) -> bool:
        return self.wanted(name) and os.path.isfile(os.path.join(self._folder, name))

    def share(self, column: Column) -> float:
        """The share of a column's first values that are images. A name without an ending counts a
        little less: it may be a number by chance."""
        values = [value for value in column.values[:_SAMPLE] if value]
        found = [value for value in values if self.path(value) is not None]
        return sum(1.0 if self.wanted(value) else 0.9 for value in found) / max(1, len(values))


def _by_name(files: Sequence[str]) -> dict[str, str]:
    """Files by all that may be said for them; names of several files mean nothing."""
    known: dict[str, str] = {}
    for file in files:
        stem = os.path.splitext(file)[0]
        for key in {file, stem, os.path.basename(file), os.path.basename(stem)}:
            known[key] = "" if key in known else file
    return known
