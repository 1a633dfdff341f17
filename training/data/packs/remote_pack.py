"""Packs elsewhere: `data shards "s3://bucket/set"`, where the folder has the index of a pack. The
index is copied into the cache folder; of tar files, only the images that are wanted are fetched."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from ....compiler.plan.data import Data, Shards
from ..remote.address import below, shown
from ..sources.shard_address import must_be_public, placed
from .pack_index import (
    INDEX,
    MAX_INDEX,
    MAX_SHARD_INDEX,
    PackIndex,
    Shard,
    ShardIndex,
    checked_shard,
    is_pack,
    load_index,
)

if TYPE_CHECKING:
    from .opened_pack import Pack


def index_elsewhere(data: Shards) -> Path | None:
    """A folder with a copy of the index of the pack at an address; None if there is no pack."""
    from ..remote.remote_shards import RemoteFolder

    must_be_public(data.path)
    path = shown(data.path)
    if path.endswith(".tar") or any(sign in path for sign in "{*?"):
        return None
    with placed(data, "path"):
        copy = RemoteFolder(data.path).local_copy(INDEX, MAX_INDEX)
    return copy.parent if copy is not None and is_pack(copy.parent) else None


def remote_pack(data: Data, url: str, copy: Path) -> Pack:
    """The pack at an address, of whose index a folder has a copy; raises BadFile or SpecError."""
    from ..remote.http_ranges import OWN, Version
    from ..remote.remote_blocks import RemoteFile
    from ..remote.remote_shards import RemoteShards
    from .kept_results import KeptResults
    from .opened_pack import Pack

    index, digest = load_index(copy)
    # A shard is known by its checksum in the index: no request is made for what is known of it.
    files = {
        f"{shown(url)}/{shard.tar}": RemoteFile(
            below(url, shard.tar), Version(shard.bytes, OWN + shard.sha256[:32])
        )
        for shards in index.parts.values()
        for shard in shards
    }

    def reader(shards: Sequence[str]) -> RemoteShards:
        return RemoteShards(tuple(files[shard] for shard in shards))

    from .columns import open_columns

    with placed(data, "path"):
        columns = open_columns(None, index, digest, _ShardIndices(url, index))
    return Pack(shown(url), index, columns, KeptResults(digest), reader)


class _ShardIndices:
    """Reads the JSON of shards, several at a time."""

    def __init__(self, url: str, index: PackIndex) -> None:
        self.url = url
        self._names = [shard.json for shards in index.parts.values() for shard in shards]
        self._places = {name: place for place, name in enumerate(self._names)}
        self._fetched: dict[str, bytes] = {}

    def __call__(self, shard: Shard) -> ShardIndex:
        if shard.json not in self._fetched:
            place = self._places[shard.json]
            some = self._names[place : place + _TOGETHER]
            with ThreadPoolExecutor(_TOGETHER) as pool:
                self._fetched = dict(zip(some, pool.map(self._content, some), strict=True))
        return checked_shard(self._fetched.pop(shard.json), shard)

    def _content(self, name: str) -> bytes:
        from ..remote.remote_shards import content

        return content(below(self.url, name), MAX_SHARD_INDEX)


_TOGETHER = 8
