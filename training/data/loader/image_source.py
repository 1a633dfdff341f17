"""The images of one part of a data set before preprocessing: arrays, or file names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ..sources.file_names import clean
from .packed_strings import Strings


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images of the same size, in memory."""

    images: Tensor
    """uint8, as images x channels x height x width."""
    labels: Tensor
    """The class of each image (int64), or, if it may have several, images x classes (float32)."""
    numbers: Tensor | None = None
    """The indices of the images in their file; None if these are all images of the file."""

    def __len__(self) -> int:
        return len(self.labels)

    def number(self, index: int) -> int:
        return index if self.numbers is None else int(self.numbers[index])

    def name(self, index: int) -> str:
        """The name of an image, to be shown."""
        return f"#{self.number(index)}"

    def keys(self) -> Iterator[str]:
        """A key for each image, which does not depend on the order of the images."""
        return (str(self.number(index)) for index in range(len(self)))

    def without_pixels(self) -> Arrays:
        """The same, with images that take no memory: of a process that sees those of another."""
        return replace(self, images=self.images.to("meta"))

    def select(self, indices: Tensor) -> Arrays:
        numbers = indices if self.numbers is None else self.numbers[indices]
        return Arrays(self.images[indices], self.labels[indices], numbers)


@dataclass(frozen=True, eq=False)
class Files:
    """Image files, whose images may differ in size."""

    root: str
    paths: Strings
    """The path of each file relative to `root`, with `/` between the parts."""
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
    """A data set as its source provides it, before the validation split."""

    name: str
    classes: tuple[str, ...]
    parts: dict[str, ImageSource]
    """`train` always; `val` and `test` if the source has them."""
    origin: str
    """Where the data comes from, in words."""
    licence: str = ""
    notes: tuple[str, ...] = ()
    task: str = "classification"
    """What the labels ask for (`tasks/`)."""


def outline(contents: Contents) -> Contents | None:
    """A data set of arrays without their pixels; None if it has files."""
    parts: dict[str, ImageSource] = {}
    for part, source in contents.parts.items():
        if not isinstance(source, Arrays):
            return None
        parts[part] = source.without_pixels()
    return replace(contents, parts=parts)


def class_counts(labels: Tensor, classes: int) -> tuple[int, ...]:
    """The number of images of each class."""
    if labels.ndim == 2:
        counts: Sequence[float] = labels.sum(0).tolist()
    else:
        counts = labels.bincount(minlength=classes).tolist()
    return tuple(int(count) for count in counts)
