"""Samples that are read one by one: from files, from a memory map, or of many lengths in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from ...untrusted.bad_file import BadFile
from ...untrusted.npz import map_npy
from ..images.image_file import BadImage
from ..loader.packed_strings import Strings
from ..sources.file_names import clean
from .sample_file import SampleFormat
from .sample_layout import Layout, first_not_finite, plain


class SampleReader(Protocol):
    """Where samples come from."""

    @property
    def in_memory(self) -> bool:
        """Whether all samples are in memory already."""

    def read(self, place: int) -> Tensor:
        """A sample, channels x axes; raises BadImage."""

    def name(self, place: int) -> str:
        """The name of a sample, to be shown."""

    def path(self, place: int) -> str:
        """The file that it is in; its name if there is none."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A part of a data set whose samples are read one by one, and may differ in size."""

    reader: SampleReader
    places: Tensor
    """Where each sample is in the reader."""
    labels: Tensor
    masks: int = 0
    """The number of the last channels that are masks."""
    weights: Tensor | None = None
    """How often each is drawn for training, compared with others; None: equally often."""

    targets: ClassVar[int] = 0
    """Answers are not samples."""

    @property
    def further(self) -> int:
        """The number of the last channels that are not the sample itself."""
        return self.masks

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def root(self) -> str:
        """The folder that names are relative to; empty if there is none."""
        return self.reader.root if isinstance(self.reader, FilesOfSamples) else ""

    def read(self, index: int) -> Tensor:
        return self.reader.read(int(self.places[index]))

    def name(self, index: int) -> str:
        return self.reader.name(int(self.places[index]))

    def path(self, index: int) -> str:
        return self.reader.path(int(self.places[index]))

    def keys(self) -> Iterator[str]:
        return (self.name(index) for index in range(len(self)))

    def select(self, indices: Tensor) -> Samples:
        weights = None if self.weights is None else self.weights[indices]
        return replace(
            self, places=self.places[indices], labels=self.labels[indices], weights=weights
        )


@dataclass(frozen=True, eq=False)
class FilesOfSamples:
    """A file for each sample."""

    root: str
    paths: Strings
    """The path of each file relative to `root`."""
    format: SampleFormat
    in_memory: bool = field(default=False, init=False)

    def read(self, place: int) -> Tensor:
        return self.format.read(self.path(place))

    def name(self, place: int) -> str:
        return clean(self.paths[place])

    def path(self, place: int) -> str:
        return os.path.join(self.root, self.paths[place])


@dataclass(frozen=True, eq=False)
class ListOfSamples:
    """Samples of different lengths in memory."""

    samples: Sequence[Tensor]
    names: Sequence[str]
    file: str
    in_memory: bool = field(default=True, init=False)

    def read(self, place: int) -> Tensor:
        sample = self.samples[place]
        wrong = first_not_finite(sample)
        if wrong:
            raise BadImage(wrong)
        return sample

    def name(self, place: int) -> str:
        return self.names[place]

    def path(self, place: int) -> str:
        return self.file


@dataclass(frozen=True, eq=False)
class MappedSamples:
    """The rows of a .npy file, of which only those are in memory that are being read. Every process
    opens the file by itself."""

    file: str
    layout: Layout
    in_memory: bool = field(default=False, init=False)

    def read(self, place: int) -> Tensor:
        sample = torch.from_numpy(plain(self.layout.arranged(self._rows()[place])))
        wrong = first_not_finite(sample)
        if wrong:
            raise BadImage(wrong)
        return sample

    def name(self, place: int) -> str:
        return f"{clean(Path(self.file).name)}#{place}"

    def path(self, place: int) -> str:
        return self.file

    def _rows(self) -> Any:
        rows = self.__dict__.get("_opened")
        if rows is None:
            rows = mapped(self.file)
            object.__setattr__(self, "_opened", rows)
        return rows

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_opened"}


def mapped(file: str) -> Any:
    """The array of a .npy file, not read into memory; raises BadImage."""
    try:
        return map_npy(Path(file))
    except BadFile as error:
        raise BadImage(f"it {error}") from None
