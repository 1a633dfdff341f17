"""A pack that is open: on a disk, or elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..loader.shard_files import ShardReader
from .columns import Columns
from .kept_results import KeptResults
from .pack_index import PackIndex


@dataclass(frozen=True, eq=False)
class Pack:
    """A pack that is open."""

    root: str
    """The folder of its tar files, or its address."""
    index: PackIndex
    columns: Mapping[str, Columns]
    kept: KeptResults
    """What has been computed of it before."""
    reader: Callable[[Sequence[str]], ShardReader] | None = None
    """For a pack elsewhere: makes what reads these tar files."""
