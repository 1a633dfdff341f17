"""The image files below a folder, found by what a table calls them."""

from __future__ import annotations

import os
from pathlib import Path

from .folder_tree import Wanted, files_below
from .table_file import Column

_SAMPLE = 200


class NamedFiles:
    """The image files below a folder, found by what a table calls them."""

    def __init__(self, root: Path, wanted: Wanted) -> None:
        self.root = root
        self.wanted = wanted
        self._folder = str(root)
        self._known: dict[str, str] | None = None

    def path(self, name: str) -> str | None:
        """The path of an image relative to the folder: of its path, of its name in any folder, or
        of its name without an ending; None if there is none, or if there are several."""
        if not name:
            return None
        if self._is_path(name):
            return name
        return self._all().get(name.replace("\\", "/").removeprefix("./")) or None

    def _all(self) -> dict[str, str]:
        if self._known is None:
            known: dict[str, str] = {}
            for file in files_below(self.root, self.wanted):
                stem = os.path.splitext(file)[0]
                for key in {file, stem, os.path.basename(file), os.path.basename(stem)}:
                    known[key] = "" if key in known else file  # ambiguous names mean nothing
            self._known = known
        return self._known

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
