"""Images and masks in tar files, read from their places there: in any order, without unpacking."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from ..images.checked_files import Mark
from ..images.image_file import MAX_BYTES, BadImage
from ..images.mask_file import MaskCode
from ..remote.notes import say
from .image_source import Files
from .mapped_array import array_in, mapped_file

_AGAIN = 2
"""How many times what is wrong is fetched again."""


class ShardReader(Protocol):
    """Reads parts of tar files, which are named by their numbers."""

    def read(self, shard: int, offset: int, size: int) -> bytes:
        """A part of a tar file, shorter if the file ends before. Raises BadImage if it cannot be
        read, and SpecError if nothing can be read at all."""

    def ahead(self, places: Sequence[Sequence[int]]) -> None:
        """Begins to fetch what will be read soon, in this order: tar files, offsets, sizes."""

    def forget(self, shard: int, offset: int, size: int) -> None:
        """What was read is wrong: it is fetched again when it is read again."""

    def mark(self, shard: int) -> Mark | None:
        """What tells one version of a tar file from another."""


def read_local(path: str, offset: int, size: int) -> bytes:
    """A part of a file on a disk. Raises BadImage."""
    try:
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            pieces = []
            while size and (piece := file.read(size)):
                pieces.append(piece)
                size -= len(piece)
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror or type(error).__name__}") from None
    return b"".join(pieces)


@dataclass(frozen=True, eq=False)
class Members:
    """Members of tar files, one for each image."""

    shards: tuple[str, ...] = ()
    """The paths of the tar files."""
    places: Tensor = field(default_factory=lambda: torch.zeros(0, 3, dtype=torch.int64))
    """Rows with the number of the tar file, the offset there and the size."""
    reader: ShardReader | None = None
    """Reads the tar files, if they are not on a disk."""
    checksums: Tensor | None = None
    """The CRC-32 of each row, if it is checked: int32, with the same bits."""
    rows: Tensor | None = None
    """The row of each image; None if these are all. Rows of a large set are mapped into memory and
    shared by processes, so some of them are not copied."""

    def row(self, index: int) -> int:
        return index if self.rows is None else int(self.rows[index])

    def place(self, index: int) -> tuple[int, int, int]:
        """The number of the tar file, the offset there and the size; -1, 0, 0 if an image does not
        have this member."""
        shard, offset, size = self.places[self.row(index)].tolist()
        return shard, offset, size

    def some(self, indices: Tensor) -> Tensor:
        """The same for several images, as rows."""
        return self.places[self._rows(indices)]

    def file(self, index: int) -> str:
        return self.shards[self.place(index)[0]]

    def read(self, index: int) -> bytes:
        """The bytes of a member. Raises BadImage."""
        shard, offset, size = self.place(index)
        if size > MAX_BYTES:
            raise BadImage(f"it has {size:,} bytes")
        if self.reader is None:
            data = read_local(self.shards[shard], offset, size)
        else:
            data = self.reader.read(shard, offset, size)
            for _ in range(_AGAIN):
                if not self._is_wrong(index, data):
                    break
                file = self.file(index)
                say(
                    f"wrong bytes of {file} came (checksum); they are fetched again",
                    f"wrong {file}",
                )
                self.reader.forget(shard, offset, size)
                data = self.reader.read(shard, offset, size)
            if self._is_wrong(index, data):
                raise BadImage("its bytes are not those that were packed (checksum)")
        if len(data) < size:
            raise BadImage("it is cut short: the tar file has changed")
        return data

    def _is_wrong(self, index: int, data: bytes) -> bool:
        if self.checksums is None:
            return False
        return zlib.crc32(data) != int(self.checksums[self.row(index)]) & 0xFFFFFFFF

    def bytes_of(self, indices: Tensor) -> Tensor:
        """The sizes of some members."""
        return self.some(indices)[:, 2]

    def ahead(self, indices: Sequence[int]) -> None:
        """Begins to fetch members that will be read soon, if the files are elsewhere."""
        if self.reader is not None:
            places = self.some(torch.as_tensor(indices).long()).tolist()
            self.reader.ahead([place for place in places if place[0] >= 0])

    def forget(self, index: int) -> bool:
        """Has a member whose bytes are wrong fetched again, if it is elsewhere; else False."""
        if self.reader is None:
            return False
        shard, offset, size = self.place(index)
        if shard < 0:
            return False
        self.reader.forget(shard, offset, size)
        return True

    def has(self, index: int) -> bool:
        """Whether an image has this member."""
        return self.place(index)[0] >= 0

    def array(self, index: int) -> Tensor | None:
        """A member that is an array (`.npy`), mapped into memory if it is on a disk; None if an
        image does not have it. Raises BadImage."""
        shard, offset, size = self.place(index)
        if shard < 0:
            return None
        if self.reader is not None:
            return array_in(torch.frombuffer(bytearray(self.read(index)), dtype=torch.uint8))
        return mapped_file(self.shards[shard]).array(offset, size)

    def select(self, indices: Tensor) -> Members:
        return replace(self, rows=self._rows(indices))

    def _rows(self, indices: Tensor) -> Tensor:
        return indices if self.rows is None else self.rows[indices]


@dataclass(frozen=True, eq=False)
class ShardFiles(Files):
    """The images of samples; `paths` are the names of tar files and of the members in them."""

    members: Members = Members()

    def container(self, index: int) -> str:
        return self.members.file(index)

    def content(self, index: int) -> bytes:
        return self.members.read(index)

    @property
    def elsewhere(self) -> bool:
        return self.members.reader is not None

    def bytes_of(self, indices: Tensor) -> Tensor:
        return sum((each.bytes_of(indices) for each in self._all), torch.zeros(len(indices)))

    def ahead(self, indices: Sequence[int]) -> None:
        for each in self._all:
            each.ahead(indices)

    def forget(self, index: int) -> bool:
        forgotten = [each.forget(index) for each in self._all]
        return any(forgotten)

    def mark(self, index: int) -> Mark | None:
        reader = self.members.reader
        if reader is None:
            return super().mark(index)
        return reader.mark(self.members.place(index)[0])

    @property
    def _all(self) -> list[Members]:
        masks = [each.members for each in self.mask_files if isinstance(each, ShardMasks)]
        return [self.members, *masks]

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
