"""Runs a function for many images in parallel threads, and reports progress.

Threads are enough, since reading, decoding and resizing release Python's global interpreter lock.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..images.image_file import quiet

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called with a description of the work, the number of images that are done, and their total."""

_CHUNK = 16


def unwatched(what: str, done: int, total: int) -> None:
    """Ignores progress."""


def each(
    work: Callable[[int], T], count: int, threads: int, what: str, progress: Progress = unwatched
) -> list[T]:
    """The results of `work` for 0, 1, … in order."""

    def chunk(start: int) -> list[T]:
        return [work(index) for index in range(start, min(start + _CHUNK, count))]

    results: list[T] = []
    with quiet():
        pool = ThreadPoolExecutor(threads, thread_name_prefix="images")
        try:
            progress(what, 0, count)
            for part in pool.map(chunk, range(0, count, _CHUNK)):
                results += part
                progress(what, len(results), count)
        finally:  # also after Ctrl-C: work that has not started is cancelled
            pool.shutdown(wait=True, cancel_futures=True)
    return results
