"""Samples with their masks as a further channel: a class for each step of a series or each voxel of
a scan, in a .npy file that is mapped into memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from torch import Tensor

from ..images.image_file import BadImage
from ..sources.array_masks import MaskNumbers
from .sample_source import SampleReader, mapped


@dataclass(frozen=True, eq=False)
class MappedMasks:
    """The masks of a file, of which only those are in memory that are being read."""

    file: str
    numbers: MaskNumbers

    def read(self, place: int, sizes: tuple[int, ...]) -> Tensor:
        """A mask: uint8, with these axes."""
        rows = self.__dict__.get("_opened")
        if rows is None:
            rows = mapped(self.file)
            object.__setattr__(self, "_opened", rows)
        return torch.from_numpy(self.numbers.of(numpy.asarray(rows[place]))).view(sizes)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}


@dataclass(frozen=True, eq=False)
class MaskedSamples:
    """Samples whose last channel is their mask."""

    samples: SampleReader
    masks: MappedMasks
    in_memory: bool = field(default=False, init=False)

    def read(self, place: int) -> Tensor:
        sample = self.samples.read(place)
        mask = self.masks.read(place, tuple(sample.shape[1:]))
        return with_mask(sample, mask)

    def name(self, place: int) -> str:
        return self.samples.name(place)

    def path(self, place: int) -> str:
        return self.samples.path(place)


def with_mask(sample: Tensor, mask: Tensor) -> Tensor:
    """A sample (channels x axes) and its mask as one tensor, in the number type of the sample,
    which can hold all class numbers. Raises BadImage if their sizes differ."""
    if mask.shape != sample.shape[1:]:
        have, own = ("x".join(map(str, each)) for each in (sample.shape[1:], mask.shape))
        raise BadImage(f"its mask is {own}, and the sample {have}")
    return torch.cat([sample, mask[None].to(sample.dtype)])
