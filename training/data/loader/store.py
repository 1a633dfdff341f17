"""Where batches get their images: decoded in memory, or read from files on demand.

Series and scans have stores of the same kinds (`samples/sample_store.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor

from ....compiler.plan.data import UNLABELLED
from ...augment.random_crop import RandomCrop
from ...augment.random_part import RandomPart
from ...runtime.to_device import to_device
from ..images.check_files import Bad
from ..images.color_modes import in_channels
from ..images.decode import decode
from ..images.image_file import BadImage
from ..images.resize import Fit
from ..samples.sample_fit import SampleFit
from ..samples.sample_source import Samples
from .image_source import Arrays, Files, ImageMaps, ImageSource, MaskReader
from .read_ahead import ahead_of
from .thread_pool import Progress, each, unwatched

NewTensor = Callable[..., Tensor]
"""Makes a tensor of a shape and a `dtype`, whose numbers are not set."""


@dataclass(frozen=True, eq=False)
class InMemory:
    """Images that are decoded once and kept."""

    images: Tensor
    """uint8, images x channels x height x width, on the CPU or the device; float32 if they have
    more than 8 bits. Series and scans have one or three axes, and may be int16, too. The last
    channels may be masks."""
    labels: Tensor
    """On the same device."""
    source: ImageSource

    @classmethod
    def kept(
        cls,
        images: Callable[[], Tensor],
        source: ImageSource,
        device: torch.device,
        together: Callable[[Callable[[], None]], object],
    ) -> InMemory:
        """The images on the device where they are kept. `together` runs a function in all
        processes: if one has no room for the images there, all raise the error."""
        stores: list[InMemory] = []

        def copy() -> None:
            stores.append(cls(images().to(device), source.labels.to(device), source))

        together(copy)
        return stores[0]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def masks(self) -> int:
        """The number of the last channels of `images` that are masks."""
        return self.source.masks

    @property
    def maps(self) -> int:
        """The number of the last channels that are labels behind rows of others."""
        return self.source.further if self.labels.ndim == 2 else 0

    def read(self, index: int) -> Tensor:
        return self.images[index].cpu()

    def chosen(self, indices: Tensor) -> Tensor:
        """Some of the images, on the device where they are kept."""
        return self.images.index_select(0, to_device(indices, self.images.device))

    @property
    def bytes_on_gpu(self) -> int:
        return 0 if self.images.device.type == "cpu" else self.images.nbytes


class SomeInMemory(InMemory):
    """Some of the images of another store, without a copy of them: those of a fold."""

    def __init__(self, whole: InMemory, places: Tensor, source: ImageSource) -> None:
        """`places` are those of the images in `whole`."""
        labels = source.labels.to(whole.labels.device)
        own = {"labels": labels, "source": source, "whole": whole, "places": places}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    whole: InMemory
    places: Tensor

    @property
    def images(self) -> Tensor:
        """A copy of them, for what is done once."""
        return self.whole.chosen(self.places)

    def read(self, index: int) -> Tensor:
        return self.whole.read(int(self.places[index]))

    def chosen(self, indices: Tensor) -> Tensor:
        return self.whole.chosen(self.places[indices])

    @property
    def bytes_on_gpu(self) -> int:
        return self.whole.bytes_on_gpu


@dataclass(frozen=True, eq=False)
class WholeImages:
    """Whole images, from which batches are made each time: resized and center-cropped, or with a
    random crop that differs from epoch to epoch."""

    source: Files | Samples | Arrays
    fit: Fit | SampleFit
    channels: int
    """Those of the image and of its mask, if it has one."""
    crop: RandomCrop | RandomPart | None
    """The random crop of training images that is done when they are read."""
    uncropped: bool = field(default=False, kw_only=True)
    """Whether a batch for evaluation is a whole image, resized but not cropped."""

    def __len__(self) -> int:
        return len(self.source)

    @property
    def labels(self) -> Tensor:
        return self.source.labels

    @property
    def masks(self) -> int:
        """The number of further channels that are masks."""
        return self.source.masks

    @property
    def maps(self) -> int:
        """The number of the last channels that are labels behind rows of others."""
        return self.source.further if self.labels.ndim == 2 else 0

    @property
    def bytes_of_image(self) -> int:
        """The bytes of an image in a batch."""
        sizes = [self.fit.crop, *([self.crop.size] if self.crop is not None else [])]
        return self.channels * max(map(prod, sizes)) * self.bytes_of_number

    @property
    def bytes_of_number(self) -> int:
        assert not isinstance(self.source, Samples)
        return self.source.dtype.itemsize

    @property
    def in_memory(self) -> bool:
        """Whether images are in memory, and need no workers that read them ahead."""
        return False

    def whole(self, index: int) -> Tensor:
        raise NotImplementedError

    def read(self, index: int) -> Tensor:
        """An image, resized and center-cropped. Raises BadImage, since a file may have changed
        after it was checked."""
        with self.named(index):
            return self.fit(self.whole(index), masks=self.source.masks)

    def read_whole(self, index: int) -> Tensor:
        """An image, resized and not cropped. Raises BadImage."""
        with self.named(index):
            return self.fit.whole(self.whole(index), masks=self.source.masks)

    def read_batch(
        self, indices: Sequence[int], epoch: int | None, new: NewTensor = torch.empty
    ) -> Tensor:
        """Images as one tensor, which `new` makes; with the random crops of an epoch, if it is
        given."""
        if self.uncropped and (self.crop is None or epoch is None):
            return torch.stack([self.read_whole(index) for index in indices])
        batch, done = torch.empty(0), 0
        for some in self._some(indices, epoch):
            if not done:
                batch = new((len(indices), *some.shape[1:]), dtype=some.dtype)
            # At once, while the images are in the processor's cache.
            batch[done : done + len(some)] = some
            done += len(some)
        return batch

    def _some(self, indices: Sequence[int], epoch: int | None) -> Iterator[Tensor]:
        """The images of a batch, a few at a time."""
        if self.crop is None or epoch is None:
            yield from (self.read(index)[None] for index in indices)
            return
        for start in range(0, len(indices), _TOGETHER):
            some = indices[start : start + _TOGETHER]
            images = []
            for index in some:
                with self.named(index):
                    images.append(self.whole(index))
            with self.named(some[0]):
                yield self.crop(images, epoch, some, masks=self.source.masks)

    @contextmanager
    def named(self, index: int) -> Iterator[None]:
        """A context whose errors name the file."""
        try:
            yield
        except BadImage as error:
            raise BadImage(f"{self.source.path(index)}: {error.reason}") from None


_TOGETHER = 4
"""The number of whole images in memory at a time: they may be large."""


@dataclass(frozen=True, eq=False)
class OnDisk(WholeImages):
    """Images that are read from their files each time."""

    def whole(self, index: int) -> Tensor:
        assert isinstance(self.source, Files)
        return with_mask(self.source, index, self.channels)


@dataclass(frozen=True, eq=False)
class WholeInMemory(WholeImages):
    """Images of different sizes that are decoded once and kept. They are in one tensor, which
    worker processes can share."""

    pixels: Tensor
    starts: Tensor
    """The place of each image in `pixels`."""
    sizes: Tensor
    """Height and width of each image."""

    def whole(self, index: int) -> Tensor:
        height, width = self.sizes[index].tolist()
        start = int(self.starts[index])
        image = self.pixels[start : start + height * width * self.channels]
        return image.view(height, width, self.channels).permute(2, 0, 1)


Store = InMemory | WholeImages


def with_mask(files: Files, index: int, channels: int) -> Tensor:
    """The whole image of a file; if there are masks or targets, with its masks or its target as the
    last of the `channels`. What is elsewhere, and wrong, is fetched once more. Raises BadImage."""
    try:
        return _with_mask(files, index, channels)
    except BadImage:
        if not files.forget(index):
            raise
    return _with_mask(files, index, channels)


def _with_mask(files: Files, index: int, channels: int) -> Tensor:
    image = decode(files.content(index), channels - files.further, files.depth)
    if files.target_files is not None:
        return files.target_files.with_target(image, index)
    maps = [_image_of(each, index, image) for each in files.image_maps]
    maps += [_mask_of(each, index, image) for each in files.mask_files]
    return torch.cat([image, *maps]) if maps else image


def _image_of(maps: ImageMaps, index: int, image: Tensor) -> Tensor:
    """The image that is to be answered for another; black if there is none, which counts for
    nothing."""
    try:
        answer = maps.read(index)
    except BadImage as error:
        raise BadImage(f"`{maps.output}`: its target: {error.reason}") from None
    if answer is None:
        return image.new_zeros(maps.channels, *image.shape[1:])
    _must_be_as_large(f"`{maps.output}`: its target", answer, image)
    return answer


def _mask_of(masks: MaskReader, index: int, image: Tensor) -> Tensor:
    """One of the masks of an image as a channel; without any label if it has none."""
    output = getattr(masks, "output", "")
    of = f"`{output}`: " if output else ""
    try:
        mask = masks.read(index)
    except BadImage as error:
        about = "" if error.reason.startswith(_OF_MASKS) else "its mask: "
        raise BadImage(f"{of}{about}{error.reason}") from None
    if mask is None:
        return torch.full_like(image[:1], UNLABELLED)
    _must_be_as_large(f"{of}its mask", mask, image)
    return mask[None]


def _must_be_as_large(what: str, answer: Tensor, image: Tensor) -> None:
    (height, width), (tall, broad) = answer.shape[-2:], image.shape[-2:]
    if (height, width) != (tall, broad):
        message = f"{what} has {width} x {height} pixels, and the image {broad} x {tall}"
        raise BadImage(message)


_OF_MASKS = ("the mask", "a mask", "annotation")
"""How reasons begin that say that they are about the mask."""


def whole_in_memory(
    files: Files,
    fit: Fit,
    channels: int,
    crop: RandomCrop | None,
    threads: int,
    *,
    uncropped: bool = False,
    what: str = "reading images",
    progress: Progress = unwatched,
) -> tuple[WholeInMemory, Bad]:
    """Decodes all images in their own size; the bad ones are left out, and returned with the
    reasons."""
    further = crop.fit if crop is not None else None

    def one(index: int) -> Tensor | str:
        try:
            image = with_mask(files, index, channels)
            for each in (fit, *([further] if further is not None else [])):
                each.must_be_bounded(image.shape[-2], image.shape[-1])
        except BadImage as error:
            return error.reason
        return image.permute(1, 2, 0).contiguous()

    results = each(ahead_of(files, range(len(files)), one), len(files), threads, what, progress)
    bad = {index: reason for index, reason in enumerate(results) if isinstance(reason, str)}
    images: list[Any] = [image for image in results if isinstance(image, Tensor)]
    results.clear()
    sizes = torch.tensor([image.shape[:2] for image in images]).view(-1, 2)
    ends = torch.tensor([image.numel() for image in images], dtype=torch.int64).cumsum(0)
    pixels = torch.empty(int(ends[-1]) if images else 0, dtype=files.dtype)
    start = 0
    for place, end in enumerate(ends.tolist()):
        pixels[start:end] = images[place].view(-1)
        images[place], start = None, end
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]])
    left = files.select(torch.tensor([i for i in range(len(files)) if i not in bad]).long())
    store = WholeInMemory(left, fit, channels, crop, pixels, starts, sizes, uncropped=uncropped)
    return store, bad


_SAMPLE = 64


def estimated_bytes(files: Files, channels: int) -> int:
    """About the size of all images when they are decoded in their own size, from some of them."""
    chosen = range(0, len(files), max(1, len(files) // _SAMPLE))
    sizes = []
    for index in chosen:
        with suppress(BadImage):
            image = with_mask(files, index, channels)
            sizes.append(image.numel() * image.itemsize)
    return round(sum(sizes) / max(1, len(sizes)) * len(files))


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
    shape = (len(source), channels, *fit.crop)
    images = torch.empty(shape, dtype=source.dtype) if into is None else into
    indices = range(len(source))[share]

    def one(place: int) -> str:
        index = indices[place]
        try:
            images[index] = fit(with_mask(source, index, channels), masks=source.masks)
        except BadImage as error:
            return error.reason
        return ""

    work = ahead_of(source, indices, one)
    reasons = each(work, len(indices), threads, what, progress)
    return images, {i: reason for i, reason in zip(indices, reasons, strict=True) if reason}


_CHUNK = 1024


def fitted(source: Arrays, fit: Fit, channels: int, into: Tensor | None = None) -> Tensor:
    """Images of an array with their masks, resized and cropped; in `into`, if it is given."""
    images, masks, further = source.images, source.masks, source.further

    def converted(part: Tensor) -> Tensor:
        if not further:
            return in_channels(part, channels).contiguous()
        pixels = in_channels(part[:, :-further], channels - further)
        return torch.cat([pixels, part[:, -further:]], 1)

    if into is None and fit.leaves(images.shape[-2], images.shape[-1]):
        return converted(images)
    shape = (len(images), channels, *fit.crop)
    resized = torch.empty(shape, dtype=images.dtype) if into is None else into
    for start in range(0, len(images), _CHUNK):
        part = images[start : start + _CHUNK]
        resized[start : start + _CHUNK] = fit(converted(part), masks=masks)
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
    assert not isinstance(source, Samples)
    return len(source) * channels * prod(fit.crop) * source.dtype.itemsize
