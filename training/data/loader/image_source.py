"""The images of one part of a data set before they are prepared: arrays, or names of files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..sources.file_names import clean
from .packed_strings import Strings


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images of one size, in memory."""

    images: Tensor
    """uint8, as images x channels x height x width."""
    labels: Tensor
    """int64, the class of each; or float32, images x classes, where an image may have several."""
    numbers: Tensor | None = None
    """Which images of the file these are, where they are not all of them."""

    def __len__(self) -> int:
        return len(self.labels)

    def number(self, index: int) -> int:
        return index if self.numbers is None else int(self.numbers[index])

    def name(self, index: int) -> str:
        """How an image is called where it is shown."""
        return f"#{self.number(index)}"

    def keys(self) -> Iterator[str]:
        """What says which image it is, whatever order they come in."""
        return (str(self.number(index)) for index in range(len(self)))

    def select(self, indices: Tensor) -> Arrays:
        numbers = indices if self.numbers is None else self.numbers[indices]
        return Arrays(self.images[indices], self.labels[indices], numbers)


@dataclass(frozen=True, eq=False)
class Files:
    """Images in files of any size."""

    root: str
    paths: Strings
    """Of each file, from `root` on, with `/` between."""
    labels: Tensor

    def __len__(self) -> int:
        return len(self.paths)

    def path(self, index: int) -> str:
        return os.path.join(self.root, self.paths[index])

    def name(self, index: int) -> str:
        return clean(self.paths[index])

    def keys(self) -> Iterator[str]:
        return map(clean, self.paths)

    def select(self, indices: Tensor) -> Files:
        paths = Strings(self.paths[index] for index in indices.tolist())
        return Files(self.root, paths, self.labels[indices])


ImageSource = Arrays | Files


@dataclass(frozen=True, eq=False)
class Contents:
    """A data set as its source has it, not yet divided any further."""

    name: str
    classes: tuple[str, ...]
    parts: dict[str, ImageSource]
    """`train` always; `val` and `test` where the source has them."""
    origin: str
    """Where it is from, in words."""
    licence: str = ""
    notes: tuple[str, ...] = ()
    multi_label: bool = False
    """Whether an image may be of several classes at once."""


def class_counts(labels: Tensor, classes: int) -> tuple[int, ...]:
    """How many images of each class there are."""
    if labels.ndim == 2:
        counts: Sequence[float] = labels.sum(0).tolist()
    else:
        counts = labels.bincount(minlength=classes).tolist()
    return tuple(int(count) for count in counts)
