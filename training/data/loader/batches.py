"""Batches of uint8 images on the device, with their labels and indices.

    for images, labels, indices in batches(epoch):
        …

In training, images are shuffled by seed and epoch, each process gets its share of every batch, and
an epoch can be continued from any position. In evaluation, every image comes once and in order, and
each process gets a range of the images.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ...restoration.input_and_target import InputAndTarget
from ...runtime.to_device import to_device
from ...tasks.rows_with_maps import with_maps
from ..packs.mapped_crops import MappedCrops
from .epoch_order import EpochOrder, epoch_order, own_positions
from .mapped_stream import MappedStream
from .order import Sharing, batch_count, next_size, shared, spans
from .store import InMemory, Store
from .windowed_order import ShuffleWindow
from .worker_processes import Stream


class Batch(NamedTuple):
    images: Tensor
    labels: Tensor
    """A class, or a row of numbers, for each image; or its mask or the image to answer, uint8. Of a
    network with several outputs, a row, with its images and masks behind it."""
    indices: Tensor
    """Indices of the images in the part, int64, on the CPU: the random numbers of an image depend
    on these, and the augmentation reads some of them."""


class State(NamedTuple):
    """The progress of an epoch; all batches that were returned, the current one included, count as
    done."""

    epoch: int
    position: int
    """The number of images that are done, in all processes together."""


ALONE = Sharing()
_TOGETHER = 2**14
"""Indices and labels are looked up for at least this number of images at a time."""


class _Planned(NamedTuple):
    """A batch before its images are read."""

    indices: Tensor
    labels: Tensor
    position: int
    """The number of images that are done after it, in all processes together."""
    together: int
    """Its size in all processes."""
    own: int
    """The number of images that count in this process."""


class _Cut(NamedTuple):
    """A batch as positions in the order of an epoch."""

    positions: Tensor
    done: int
    """The number of images that are done after it."""
    together: int
    own: int


class Batches:
    """Iterates over the batches of a part of the data, epoch by epoch."""

    def __init__(
        self,
        store: Store,
        batch: int,
        device: torch.device,
        *,
        shuffle: bool,
        seed: int = 0,
        drop_last: bool = False,
        sharing: Sharing = ALONE,
        workers: int = 0,
        local: int = 1,
        machine: Sharing = ALONE,
        window: ShuffleWindow | None = None,
        random_crops: bool = False,
        pairs: InputAndTarget | None = None,
    ) -> None:
        """`local` is the number of processes on this machine; `machine` is the rank among them, if
        their ranks follow each other (`Processes.machine`). `window`: images are shuffled within
        it, not over the whole set. With `random_crops`, images are
        those of training: cut at random when they are read, if the plan says so. `pairs`: labels
        are images; in training, inputs are made from the images after augmentation."""
        self.store = store
        self.batch = batch
        """The batch size of all processes together; each process gets its share."""
        self.device = device
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.sharing = sharing
        self.guests = 0
        """In training, the number of extra images at the end of each batch: the next ones in the
        order, which mixup and CutMix need."""
        self.state = State(0, 0)
        self.chosen: Tensor | None = None
        """In evaluation, the indices of the images to read if that is not all of them."""
        self.together = 0
        """The number of images in the last batch, in all processes together."""
        self.own = 0
        """The number of this process's images in the last batch, without guests. It is 0 in
        training where a batch has fewer images than there are processes: the batch then has an
        image of another process in their place, so that its size is not 0."""
        self.waited = 0.0
        """The seconds of the last epoch that were spent waiting for images."""
        self._began, self._ended = 0.0, 0.0
        """When the last epoch did; while it goes on, it ends in an infinite time."""
        self._random_crops = random_crops
        self._machine = machine
        self._window = window
        self._pairs = pairs
        self._stream: Stream | MappedStream | None = None
        if not isinstance(store, InMemory):
            uncut = store.crop is None or not random_crops
            mapped = MappedCrops.of(store) if workers and uncut else None
            if mapped is not None:
                self._stream = MappedStream(mapped, device, workers, local)
            else:
                self._stream = Stream(store, device, 0 if store.in_memory else workers, local)

    @property
    def elsewhere(self) -> bool:
        """Whether images are read from elsewhere, which may take long."""
        return isinstance(self._stream, Stream) and self._stream.elsewhere

    @property
    def least(self) -> int:
        """The number of images of the last batch in the process that has fewest of them; at least
        the one that stands for them."""
        return max(1, self.together // self.sharing.world)

    @property
    def elapsed(self) -> float:
        """The seconds of the last epoch until now, with what was done with its batches."""
        return min(self._ended, time.perf_counter()) - self._began

    @property
    def waiting(self) -> float:
        """The share of the epoch's time that was spent waiting for images."""
        return self.waited / self.elapsed if self.elapsed else 0.0

    def __len__(self) -> int:
        """The number of batches of a whole epoch, for this process."""
        if self.shuffle:
            return batch_count(len(self.store), self.batch, self.drop_last)
        count = len(self.store) if self.chosen is None else len(self.chosen)
        mine = shared(0, count, *self.sharing)
        return batch_count(mine.stop - mine.start, self._own_batch)

    @property
    def full(self) -> int:
        """The number of images of all batches of this process but, perhaps, the last ones."""
        count = len(self.store)
        if self.shuffle:
            together = next_size(count, self.batch, self.drop_last)
            own = shared(0, together, *self.sharing)
            return len(range(count)[own])
        mine = shared(0, count, *self.sharing)
        return min(self._own_batch, len(range(count)[mine]))

    def __call__(self, epoch: int = 0, position: int = 0) -> Generator[Batch]:
        """The batches of an epoch, starting at a position."""
        self.waited = 0.0
        self.state = State(epoch, position)
        self._began, self._ended = time.perf_counter(), math.inf
        planned, ahead = itertools.tee(self._planned(epoch, position))
        source = self._read((batch.indices for batch in ahead), epoch)
        try:
            for indices, labels, position_after, together, own in planned:
                requested = time.perf_counter()
                batch = self._batch(next(source), labels, indices)
                self.state = State(epoch, position_after)
                self.together, self.own = together, own
                self.waited += time.perf_counter() - requested
                yield batch
        finally:
            self._ended = time.perf_counter()
            source.close()

    def again(self, labels: Tensor, indices: Tensor) -> Batch:
        """A batch of the current epoch, read once more: its images need not be kept for that."""
        if isinstance(self.store, InMemory):
            (images,) = self._read(iter([indices]), self.state.epoch)
        else:
            epoch = self.state.epoch if self._random_crops else None
            images = to_device(self.store.read_batch(indices.tolist(), epoch), self.device)
        return self._batch(images, labels, indices)

    def close(self) -> None:
        """Ends the worker processes."""
        if self._stream is not None:
            self._stream.close()

    # ---- which images ----

    @property
    def _own_batch(self) -> int:
        return max(1, self.batch // self.sharing.world)

    def _planned(self, epoch: int, position: int) -> Iterator[_Planned]:
        """The batches of an epoch, made up as they are needed: a set may be too large for a list of
        all."""
        at: Callable[[Tensor], Tensor]
        if self.shuffle:
            weights = self.store.source.weights
            order = epoch_order(len(self.store), weights, self._window, self.seed, epoch)
            plan, at = self._training(order, position), order.at
        else:
            plan, chosen = self._evaluation(position), self.chosen
            at = _unchanged if chosen is None else chosen.__getitem__
        while some := _some(plan):
            sizes = [len(each.positions) for each in some]
            indices = at(torch.cat([each.positions for each in some]))
            # Labels are small: they are copied to the device for many batches at once.
            labels = torch.split(self._labels(indices), sizes)
            for own, label, each in zip(torch.split(indices, sizes), labels, some, strict=True):
                yield _Planned(own, label, each.done, each.together, each.own)

    def _evaluation(self, position: int) -> Iterator[_Cut]:
        count = len(self.store) if self.chosen is None else len(self.chosen)
        mine = shared(0, count, *self.sharing)
        for start in range(mine.start + position, mine.stop, self._own_batch):
            stop = min(start + self._own_batch, mine.stop)
            yield _Cut(torch.arange(start, stop), stop - mine.start, stop - start, stop - start)

    def _training(self, order: EpochOrder, position: int) -> Iterator[_Cut]:
        """The same, where each process has a share of every batch; sizes are of all processes
        together."""
        count = len(self.store)
        for span in spans(count, self.batch, position, self.drop_last):
            share = span.share(*self.sharing)
            positions = own_positions(order, count, span, self.guests, self.sharing, self._machine)
            yield _Cut(positions, span.stop, span.stop - span.start, share.stop - share.start)

    # ---- their pixels ----

    def _read(self, places: Iterator[Tensor], epoch: int) -> Generator[Tensor]:
        if self._stream is not None:
            yield from self._stream(places, epoch if self._random_crops else None)
            return
        assert isinstance(self.store, InMemory)
        for indices in places:
            yield to_device(self.store.chosen(indices), self.device)

    def _batch(self, images: Tensor, labels: Tensor, indices: Tensor) -> Batch:
        """A batch; where labels are masks or images, they come as channels of the images."""
        if self._pairs is not None:
            if self.shuffle or self._random_crops:
                images, labels = self._pairs.split(images)
            else:
                images, labels = self._pairs.evaluated(images, indices)
            return Batch(images, labels, indices)
        masks, maps = self.store.masks, self.store.maps
        if maps:
            rows = labels[:, : self.store.labels.shape[1]]
            return Batch(images[:, :-maps], with_maps(rows, images[:, -maps:]), indices)
        if masks:
            images, labels = images[:, :-masks], images[:, -masks:].squeeze(1).to(torch.uint8)
        return Batch(images, labels, indices)

    def _labels(self, order: Tensor) -> Tensor:
        labels = self.store.labels
        return labels[order.to(labels.device)].to(self.device)


def _some(plan: Iterator[_Cut]) -> list[_Cut]:
    """The next batches of a plan, until they have enough images."""
    some, images = [], 0
    for each in plan:
        some.append(each)
        images += len(each.positions)
        if images >= _TOGETHER:
            break
    return some


def _unchanged(positions: Tensor) -> Tensor:
    return positions
