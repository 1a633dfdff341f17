"""More than one who looks on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from ..watch import EpochRecord, Finished, Started, Step, Watcher


class Several:
    """Tells each of them, in order."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self.watchers = tuple(watchers)

    def reading(self, what: str, done: int, total: int | None) -> None:
        for watcher in self.watchers:
            watcher.reading(what, done, total)

    def started(self, start: Started) -> None:
        for watcher in self.watchers:
            watcher.started(start)

    def step(self, step: Step) -> None:
        for watcher in self.watchers:
            watcher.step(step)

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        for watcher in self.watchers:
            watcher.evaluating(part, batch, batches)

    def epoch(self, record: EpochRecord) -> None:
        for watcher in self.watchers:
            watcher.epoch(record)

    def note(self, line: str) -> None:
        for watcher in self.watchers:
            watcher.note(line)

    def finished(self, end: Finished) -> None:
        for watcher in self.watchers:
            watcher.finished(end)

    def close(self) -> None:
        """All of them, also where one cannot be."""
        with ExitStack() as stack:
            for watcher in self.watchers:
                stack.callback(watcher.close)
