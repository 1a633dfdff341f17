"""Files elsewhere are fetched before they are read: which, and how early, by their bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple, TypeVar

import torch

from ..remote.remote_settings import READ_AHEAD, cache_size
from .image_source import Files

T = TypeVar("T")
_LEAST = 2**16
"""The bytes that an image counts as at least: whole blocks are fetched for it."""


class Piece(NamedTuple):
    """Some images of a batch."""

    epoch: int | None
    indices: list[int]
    ahead: Sequence[int] = ()
    """Images that the worker will read soon, if they are to be fetched until then."""


def bytes_ahead(local: int) -> int:
    """The bytes that each of the `local` training processes of a machine has fetched ahead."""
    return min(READ_AHEAD, cache_size() // 4) // local


def with_ahead(pieces: Iterator[Piece], files: Files, workers: int, most: int) -> Generator[Piece]:
    """The pieces, each with the images that its worker is to begin to fetch: as many as the next
    pieces of all workers together have in `most` bytes. Workers take turns."""
    workers = max(1, workers)
    window: deque[tuple[Piece, float]] = deque()
    untold: list[list[int]] = [[] for _ in range(workers)]
    held, entered, left = 0.0, 0, 0
    ended = False
    while True:
        while not ended and (held < most or not window):
            piece = next(pieces, None)
            if piece is None:
                ended = True
                break
            size = _bytes(files, piece.indices)
            window.append((piece, size))
            held += size
            untold[entered % workers] += piece.indices
            entered += 1
        if not window:
            return
        piece, size = window.popleft()
        held -= size
        turn = left % workers
        left += 1
        ahead, untold[turn] = untold[turn], []
        yield piece._replace(ahead=ahead)


def ahead_of(files: Files, indices: Sequence[int], work: Callable[[int], T]) -> Callable[[int], T]:
    """`work` for the places 0, 1, … in `indices`, about in this order: what is elsewhere is fetched
    ahead of it."""
    if not files.elsewhere or not indices:
        return work
    some = [*indices[: 2**10]]
    step = max(16, int(bytes_ahead(1) / (2 * _bytes(files, some) / len(some))))

    def fetched(place: int) -> T:
        if place % step == 0:
            start = place + step if place else 0
            files.ahead(indices[start : place + 2 * step])
        return work(place)

    return fetched


def _bytes(files: Files, indices: Sequence[int]) -> float:
    return float(files.bytes_of(torch.as_tensor(indices)).clamp(min=_LEAST).sum())
