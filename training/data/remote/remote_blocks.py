"""Reads parts of files elsewhere: from the cache, or by requests for several blocks at once.

A block that one thread fetches is not fetched by another; one that is fetched ahead, and not in the
cache since the disk is full, stays in memory.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from ....dsl.diagnostics import SpecError
from ...runtime.interrupts import STOP_READING
from ..images.checked_files import cache_folder
from .address import shown
from .block_cache import BLOCK, BlockCache
from .failures import ENDED, Final, Transient, changed, gone, refused
from .fetch import Fetching
from .http_ranges import Version, Whole, fill
from .notes import say
from .remote_settings import CONNECTIONS, READ_AHEAD, cache_size, patience, processes_here

_GAP = 3
"""Blocks that are fetched though nobody asked, between two that are: cheaper than a request."""
_RUN = 32
"""The most blocks of a request: 8 MiB."""
_WHOLE = 2**40
"""The number by which a whole file is locked."""
_HELD = 60.0
"""Seconds after which a block is fetched though another process has it locked."""


class RemoteFile(NamedTuple):
    """A file elsewhere, as it was when it was opened."""

    url: str
    version: Version

    @property
    def size(self) -> int:
        return self.version.size

    @property
    def key(self) -> str:
        """By which its blocks are kept."""
        return _key(self)


@lru_cache(2**17)
def _key(file: RemoteFile) -> str:
    text = f"{shown(file.url)}\0{file.version.size}\0{file.version.mark}\0{BLOCK}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Wanted(NamedTuple):
    """A part of a file."""

    file: RemoteFile
    start: int
    stop: int

    @property
    def blocks(self) -> range:
        return range(self.start // BLOCK, -(-self.stop // BLOCK))


_Block = tuple[str, int]
_Flying = Future[memoryview | None]
"""A block that is being fetched; None if another process fetches it, and it was not waited for."""


class Blocks:
    """What a process reads with: its connections, its threads and its place in the cache."""

    def __init__(self) -> None:
        self.fetching = Fetching()
        self.cache = BlockCache(cache_folder() / "remote", cache_size())
        self._lock = threading.Lock()
        self._flying: dict[_Block, _Flying] = {}
        self._kept: OrderedDict[_Block, memoryview] = OrderedDict()
        """Blocks that the disk has no room for, and the last that were read."""
        here = processes_here()
        self._most_kept = max(8, READ_AHEAD // here // BLOCK)
        self._threads = max(4, CONNECTIONS // here)
        self._planned: deque[tuple[RemoteFile, list[int]]] = deque()
        self._plans = threading.Condition(self._lock)
        self._idle = self._started = 0
        self._wholes: dict[str, threading.Lock] = {}

    def close(self) -> None:
        """Ends the threads; what is being fetched is given up."""
        self.fetching.close()
        with self._lock:
            self._planned.clear()
            self._plans.notify_all()
        self.cache.close()

    def read(self, file: RemoteFile, start: int, stop: int) -> bytes:
        """A part of a file. Raises SpecError."""
        stop = min(stop, file.size)
        if start >= stop:
            return b""
        numbers = Wanted(file, start, stop).blocks
        found: dict[int, memoryview] = {}
        for number in numbers:
            block = self._at_hand(file, number)
            if block is not None:
                found[number] = block
        missing = [number for number in numbers if number not in found]
        if missing:
            found.update(self._fetched(file, missing))
        first = numbers.start * BLOCK
        if len(numbers) == 1:
            return bytes(found[numbers.start][start - first : stop - first])
        parts = [found[number] for number in numbers]
        parts[0] = parts[0][start - first :]
        parts[-1] = parts[-1][: stop - numbers[-1] * BLOCK]
        return b"".join(parts)

    def ahead(self, wanted: Iterable[Wanted]) -> None:
        """Begins to fetch what will be read soon, in this order."""
        missing: OrderedDict[_Block, RemoteFile] = OrderedDict()
        for each in wanted:
            for number in each.blocks:
                block = (each.file.key, number)
                if block not in missing and not self._is_at_hand(*block):
                    missing[block] = each.file
        runs = []
        while missing:
            (key, number), file = missing.popitem(last=False)
            numbers = [number]
            for step in (1, -1):
                at = number
                while len(numbers) < _RUN:
                    near = range(at + step, at + step * (_GAP + 2), step)
                    at = next((each for each in near if (key, each) in missing), -1)
                    if at < 0:
                        break
                    del missing[key, at]
                    numbers.append(at)
            between = range(min(numbers), max(numbers) + 1)
            runs.append((file, [n for n in between if not self._is_at_hand(key, n)]))
        with self._lock:
            self._planned.extend(runs)
            for _ in range(min(len(runs) - self._idle, self._threads - self._started)):
                self._started += 1
                threading.Thread(target=self._work, daemon=True, name="reading ahead").start()
            self._plans.notify(len(runs))

    def forget(self, file: RemoteFile, start: int, stop: int) -> None:
        """What is kept of a part is wrong: it is fetched again when it is read."""
        for number in Wanted(file, start, stop).blocks:
            with self._lock:
                self._kept.pop((file.key, number), None)
            self.cache.drop(file.key, number)

    # ---- at hand -------------------------------------------------------------------------------

    def _at_hand(self, file: RemoteFile, number: int) -> memoryview | None:
        block = (file.key, number)
        with self._lock:
            kept = self._kept.get(block)
            if kept is not None:
                self._kept.move_to_end(block)
                return kept
        return self.cache.load(file.key, number, _size(file, number))

    def _is_at_hand(self, key: str, number: int) -> bool:
        with self._lock:
            if (key, number) in self._kept or (key, number) in self._flying:
                return True
        return self.cache.has(key, number)

    def _keep(self, file: RemoteFile, number: int, data: memoryview) -> None:
        if self.cache.store(file.key, number, data):
            return
        with self._lock:
            self._kept[file.key, number] = memoryview(bytes(data))
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)

    # ---- fetching ------------------------------------------------------------------------------

    def _work(self) -> None:
        """Fetches what is planned."""
        while True:
            with self._lock:
                self._idle += 1
                while not self._planned and not self.fetching.ended:
                    self._plans.wait()
                self._idle -= 1
                if self.fetching.ended:
                    return
                file, numbers = self._planned.popleft()
            with suppress(SpecError, Final):  # who reads it meets the error
                self._fetched(file, numbers, wait=False)

    def _fetched(
        self, file: RemoteFile, numbers: Sequence[int], *, wait: bool = True
    ) -> dict[int, memoryview]:
        """Blocks that are not at hand. Those that another thread or process fetches are waited for,
        unless they are wanted later only."""
        found: dict[int, memoryview] = {}
        left = [*numbers]
        while left:
            mine: dict[int, _Flying] = {}
            others: dict[int, _Flying] = {}
            with self._lock:
                for number in left:
                    flying = self._flying.get((file.key, number))
                    if flying is None:
                        mine[number] = self._flying[file.key, number] = Future()
                    else:
                        others[number] = flying
            try:
                self._fetch(file, mine, wait=wait)
            except BaseException as error:
                ends = not isinstance(
                    error, Exception
                )  # a signal, which concerns this thread alone
                for flying in mine.values():
                    if not flying.done():
                        flying.set_exception(self._ended(file) if ends else error)
                raise
            finally:
                with self._lock:
                    for number in mine:
                        self._flying.pop((file.key, number), None)
            if not wait:
                break
            for number, flying in (mine | others).items():
                block = flying.result()
                if block is not None:
                    found[number] = block
            left = [number for number in left if number not in found]
        return found

    def _fetch(self, file: RemoteFile, mine: dict[int, _Flying], *, wait: bool) -> None:
        """Fetches blocks, or takes them from the cache when another process has fetched them."""
        left, began, pause = [*mine], time.monotonic(), 0.005
        while left:
            held = time.monotonic() - began > _HELD
            locked: list[int] = []
            try:
                locked += [n for n in left if self.cache.lock(file.key, n) or held]
                needed = []
                for number in locked:  # another process may have fetched it meanwhile
                    block = self._at_hand(file, number)
                    if block is None:
                        needed.append(number)
                    else:
                        mine[number].set_result(block)
                for run in _runs(needed):
                    for number, block in self._run(file, run).items():
                        mine[number].set_result(block)
            finally:
                for number in locked:
                    self.cache.unlock(file.key, number)
            left = [number for number in left if not mine[number].done()]
            if left and not wait:
                for number in left:
                    mine[number].set_result(None)
                return
            if left:
                self._sleep(file, pause)
                pause = min(0.1, pause * 1.5)

    def _sleep(self, file: RemoteFile, seconds: float) -> None:
        """Waits for another process."""
        if self.fetching.ended:
            raise self._ended(file)
        time.sleep(seconds)

    @staticmethod
    def _ended(file: RemoteFile) -> SpecError:
        return refused(file.url, Final(ENDED))

    def _run(self, file: RemoteFile, numbers: range) -> dict[int, memoryview]:
        start = numbers.start * BLOCK
        stop = min(file.size, numbers.stop * BLOCK)
        data = memoryview(bytearray(stop - start))
        whole = self.fetching.range(file.url, start, data, file.version)
        if whole is not None:
            return self._whole(file, numbers, whole)
        blocks = {}
        for number in numbers:
            at = number * BLOCK - start
            blocks[number] = data[at : at + BLOCK]
            self._keep(file, number, blocks[number])
        return blocks

    def _whole(self, file: RemoteFile, numbers: range, whole: Whole) -> dict[int, memoryview]:
        """The blocks of a server that ignores ranges: all of the file goes into the cache, once."""
        with self._lock:
            lock = self._wholes.setdefault(file.key, threading.Lock())
        say(
            f"the server of {shown(file.url)} ignores ranges: whole files are fetched into the"
            " cache",
            "whole",
        )
        if not lock.acquire(blocking=False):
            whole.connection.close()  # another thread is reading it
            with lock:
                pass
            return self._after_whole(file, numbers)
        try:
            if not self.cache.lock(file.key, _WHOLE):
                whole.connection.close()
                while not self.cache.lock(file.key, _WHOLE):
                    self._sleep(file, 0.05)
                self.cache.unlock(file.key, _WHOLE)
                return self._after_whole(file, numbers)
            try:
                return self._read_whole(file, numbers, whole)
            finally:
                self.cache.unlock(file.key, _WHOLE)
        finally:
            lock.release()

    def _after_whole(self, file: RemoteFile, numbers: range) -> dict[int, memoryview]:
        found = {number: self._at_hand(file, number) for number in numbers}
        if any(block is None for block in found.values()):
            return self._run(file, numbers)
        return {number: block for number, block in found.items() if block is not None}

    def _read_whole(self, file: RemoteFile, numbers: range, whole: Whole) -> dict[int, memoryview]:
        blocks: dict[int, memoryview] = {}
        if file.size > self.cache.limit // 2:
            whole.connection.close()
            help = (
                "serve it with a server that knows ranges, such as nginx, or set DOTCNN_CACHE_SIZE"
                " to more than twice the size of all files"
            )
            reason = "the server ignores ranges, and the whole file is more than half of the cache"
            raise refused(file.url, Final(reason, help))
        before, number = whole.version, 0
        if before.size != file.size:
            raise changed(file.url)
        deadline: float | None = None
        while number * BLOCK < file.size:
            data = memoryview(bytearray(_size(file, number)))
            try:
                fill(whole.response, data)
            except Transient as error:
                whole.connection.close()
                now = time.monotonic()
                deadline = now + patience() if deadline is None else deadline
                if now > deadline:
                    raise gone(file.url, error.reason, patience()) from None
                again = self.fetching.range(file.url, 0, memoryview(bytearray(1)), file.version)
                if again is None:
                    return self._run(file, numbers)
                whole, number = again, 0
                continue
            if number in numbers:
                blocks[number] = data
            self._keep(file, number, data)
            number += 1
        self.fetching.done(whole)
        return blocks


def _size(file: RemoteFile, number: int) -> int:
    return min(BLOCK, file.size - number * BLOCK)


def _runs(numbers: Sequence[int]) -> list[range]:
    """Numbers as ranges of neighbors, each no longer than a request may be."""
    runs: list[range] = []
    for number in sorted(numbers):
        if runs and runs[-1].stop == number and len(runs[-1]) < _RUN:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs


# ---- of this process ---------------------------------------------------------------------------

_current: tuple[tuple[object, ...], Blocks] | None = None
_making = threading.Lock()


def blocks() -> Blocks:
    """What this process reads with. After a fork it is made anew: threads, locks and connections
    are those of the parent. After a signal, too, once the main thread reads again; until then, all
    other threads end."""
    global _current
    key = (os.getpid(), cache_folder(), cache_size(), patience())
    if _current is not None and _is_usable(*_current, key):
        return _current[1]
    with _making:
        if _current is None or not _is_usable(*_current, key):
            if _current is not None and _current[0][0] == key[0]:
                _current[1].close()
            _current = (key, Blocks())
        return _current[1]


def _is_usable(of: tuple[object, ...], current: Blocks, key: tuple[object, ...]) -> bool:
    main = threading.current_thread() is threading.main_thread()
    return of == key and not (current.fetching.stopped and main)


def stop_reading() -> None:
    """Ends all requests and waits, from a signal handler: it takes no locks."""
    if _current is not None and _current[0][0] == os.getpid():
        _current[1].fetching.stop()


STOP_READING.append(stop_reading)


@atexit.register
def _close() -> None:
    if _current is not None and _current[0][0] == os.getpid():
        _current[1].close()


def _after_fork() -> None:
    global _making
    _making = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
