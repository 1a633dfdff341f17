"""Which images come when: arithmetic, the same for any number of workers and processes.

The order of an epoch depends on seed and epoch alone. It is cut into batches of all processes
together, each of which is shared out; so a position in the epoch, counted in images, means the same
whoever goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import torch
from torch import Tensor


def permutation(count: int, seed: int, epoch: int) -> Tensor:
    """0 … count - 1, shuffled."""
    digest = sha256(f"order/{seed}/{epoch}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randperm(count, generator=generator)


def next_size(left: int, batch: int, drop_last: bool = False) -> int:
    """Of how many images the next batch is; 0 where the epoch is over.

    A last batch of less than a quarter of the others is not made: it would push the weights as
    hard as a whole one, and some process might get nothing of it. The last two then share evenly.
    """
    if drop_last:
        return batch if left >= batch else 0
    if left <= batch:
        return left
    return (left + 1) // 2 if 4 * (left - batch) < batch else batch


class Span(NamedTuple):
    """A batch of all processes together, as places in the order of the epoch."""

    start: int
    stop: int

    def share(self, rank: int, world: int) -> slice:
        """What comes to one process: equal parts, the first ones larger by one where needed."""
        return shared(self.start, self.stop, rank, world)


def shared(start: int, stop: int, rank: int, world: int) -> slice:
    each, more = divmod(stop - start, world)
    first = start + rank * each + min(rank, more)
    return slice(first, first + each + (rank < more))


def spans(count: int, batch: int, start: int = 0, drop_last: bool = False) -> Iterator[Span]:
    """The batches from a position on."""
    while size := next_size(count - start, batch, drop_last):
        yield Span(start, start + size)
        start += size


def batch_count(count: int, batch: int, drop_last: bool = False) -> int:
    """How many batches a whole epoch has."""
    return count // batch if drop_last else -(-count // batch)
