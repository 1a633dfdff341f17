"""Batches of images that are mapped into memory: threads copy them to their places.

Worker processes would only copy them once more, and hand them over in memory that is new each time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from ..images.image_file import BadImage
from ..packs.mapped_crops import MappedCrops
from ..sources.file_names import clean
from .memory_budget import free_memory, shared_budget
from .worker_processes import unreadable

AHEAD = 2
"""The number of batches that are read ahead, if there is memory for them."""
_FEWEST, _MOST = 16, 64
"""The number of images that a thread copies at a time."""


class _Begun(NamedTuple):
    """A batch whose images are being copied."""

    images: Tensor
    parts: list[Future[None]]


class MappedStream:
    """Copies the batches of a store in the requested order, with as many threads as there would be
    worker processes."""

    def __init__(
        self, crops: MappedCrops, device: torch.device, threads: int, local: int = 1
    ) -> None:
        """`local` is the number of processes on this machine, which share its memory."""
        self.device = device
        self._crops = crops
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "images")
        self._budget = shared_budget(local)
        self._stay = crops.bytes_of_all <= free_memory() // 2
        """Whether the system keeps all images in memory once they have been read."""
        self._are_there = False

    def __call__(self, plan: Iterator[Tensor], epoch: int | None = None) -> Iterator[Tensor]:
        """The images of each batch. The plan may be long: it is followed as images are
        requested."""
        self._crops.begin()
        begun: deque[_Begun] = deque()
        try:
            for indices in plan:
                begun.append(self._begin(indices))
                fit = self._budget // max(1, begun[0].images.nbytes) - 1
                if len(begun) > max(1, min(AHEAD, fit)):
                    yield self._finished(begun.popleft())
            while begun:
                yield self._finished(begun.popleft())
            self._are_there = self._stay
        finally:
            for part in (part for each in begun for part in each.parts):
                part.cancel()

    def _begin(self, indices: Tensor) -> _Begun:
        # Made in this thread, where the allocator has the memory of earlier batches at hand.
        with torch.inference_mode(False):  # which other threads are not in, that fill it
            images = torch.empty(
                (len(indices), *self._crops.shape),
                dtype=self._crops.dtype,
                pin_memory=self.device.type == "cuda",
            )
        parts = []
        if not self._are_there:
            parts.append(self._pool.submit(self._crops.ahead, indices))
        size = max(_FEWEST, min(_MOST, -(-len(indices) // self._threads)))
        each = zip(torch.split(indices, size), torch.split(images, size), strict=True)
        parts += [self._pool.submit(self._crops.copy, *some) for some in each]
        return _Begun(images, parts)

    def _finished(self, batch: _Begun) -> Tensor:
        try:
            for part in batch.parts:
                part.result()
        except BadImage as error:
            raise unreadable(clean(error.reason)) from None
        return batch.images.to(self.device, non_blocking=True)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(cancel_futures=True)
