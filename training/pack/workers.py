"""Makes the members of samples in several processes, and hands them over in order. Memory is
bounded: only a few pieces are ahead of the one that is asked for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import torch

from ...compiler.commands.terminal import CommandError
from ..data.images.image_file import BadImage, quiet
from .sample_members import MemberMaker, Members
from .shard_plan import PlannedShard

_PIECE = 16
_AHEAD = 3
"""Pieces of each worker that are made or wait to be written."""

Makers = Mapping[str, MemberMaker]
"""One for each part."""
Made = tuple[int, Members | str]
"""The number of an image in its part; its members, or why it cannot be read."""


class Workers:
    """Processes that read, check, resize and encode images."""

    def __init__(self, makers: Makers, pool: ProcessPoolExecutor | None, count: int) -> None:
        self._makers, self._pool, self._count = makers, pool, count

    def members(self, shard: PlannedShard) -> Iterator[list[Made]]:
        """The members of all samples of a shard, in order, piece by piece."""
        starts = range(shard.start, shard.stop, _PIECE)
        pieces = ((at, min(at + _PIECE, shard.stop)) for at in starts)
        if self._pool is None:
            with quiet():
                for start, stop in pieces:
                    yield _made(self._makers[shard.part], start, stop)
            return
        waiting: deque[Future[list[Made]]] = deque()
        try:
            for start, stop in pieces:
                waiting.append(self._pool.submit(_work, shard.part, start, stop))
                if len(waiting) >= _AHEAD * self._count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise CommandError(
                "a worker process has died; there may be too little memory for this many: try"
                " --workers 1"
            ) from None
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def working(makers: Makers, count: int) -> Iterator[Workers]:
    """A context with `count` worker processes; with one, this process does the work itself."""
    if count == 1:
        yield Workers(makers, None, 1)
        return
    how = "fork" if sys.platform == "linux" else "spawn"
    pool = ProcessPoolExecutor(
        count, multiprocessing.get_context(how), _begin, (makers, os.getpid())
    )
    try:
        yield Workers(makers, pool, count)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


# ---- in a worker -------------------------------------------------------------------------------

_own: dict[str, Any] = {}


def _begin(makers: Makers, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process decides what Ctrl-C ends
    torch.set_num_threads(1)
    _own["makers"] = makers
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process when the main process is killed, which could not tell it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(part: str, start: int, stop: int) -> list[Made]:
    with quiet():
        return _made(_own["makers"][part], start, stop)


def _made(maker: MemberMaker, start: int, stop: int) -> list[Made]:
    made: list[Made] = []
    for index in range(start, stop):
        try:
            made.append((index, maker(index)))
        except BadImage as error:
            made.append((index, error.reason))
    return made
