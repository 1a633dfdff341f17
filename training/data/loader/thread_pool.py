"""The same work for many images at once, with word on how far it is.

Threads do it: reading, decoding and resizing all let go of the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..images.image_file import quiet

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and of how many."""

_CHUNK = 16


def unwatched(what: str, done: int, total: int) -> None:
    """For who does not want to know."""


def each(
    work: Callable[[int], T], count: int, threads: int, what: str, progress: Progress = unwatched
) -> list[T]:
    """What `work` gives for 0, 1, … in order."""

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
        finally:  # Ctrl-C, too: what has not begun is not done any more
            pool.shutdown(wait=True, cancel_futures=True)
    return results
