"""Reads losses from a GPU while it works on the next ones, so that neither waits for the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

About = TypeVar("About")


class Sent(NamedTuple):
    """Numbers on their way to main memory."""

    numbers: Tensor
    arrived: torch.cuda.Event | None
    """None for numbers that were not on a GPU."""


def send(numbers: Tensor) -> Sent:
    """Queues the copy of numbers that have just been computed, behind all work of their GPU."""
    numbers = numbers.detach()
    if numbers.device.type != "cuda":
        return Sent(numbers, None)
    stream = torch.cuda.current_stream(numbers.device)
    copied = numbers.to("cpu", non_blocking=True)  # into pinned memory
    arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrived.record(stream)
    return Sent(copied, arrived)


class AsyncScalars(Generic[About]):
    """A queue of a few numbers for each batch, which are read when they have arrived.

    `late`: the numbers of a batch are read only when those of the next batch are queued. By then
    the GPU has the work of a whole step ahead of it.
    """

    def __init__(self, late: bool = False) -> None:
        self._late = late
        self._queue: deque[tuple[Sent, About]] = deque()

    def put(self, sent: Sent, about: About) -> None:
        """Adds numbers, with what they are about."""
        self._queue.append((sent, about))

    def take(self) -> Iterator[tuple[list[float], About]]:
        """The numbers that are to be read now: those that were just queued or, if they are read
        late, those before."""
        while len(self._queue) > self._late:
            yield self._read()

    def rest(self) -> Iterator[tuple[list[float], About]]:
        """All numbers that are not read yet."""
        while self._queue:
            yield self._read()

    def _read(self) -> tuple[list[float], About]:
        (numbers, arrived), about = self._queue.popleft()
        if arrived is not None:
            arrived.synchronize()
        return numbers.flatten().tolist(), about
