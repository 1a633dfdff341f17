"""Results that were computed of the images of a pack, kept so that they are computed once: how they
were divided at random, and the mean and standard deviation of their pixels. For ten million images
that takes half a minute; reading what is kept takes no time, and arrays are mapped into memory,
which the processes of a computer share.

Results are in the user's cache folder, below the checksum of the pack's index.json, and may be
deleted at any time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy

from ....dsl.atomic_file import write_whole, written
from ...untrusted.bad_file import BadFile
from ...untrusted.json_text import load_json
from ...untrusted.open_file import read_text
from ..images.checked_files import cache_folder

_MAX_TEXT = 2**20


@dataclass(frozen=True)
class KeptResults:
    """The results of one pack."""

    pack: str
    """The checksum of its index.json."""

    def value(self, what: str) -> Any:
        """A result; None if it is not kept. `what` says what was computed, and of what."""
        try:
            found = load_json(read_text(self._file(what, "json"), _MAX_TEXT))
        except BadFile:
            return None
        return found.get("result") if isinstance(found, dict) else None

    def keep(self, what: str, value: Any) -> None:
        """Keeps a result, if the cache can be written to."""
        file = self._file(what, "json")
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps({"of": what, "result": value}).encode("utf-8"))

    def arrays(self, what: str, count: int) -> list[numpy.ndarray] | None:
        """Kept arrays of indices, mapped into memory, if all of them are there: `count` of them."""
        files = [self._file(what, f"{number}.npy") for number in range(count)]
        try:
            return [_mapped(file) for file in files]
        except (OSError, ValueError, EOFError):
            return None

    def keep_arrays(self, what: str, arrays: Sequence[numpy.ndarray]) -> None:
        """Keeps arrays, if the cache can be written to."""
        with suppress(OSError):
            for number, array in enumerate(arrays):
                file = self._file(what, f"{number}.npy")
                file.parent.mkdir(parents=True, exist_ok=True)
                with written(file) as scratch:
                    numpy.save(scratch, array, allow_pickle=False)

    def _file(self, what: str, ending: str) -> Path:
        name = blake2b(what.encode("utf-8"), digest_size=16).hexdigest()
        return cache_folder() / "packs" / self.pack[:32] / "results" / f"{name}.{ending}"


def _mapped(file: Path) -> numpy.ndarray:
    # Copied when written to, which nobody does; torch warns about arrays that are read-only.
    array: numpy.ndarray = numpy.load(file, mmap_mode="c", allow_pickle=False)
    if array.ndim != 1 or array.dtype != numpy.int64:
        raise ValueError(f"{file.name} has no indices")
    return array
