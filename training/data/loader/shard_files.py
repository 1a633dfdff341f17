"""Images and masks in tar files, read from their places there: in any order, without unpacking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from ..images.image_file import MAX_BYTES, BadImage
from ..images.mask_file import MaskCode
from .image_source import Files


class ShardReader(Protocol):
    """Reads parts of tar files, which are named by their numbers."""

    def read(self, shard: int, offset: int, size: int) -> bytes:
        """A part of a tar file. Raises BadImage if it is not there, and SpecError if nothing can be
        read at all."""


@dataclass(frozen=True)
class LocalShards:
    """Tar files on a disk."""

    paths: Sequence[str]

    def read(self, shard: int, offset: int, size: int) -> bytes:
        try:
            with open(self.paths[shard], "rb", buffering=0) as file:
                file.seek(offset)
                pieces = []
                while size and (piece := file.read(size)):
                    pieces.append(piece)
                    size -= len(piece)
        except OSError as error:
            raise BadImage(f"cannot be read: {error.strerror or type(error).__name__}") from None
        if size:
            raise BadImage("it is cut short: the tar file has changed")
        return b"".join(pieces)


@dataclass(frozen=True, eq=False)
class Members:
    """Members of tar files, one for each image."""

    shards: tuple[str, ...] = ()
    """The paths of the tar files."""
    places: Tensor = field(default_factory=lambda: torch.zeros(0, 3, dtype=torch.int64))
    """The number of the tar file, the offset there and the size, for each image."""
    reader: ShardReader | None = None
    """Reads the tar files, if they are not on a disk."""

    def file(self, index: int) -> str:
        return self.shards[int(self.places[index, 0])]

    def read(self, index: int) -> bytes:
        """The bytes of a member. Raises BadImage."""
        shard, offset, size = self.places[index].tolist()
        if size > MAX_BYTES:
            raise BadImage(f"it has {size:,} bytes")
        return (self.reader or LocalShards(self.shards)).read(shard, offset, size)

    def select(self, indices: Tensor) -> Members:
        return replace(self, places=self.places[indices])


@dataclass(frozen=True, eq=False)
class ShardFiles(Files):
    """The images of samples; `paths` are the names of tar files and of the members in them."""

    members: Members = Members()

    def container(self, index: int) -> str:
        return self.members.file(index)

    def content(self, index: int) -> bytes:
        return self.members.read(index)

    def select(self, indices: Tensor) -> ShardFiles:
        chosen = super().select(indices)
        assert isinstance(chosen, ShardFiles)
        return replace(chosen, members=self.members.select(indices))


@dataclass(frozen=True, eq=False)
class ShardMasks:
    """The masks of samples."""

    members: Members
    code: MaskCode

    def read(self, index: int) -> Tensor:
        """The class of each pixel of an image: uint8, height x width. Raises BadImage."""
        return self.code.read(self.members.read(index))

    def file(self, index: int) -> str:
        return self.members.file(index)

    def select(self, indices: Tensor) -> ShardMasks:
        return replace(self, members=self.members.select(indices))
