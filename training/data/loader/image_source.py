"""The images of one part of a data set before preprocessing: arrays, or file names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ....compiler.plan.plan import NamedInput
from ...tasks.answer import NO_SCALE, Answer, Scale
from ..images.checked_files import Mark, mark
from ..images.decode import Pixels, Together, decode
from ..images.image_file import BadImage
from ..images.mask_file import MaskCode
from ..images.resize import resized
from ..left_out import BadFile
from ..packs.kept_results import KeptResults
from ..samples.sample_source import Samples
from ..sources.file_names import clean
from .packed_strings import Strings


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images of the same size, in memory."""

    images: Tensor
    """As images x channels x height x width: uint8, or float32 if images have more than 8 bits.
    Series and scans have one or three axes, and may be int16, too."""
    labels: Tensor
    """The class of each image (int64), or, if it may have several, images x classes (float32)."""
    numbers: Tensor | None = None
    """The indices of the images in their file; None if these are all images of the file."""
    masks: int = 0
    """The number of the last channels of `images` that are masks: the class of each pixel."""
    weights: Tensor | None = None
    """How often each image is drawn for training, compared with others; None: equally often."""
    targets: int = 0
    """The number of the last channels of `images` that are the image to answer."""

    @property
    def dtype(self) -> torch.dtype:
        return self.images.dtype

    @property
    def further(self) -> int:
        """The number of the last channels that are not the image itself."""
        return self.masks + self.targets

    def __len__(self) -> int:
        return len(self.labels)

    def number(self, index: int) -> int:
        return index if self.numbers is None else int(self.numbers[index])

    def name(self, index: int) -> str:
        """The name of an image, to be shown."""
        return f"#{self.number(index)}"

    def path(self, index: int) -> str:
        """What names it in errors: it has no file."""
        return self.name(index)

    def keys(self) -> Iterator[str]:
        """A key for each image, which does not depend on the order of the images."""
        return (str(self.number(index)) for index in range(len(self)))

    def without_pixels(self) -> Arrays:
        """The same, with images that take no memory: of a process that sees those of another."""
        return replace(self, images=self.images.to("meta"))

    def select(self, indices: Tensor) -> Arrays:
        numbers = indices if self.numbers is None else self.numbers[indices]
        return replace(
            self,
            images=self.images[indices],
            labels=self.labels[indices],
            numbers=numbers,
            weights=None if self.weights is None else self.weights[indices],
        )


@dataclass(frozen=True, eq=False)
class Files:
    """Image files, whose images may differ in size."""

    root: str
    paths: Strings
    """The path of each file relative to `root`, with `/` between the parts."""
    labels: Tensor
    mask_files: tuple[MaskReader, ...] = ()
    """The masks of the images, in the same order; of a network with several outputs, those of each
    output that answers with a mask. Empty if labels are not masks."""
    weights: Tensor | None = None
    """How often each image is drawn for training, compared with others; None: equally often."""
    target_files: TargetFiles | None = None
    """The images to answer, in the same order; None if labels are not images in files."""
    first_input: NamedInput | None = None
    """For a network with several inputs, which of them these files are."""
    input_files: tuple[InputReader, ...] = ()
    """For a network with several inputs, the files of the others."""
    image_maps: tuple[ImageMaps, ...] = ()
    """The images to answer, in the same order, of each of several outputs that answers with one."""
    depth: int = 8
    """The bits of a channel that are read: 8, 16, or 32 for numbers in units of their own."""
    kept: KeptResults | None = field(default=None, kw_only=True)
    """What has been computed of these images before, if they are of a pack."""

    @property
    def dtype(self) -> torch.dtype:
        """That of images in memory, and of their masks beside them."""
        return torch.float32 if self.depth > 8 else torch.uint8

    @property
    def masks(self) -> int:
        """The number of further channels that are masks: the class of each pixel."""
        return len(self.mask_files)

    @property
    def targets(self) -> int:
        """The number of further channels that are the image to answer, or several."""
        own = 0 if self.target_files is None else self.target_files.channels
        return own + sum(each.channels for each in self.image_maps)

    @property
    def further(self) -> int:
        """The number of channels beside those of the image itself."""
        return self.masks + self.targets

    def __len__(self) -> int:
        return len(self.paths)

    def path(self, index: int) -> str:
        return os.path.join(self.root, self.paths[index])

    def container(self, index: int) -> str:
        """The path of the file that has an image, if others are in it, too."""
        return self.path(index)

    def content(self, index: int) -> str | bytes | Pixels | Together:
        """What an image is decoded from: its path, or the bytes of its file; for several inputs,
        the paths of all. Raises BadImage."""
        if self.first_input is None:
            return self.path(index)
        others = [(each.input, each.content(index)) for each in self.input_files]
        return Together(((self.first_input, self.path(index)), *others))

    @property
    def known_sizes(self) -> Tensor | None:
        """The different sizes (height and width) of the images, if all are known to be readable;
        there may be some that none of these images has."""
        return None

    def which(self) -> str:
        """What tells these images from others of their pack."""
        return ""

    def sizes_of_all(self) -> Iterator[tuple[int, int]]:
        """The size of each image, if they are known."""
        return iter(())

    def photograph(self, index: int) -> Any:
        """The same for a network with one input."""
        content = self.content(index)
        assert not isinstance(content, Together)
        return content

    def labels_file(self, index: int) -> str | None:
        """The path of the mask of an image, or of its target; None if it has neither, and empty if
        that has no file of its own, if there are several, or if there are further inputs, too."""
        further: list[MaskReader | TargetFiles | ImageMaps] = [*self.mask_files, *self.image_maps]
        further += [self.target_files] if self.target_files is not None else []
        if self.input_files or len(further) > 1:
            return ""
        return further[0].file(index) if further else None

    def mark(self, index: int) -> Mark | None:
        """What tells one version of an image's file from another; None if nothing does."""
        return mark(os.path.abspath(self.container(index)), self.labels_file(index))

    @property
    def elsewhere(self) -> bool:
        """Whether files are not on a disk, so that reading ahead pays off."""
        return False

    @property
    def mapped(self) -> bool:
        """Whether images are arrays that are mapped into memory: nothing is decoded."""
        return False

    def bytes_of(self, indices: Tensor) -> Tensor:
        """The bytes of some files elsewhere."""
        return torch.zeros(len(indices))

    def ahead(self, indices: Sequence[int]) -> None:
        """Begins to fetch files that will be read soon, in this order."""

    def forget(self, index: int) -> bool:
        """Has a file whose bytes are wrong fetched again, if it is elsewhere; else False."""
        return False

    def name(self, index: int) -> str:
        return clean(self.paths[index])

    def keys(self) -> Iterator[str]:
        return map(clean, self.paths)

    def select(self, indices: Tensor) -> Files:
        targets = None if self.target_files is None else self.target_files.select(indices)
        return replace(
            self,
            paths=self.paths.select(indices),
            labels=self.labels[indices],
            mask_files=tuple([each.select(indices) for each in self.mask_files]),
            target_files=targets,
            image_maps=tuple([each.select(indices) for each in self.image_maps]),
            input_files=tuple([each.select(indices) for each in self.input_files]),
            weights=None if self.weights is None else self.weights[indices],
        )


class InputFiles(NamedTuple):
    """The files of a further input of the network, in the order of the first."""

    input: NamedInput
    root: str
    paths: Strings
    """The path of each relative to `root`."""

    def path(self, index: int) -> str:
        return os.path.join(self.root, self.paths[index])

    def content(self, index: int) -> Any:
        """What the image is decoded from."""
        return self.path(index)

    def select(self, indices: Tensor) -> InputFiles:
        return self._replace(paths=self.paths.select(indices))


class InputReader(Protocol):
    """The images of a further input of the network, in the order of the first."""

    @property
    def input(self) -> NamedInput: ...

    def path(self, index: int) -> str:
        """What names an image in errors."""

    def content(self, index: int) -> Any:
        """What an image is decoded from."""

    def select(self, indices: Tensor) -> InputReader:
        """Those of some of the samples."""


class MaskReader(Protocol):
    """Reads the masks of images, in their order; `output` is that which answers with them, if there
    are several."""

    def read(self, index: int) -> Tensor | None:
        """The class of each pixel of an image: uint8, height x width; None if it has no mask, which
        is no mistake where there are other labels. Raises BadImage."""

    def file(self, index: int) -> str:
        """The path of a mask; empty if it has no file of its own."""

    def select(self, indices: Tensor) -> MaskReader:
        """The masks of some of the images."""


@dataclass(frozen=True, eq=False)
class MaskFiles:
    """The masks of image files, each in a file of its own."""

    root: str
    paths: Strings
    """The path of each mask relative to `root`; empty if an image has none."""
    code: MaskCode
    output: str = ""
    """The output that answers with them, if there are several."""

    def read(self, index: int) -> Tensor | None:
        path = self.file(index)
        return self.code.read(path) if path else None

    def file(self, index: int) -> str:
        path = self.paths[index]
        return os.path.join(self.root, path) if path else ""

    def select(self, indices: Tensor) -> MaskFiles:
        return replace(self, paths=self.paths.select(indices))


@dataclass(frozen=True, eq=False)
class ImageMaps:
    """The images that one of several outputs is to answer, each in a file of its own."""

    root: str
    paths: Strings
    """The path of each relative to `root`; empty if an image has none."""
    channels: int
    output: str
    """The output that answers with them."""

    def read(self, index: int) -> Tensor | None:
        """The image to answer: uint8, channels x height x width; None if there is none. Raises
        BadImage."""
        source = self.content(index)
        return decode(source, self.channels) if source else None

    def content(self, index: int) -> Any:
        """What an image is decoded from; nothing if there is none."""
        return self.file(index)

    def file(self, index: int) -> str:
        path = self.paths[index]
        return os.path.join(self.root, path) if path else ""

    def select(self, indices: Tensor) -> ImageMaps:
        return replace(self, paths=self.paths.select(indices))


@dataclass(frozen=True, eq=False)
class TargetFiles:
    """The images that are to be answered, each in a file of its own."""

    root: str
    paths: Strings
    """The path of each relative to `root`."""
    channels: int
    enlarges: int
    """How many times larger they are than the input of the network."""

    def with_target(self, image: Tensor, index: int) -> Tensor:
        """An image (uint8, C x H x W) with its target as further channels, at the size of the
        target: the pixels of a smaller image are repeated. Raises BadImage."""
        try:
            target = decode(self.content(index), self.channels)
        except BadImage as error:
            raise BadImage(f"its target: {error.reason}") from None
        return with_target(image, target, self.enlarges)

    def content(self, index: int) -> Any:
        """What a target is decoded from."""
        return self.file(index)

    def file(self, index: int) -> str:
        return os.path.join(self.root, self.paths[index])

    def select(self, indices: Tensor) -> TargetFiles:
        return replace(self, paths=self.paths.select(indices))


def with_target(image: Tensor, target: Tensor, enlarges: int) -> Tensor:
    """Images with their targets as further channels (uint8, … x C x H x W). Raises BadImage if the
    sizes do not fit."""
    have, size = image.shape[-2:], target.shape[-2:]
    wanted = size[0] // enlarges, size[1] // enlarges
    times = wanted[0] // have[0]
    whole = (wanted[0] * enlarges, wanted[1] * enlarges) == (*size,)
    if not times or not whole or wanted != (times * have[0], times * have[1]):
        larger = "as large as the image" if enlarges == 1 else f"{enlarges} times as large"
        raise BadImage(
            f"its target has {size[1]} x {size[0]} pixels, and the image {have[1]} x {have[0]}; the"
            f" network's answer is {larger}"
        )
    if times > 1:  # the network does not enlarge images by as much as the data asks for
        image = resized(image, wanted, "bicubic")
    if enlarges > 1:
        image = image.repeat_interleave(enlarges, -2).repeat_interleave(enlarges, -1)
    return torch.cat([image, target], -3)


ImageSource = Arrays | Files | Samples


class Absent(NamedTuple):
    """Training images that a pack lacks, since they could not be read. Validation images are drawn
    as if they were there, so that they are those of the data that was packed."""

    keys: tuple[str, ...]
    labels: Tensor
    groups: tuple[str, ...] = ()


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
    answers: tuple[Answer, ...] = ()
    """Of a network with several outputs: what the labels of each are; they are rows of `labels`."""
    scale: Scale = NO_SCALE
    """By which numbers are standardized; labels are standardized already."""
    groups: Sequence[str] = ()
    """The group of each training image; a group is never split apart. Empty without groups."""
    bad: tuple[BadFile, ...] = ()
    """Images that were left out when labels were read, each with the reason."""
    noun: str = "image"
    """What one of them is called: `image`, `series`, `scan`, `clip`."""
    rate: int | None = None
    """The samples of sound in a second, if it is sound."""
    depth: int = 8
    """Of images in arrays, the bits of a channel; those of files are looked at later."""
    kept: KeptResults | None = None
    """What has been computed of the data set before, if it is a pack."""
    absent: Absent | None = None
    """Of a pack: what is missing among the training images."""


def outline(contents: Contents) -> Contents | None:
    """A data set of arrays without their pixels; None if it has files."""
    parts: dict[str, ImageSource] = {}
    for part, source in contents.parts.items():
        if not isinstance(source, Arrays):
            return None
        parts[part] = source.without_pixels()
    return replace(contents, parts=parts)


def class_counts(labels: Tensor, classes: int) -> tuple[int, ...]:
    """The number of images of each class; where it is not known (NaN), an image does not count."""
    if labels.ndim == 2:
        counts: Sequence[float] = labels.nan_to_num(0.0).sum(0).tolist()
    else:
        counts = labels.bincount(minlength=classes).tolist()
    return tuple(int(count) for count in counts)
