"""The crops of images of a raw pack on a disk, which are mapped into memory: nothing is decoded or
resized, and what a batch needs is copied to its place.

An image takes no longer than a few lines of Python, so little is done for each.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from ..images.resize import Fit
from ..loader.mapped_array import MappedFile, mapped_file
from ..loader.store import OnDisk, WholeImages
from .pack_index import NPY_HEADER
from .packed_files import PackFiles

_SOME = 1024


class _Part(NamedTuple):
    """What is seen of images of some size."""

    numbers: int
    """Those of a whole image."""
    strides: tuple[int, int, int]
    start: int
    """The place of the first number that is seen."""


class MappedCrops:
    """Copies the images of a store."""

    @classmethod
    def of(cls, store: WholeImages) -> MappedCrops | None:
        """None if images are not in memory as batches have them, but for what is cut off at their
        sides."""
        source, fit = store.source, store.fit
        if (
            isinstance(store, OnDisk)
            and not store.uncropped
            and isinstance(source, PackFiles)
            and source.mapped
            and source.known_sizes is not None
            and isinstance(fit, Fit)
            and all(fit.resized(*size) == tuple(size) for size in source.known_sizes.tolist())
        ):
            return cls(store, source, fit)
        return None

    def __init__(self, store: WholeImages, source: PackFiles, fit: Fit) -> None:
        self.shape = (store.channels, *fit.crop)
        self.dtype = source.dtype
        self._store = store
        self._source = source
        self._fit = fit
        # Masks and further inputs come from members of their own.
        self._alone = not source.further and source.first_input is None and source.depth == 8
        self._parts: dict[tuple[int, int], _Part] = {}
        self._files: dict[int, MappedFile] = {}
        self._checked: set[tuple[bytes, int]] = set()
        """Headers that arrays of some size may have."""

    @property
    def bytes_of_all(self) -> int:
        """About those of the images in their files, from some of them."""
        count = len(self._source)
        some = torch.arange(0, count, max(1, count // _SOME))
        return int(self._source.bytes_of(some).double().mean() * count)

    def begin(self) -> None:
        """Before an epoch: if a file has taken the place of another, it is read from then on."""
        self._files = {}

    def ahead(self, indices: Tensor) -> None:
        """Has the system fetch images that will be copied soon, all at once: if it were asked for
        one after the other, the disk would be idle in between."""
        if not hasattr(os, "posix_fadvise"):
            return
        by_file: dict[int, list[tuple[int, int]]] = {}
        for shard, offset, size in self._source.members.some(indices).tolist():
            by_file.setdefault(shard, []).append((offset, size))
        for shard, places in by_file.items():
            with suppress(OSError):  # it is said when an image is read
                descriptor = os.open(self._source.members.shards[shard], os.O_RDONLY)
                try:
                    for offset, size in places:
                        os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_WILLNEED)
                finally:
                    os.close(descriptor)

    def copy(self, indices: Tensor, images: Tensor) -> None:
        """Copies images to their places in a batch. Raises BadImage, which names the image."""
        if not self._alone:
            torch.stack([self._store.read(index) for index in indices.tolist()], out=images)
            return
        places = self._source.members.some(indices).tolist()
        sizes = self._source.sizes_of(indices).tolist()
        # NumPy's copies do not keep other threads waiting, and take one core, unlike torch's.
        to = images.numpy()
        for number, index in enumerate(indices.tolist()):
            shard, offset, size = places[number]
            file = self._files.get(shard) or self._file(index, shard)
            seen = self._seen(file, offset, size, *sizes[number])
            if seen is None:
                images[number] = self._store.read(index)  # gray instead of colors, or damaged
                continue
            to[number] = seen
            # Only now, when it is in memory: to wait for a disk here keeps other threads waiting.
            header = bytes(file.memory[offset : offset + NPY_HEADER])
            if (header, size) not in self._checked:
                with self._store.named(index):
                    file.array(offset, size)
                self._checked.add((header, size))

    def _seen(
        self, file: MappedFile, offset: int, size: int, height: int, width: int
    ) -> numpy.ndarray | None:
        """What is seen of an image, if it has the size that it should have; nothing is read yet."""
        part = self._parts.get((height, width)) or self._part(height, width)
        if part.numbers != size - NPY_HEADER or offset + size > file.size:
            return None
        start = offset + NPY_HEADER + part.start
        return numpy.ndarray(self.shape, numpy.uint8, file.memory, start, part.strides)

    def _part(self, height: int, width: int) -> _Part:
        channels = self.shape[0]
        top, left = self._fit.offset(height, width)
        part = _Part(channels * height * width, (height * width, width, 1), top * width + left)
        self._parts[height, width] = part
        return part

    def _file(self, index: int, shard: int) -> MappedFile:
        with self._store.named(index):
            file = mapped_file(self._source.members.shards[shard])
        self._files[shard] = file
        return file
