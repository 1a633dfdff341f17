"""Where batches get their images: decoded in memory, or read from files on demand."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..images.check_files import Bad
from ..images.color_modes import in_channels
from ..images.decode import decode
from ..images.image_file import BadImage
from ..images.resize import Fit
from .image_source import Files, ImageSource
from .thread_pool import Progress, each, unwatched


@dataclass(frozen=True, eq=False)
class InMemory:
    """Images that are decoded once and kept."""

    images: Tensor
    """uint8, images x channels x height x width, on the CPU or the device."""
    labels: Tensor
    """On the same device."""
    source: ImageSource

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, index: int) -> Tensor:
        return self.images[index].cpu()


@dataclass(frozen=True, eq=False)
class OnDisk:
    """Images that are read from their files each time."""

    source: Files
    fit: Fit
    channels: int

    def __len__(self) -> int:
        return len(self.source)

    @property
    def labels(self) -> Tensor:
        return self.source.labels

    @property
    def bytes_of_image(self) -> int:
        return self.channels * self.fit.crop[0] * self.fit.crop[1]

    def read(self, index: int) -> Tensor:
        """Reads an image. Raises BadImage, since a file may have changed after it was checked."""
        try:
            return self.fit(decode(self.source.path(index), self.channels))
        except BadImage as error:
            raise BadImage(f"{self.source.path(index)}: {error.reason}") from None


Store = InMemory | OnDisk


def decoded(
    source: Files,
    fit: Fit,
    channels: int,
    threads: int,
    *,
    what: str = "reading images",
    progress: Progress = unwatched,
    into: Tensor | None = None,
    share: slice = slice(None),
) -> tuple[Tensor, Bad]:
    """Decodes all images of files, or some of them, to their places in `into`, if it is given. The
    places of bad images are left empty; they are returned with the reasons."""
    images = (
        torch.empty((len(source), channels, *fit.crop), dtype=torch.uint8) if into is None else into
    )
    indices = range(len(source))[share]

    def one(place: int) -> str:
        index = indices[place]
        try:
            images[index] = fit(decode(source.path(index), channels))
        except BadImage as error:
            return error.reason
        return ""

    reasons = each(one, len(indices), threads, what, progress)
    return images, {i: reason for i, reason in zip(indices, reasons, strict=True) if reason}


_CHUNK = 1024


def fitted(images: Tensor, fit: Fit, channels: int) -> Tensor:
    """Images of an array, resized and cropped."""
    if fit.leaves(images.shape[-2], images.shape[-1]):
        return in_channels(images, channels).contiguous()
    resized = torch.empty((len(images), channels, *fit.crop), dtype=torch.uint8)
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK]
        resized[start : start + _CHUNK] = fit(in_channels(part, channels).contiguous())
    return resized


def without(images: Tensor, bad: Bad) -> Tensor:
    """The images without the bad ones; the others are moved together in place."""
    if not bad:
        return images
    keep = [index for index in range(len(images)) if index not in bad]
    for to, place in enumerate(keep):
        if to != place:
            images[to] = images[place]
    return images[: len(keep)]


def bytes_of(source: ImageSource, fit: Fit, channels: int) -> int:
    """The size of a source's images in bytes when they are decoded."""
    return len(source) * channels * fit.crop[0] * fit.crop[1]
