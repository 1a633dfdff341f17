"""The images of a pack, with their masks, targets and further inputs: read from their places in tar
files, or, if they are arrays, mapped into memory."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ....compiler.plan.data import UNLABELLED
from ....compiler.plan.plan import NamedInput
from ..images.decode import Pixels, Together
from ..images.image_file import BadImage
from ..images.mask_file import MaskCode
from ..loader.image_source import ImageMaps, TargetFiles
from ..loader.packed_strings import Strings
from ..loader.shard_files import Members, ShardFiles
from ..sources.file_names import clean

NOTHING = Strings(())
"""In place of the paths of files."""


@dataclass(frozen=True, eq=False)
class PackMembers:
    """Members of one role, one for each image."""

    members: Members
    arrays: bool
    """Whether they are arrays, which are mapped into memory."""

    def content(self, index: int) -> Any:
        """What a member is decoded from; None if an image does not have it. Raises BadImage."""
        if self.arrays:
            array = self.members.array(index)
            return None if array is None else Pixels(array)
        if not self.members.has(index):
            return None
        return self.members.read(index)

    def select(self, indices: Tensor) -> PackMembers:
        return replace(self, members=self.members.select(indices))


@dataclass(frozen=True, eq=False)
class PackFiles(ShardFiles):
    """The images of a part of a pack; `paths` are the names that they had in the data."""

    arrays: bool = False
    """Whether images are arrays, which are mapped into memory."""
    numbered: bool = False
    """Whether names are the numbers of rows, not those of files."""
    pixels: Tensor | None = None
    """Height and width of each image of the part: `cnn pack` has read every one."""
    sizes: Tensor | None = None
    """The different ones of these."""
    part: str = ""
    """The part of the pack that they are of."""

    @property
    def mapped(self) -> bool:
        return self.arrays and not self.elsewhere

    @property
    def known_sizes(self) -> Tensor | None:
        return self.sizes

    def sizes_of_all(self) -> Iterator[tuple[int, int]]:
        pixels = self.sizes_of(torch.arange(len(self)))
        return ((height, width) for height, width in pixels.tolist())

    def sizes_of(self, indices: Tensor) -> Tensor:
        """The height and width of some images."""
        assert self.pixels is not None
        rows = self.members.rows
        return self.pixels[indices if rows is None else rows[indices]]

    def which(self) -> str:
        rows = self.members.rows
        if rows is None:
            return self.part
        return f"{len(rows)} of {self.part}: {zlib.crc32(rows.contiguous().numpy().data)}"

    def path(self, index: int) -> str:
        """What names an image in errors."""
        return os.path.join(self.container(index), self.paths[index])

    def content(self, index: int) -> Any:
        image = PackMembers(self.members, self.arrays).content(index)
        if self.first_input is None:
            return image
        others = [(each.input, each.content(index)) for each in self.input_files]
        return Together(((self.first_input, image), *others))

    @property
    def _all(self) -> list[Members]:
        further = [*self.mask_files, *self.image_maps, *self.input_files]
        further += [] if self.target_files is None else [self.target_files]
        return [self.members, *(each.source.members for each in further)]  # type: ignore[attr-defined]

    def labels_file(self, index: int) -> str | None:
        further = self.further or self.input_files
        return "" if further else None

    def name(self, index: int) -> str:
        name = clean(self.paths[index])
        return f"#{name}" if self.numbered else name


@dataclass(frozen=True, eq=False)
class PackMasks:
    """Masks: the class of each pixel, as an image or an array."""

    source: PackMembers
    code: MaskCode
    output: str = ""

    def read(self, index: int) -> Tensor | None:
        content = self.source.content(index)
        if content is None:
            return None
        if isinstance(content, Pixels):
            mask = content.image[0]
            unknown = (mask >= self.code.classes) & (mask != UNLABELLED)
            if unknown.any():
                raise BadImage(f"the mask has the class number {int(mask[unknown][0])}")
            return mask
        return self.code.read(content)

    def file(self, index: int) -> str:
        return ""

    def select(self, indices: Tensor) -> PackMasks:
        return replace(self, source=self.source.select(indices))


@dataclass(frozen=True, eq=False)
class PackTargets(TargetFiles):
    """Images that are to be answered."""

    source: PackMembers

    def content(self, index: int) -> Any:
        return self.source.content(index)

    def file(self, index: int) -> str:
        return ""

    def select(self, indices: Tensor) -> PackTargets:
        return replace(self, source=self.source.select(indices))


@dataclass(frozen=True, eq=False)
class PackMaps(ImageMaps):
    """Images that one of several outputs is to answer."""

    source: PackMembers

    def content(self, index: int) -> Any:
        return self.source.content(index)

    def file(self, index: int) -> str:
        return ""

    def select(self, indices: Tensor) -> PackMaps:
        return replace(self, source=self.source.select(indices))


@dataclass(frozen=True, eq=False)
class PackInputs:
    """The images of a further input of the network."""

    input: NamedInput
    source: PackMembers

    def path(self, index: int) -> str:
        return ""

    def content(self, index: int) -> Any:
        content = self.source.content(index)
        if content is None:
            raise BadImage("there is none")
        return content

    def select(self, indices: Tensor) -> PackInputs:
        return replace(self, source=self.source.select(indices))
