"""Where the tar files of a data set are, and how they are read there: on a disk, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Protocol

from ...untrusted.bad_file import BadFile as Unreadable
from ...untrusted.open_file import open_regular
from .class_name_file import MAX_BYTES
from .tar_index import Place, TarIndex, index_of, tar_index

if TYPE_CHECKING:
    from ..loader.shard_files import ShardReader
    from ..remote.remote_blocks import RemoteFile
    from ..remote.remote_shards import RemoteFolder


class Storage(Protocol):
    """Tar files, by their paths."""

    def index(self, file: PurePath) -> TarIndex:
        """What is in a tar file. Raises BadFile; SpecError if nothing can be read at all."""

    def content(self, file: PurePath, place: Place) -> bytes:
        """A member. Raises BadFile or OSError."""

    def reader(self, files: Sequence[PurePath]) -> ShardReader | None:
        """What reads these files by their numbers; None if they are on a disk."""

    def names(self, files: Sequence[PurePath]) -> tuple[str, ...]:
        """What names these files in errors."""

    def beside(self, name: str) -> Path | None:
        """A small file in the folder of the tar files, or a copy of it; None if there is none."""


@dataclass(frozen=True)
class LocalStorage:
    root: PurePath

    def index(self, file: PurePath) -> TarIndex:
        return tar_index(Path(file))

    def content(self, file: PurePath, place: Place) -> bytes:
        with open_regular(file) as opened:
            opened.seek(place.offset)
            return opened.read(place.size)

    def reader(self, files: Sequence[PurePath]) -> ShardReader | None:
        return None

    def names(self, files: Sequence[PurePath]) -> tuple[str, ...]:
        return tuple(map(str, files))

    def beside(self, name: str) -> Path | None:
        file = Path(self.root) / name
        return file if file.is_file() else None


@dataclass(frozen=True)
class RemoteStorage:
    files: Mapping[PurePath, RemoteFile]
    folder: RemoteFolder

    def index(self, file: PurePath) -> TarIndex:
        from ..remote.address import shown
        from ..remote.remote_binary import RemoteBinary

        opened = self.files[file]
        mark = f"{shown(opened.url)}\0{opened.version.size}\0{opened.version.mark}"
        return index_of(RemoteBinary(opened), opened.size, mark)

    def content(self, file: PurePath, place: Place) -> bytes:
        from ..remote.remote_blocks import blocks

        data = blocks().read(self.files[file], place.offset, place.offset + place.size)
        if len(data) < place.size:
            raise Unreadable("is cut short")
        return data

    def reader(self, files: Sequence[PurePath]) -> ShardReader | None:
        from ..remote.remote_shards import RemoteShards

        return RemoteShards(tuple(self.files[file] for file in files))

    def names(self, files: Sequence[PurePath]) -> tuple[str, ...]:
        from ..remote.address import shown

        return tuple(shown(self.files[file].url) for file in files)

    def beside(self, name: str) -> Path | None:
        return self.folder.local_copy(name, MAX_BYTES) if self.folder.url else None
