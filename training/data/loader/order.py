"""The order of images in an epoch, and its batches, for any number of workers and processes.

The order depends only on the seed and the epoch. It is cut into batches, and each batch is divided
among the processes. So a position in the epoch, counted in images, has the same meaning for any
number of processes, also when a run is resumed with another number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple, overload

import torch
from torch import Tensor


def permutation(count: int, seed: int, epoch: int) -> Tensor:
    """The numbers from 0 to count - 1, shuffled."""
    digest = sha256(f"order/{seed}/{epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randperm(count, generator=generator)


def weighted(weights: Tensor, seed: int, epoch: int) -> Tensor:
    """As many numbers as there are weights, shuffled. Each comes as often as its weight says: its
    share, rounded up or down at random; with equal weights, once."""
    count = len(weights)
    digest = sha256(f"weighted/{seed}/{epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    mixed = torch.randperm(count, generator=generator)  # so that neighbors do not exclude another
    ends = weights[mixed].double().cumsum(0)
    start = torch.rand(1, generator=generator, dtype=torch.float64)
    marks = (torch.arange(count, dtype=torch.float64) + start) * (ends[-1] / count)
    below = torch.nextafter(ends[-1], torch.zeros_like(ends[-1]))
    places = torch.searchsorted(ends, marks.clamp(max=below), right=True)
    return mixed[places][torch.randperm(count, generator=generator)]


def sample(count: int, most: int) -> Tensor:
    """The numbers from 0 to count - 1 in order: all of them, or as many as `most` chosen at random,
    the same every time."""
    if count <= most:
        return torch.arange(count)
    return permutation(count, seed=0, epoch=0)[:most].sort().values


def next_size(left: int, batch: int, drop_last: bool = False) -> int:
    """The size of the next batch, when `left` images are left; 0 at the end of the epoch.

    A last batch of less than a quarter of the batch size is avoided: its few images would have as
    much effect on the weights as a full batch, and some processes might get none of them. Then the
    last two batches divide their images evenly.
    """
    if drop_last:
        return batch if left >= batch else 0
    if left <= batch:
        return left
    return (left + 1) // 2 if 4 * (left - batch) < batch else batch


class Sharing(NamedTuple):
    """The rank of this process, and the number of processes."""

    rank: int = 0
    world: int = 1


class Span(NamedTuple):
    """A batch of all processes together, as a range of the order of the epoch."""

    start: int
    stop: int

    def share(self, rank: int, world: int) -> slice:
        """The share of one process: equal shares, of which the first may be larger by one image."""
        return shared(self.start, self.stop, rank, world)


def shared(start: int, stop: int, rank: int, world: int) -> slice:
    each, more = divmod(stop - start, world)
    first = start + rank * each + min(rank, more)
    return slice(first, first + each + (rank < more))


def spans(count: int, batch: int, start: int = 0, drop_last: bool = False) -> Iterator[Span]:
    """The batches of an epoch, starting at a position."""
    while size := next_size(count - start, batch, drop_last):
        yield Span(start, start + size)
        start += size


class BatchSizes(Sequence[int]):
    """The sizes of the batches of an epoch, starting at a position; without a list of them, since
    they are many."""

    def __init__(self, count: int, batch: int, start: int = 0, drop_last: bool = False) -> None:
        self._batch = batch
        self._full = max(0, (count - start) // batch - 1)
        """At least this number of batches is full."""
        start += self._full * batch
        self._last = [span.stop - span.start for span in spans(count, batch, start, drop_last)]

    def __len__(self) -> int:
        return self._full + len(self._last)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if isinstance(place, slice):
            return [self[each] for each in range(len(self))[place]]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._batch if place < self._full else self._last[place - self._full]

    @property
    def least(self) -> int:
        """The size of the smallest batch; 0 if there is none."""
        return min([self._batch] * (self._full > 0) + self._last, default=0)


def batch_count(count: int, batch: int, drop_last: bool = False) -> int:
    """The number of batches of a whole epoch."""
    return count // batch if drop_last else -(-count // batch)
