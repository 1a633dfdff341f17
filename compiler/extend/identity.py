"""What a run records of a plug-in: which one it was, so that another one is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Identity(NamedTuple):
    """What a run records of a plug-in."""

    name: str
    version: str
    """Of the distribution, or the module's `__version__`; "" if it has none."""
    file: str
    """The name of its file, without a folder."""
    sha256: str

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Identity:
        """Raises KeyError or TypeError if the form is wrong."""
        values = [data[name] for name in Identity._fields]
        if not all(isinstance(each, str) and len(each) <= 200 for each in values):
            raise TypeError("a plug-in is recorded in another form")
        return Identity(*values)

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return f"{self.name}{version} ({self.file}, {self.sha256[:12]})"
