"""More than one who looks on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ..trainer.callbacks import EpochRecord, Finished, Started, Step, Watcher


class Several:
    """Tells each of them, in order. Who cannot write any more is left out from then on, and the
    others are told so: a full disk is no reason to stop learning."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self.watchers = tuple(watchers)
        self._gone: list[Watcher] = []

    def reading(self, what: str, done: int, total: int | None) -> None:
        self._each(lambda watcher: watcher.reading(what, done, total))

    def started(self, start: Started) -> None:
        self._each(lambda watcher: watcher.started(start))

    def step(self, step: Step) -> None:
        for watcher in self.watchers:
            watcher.step(step)

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        for watcher in self.watchers:
            watcher.evaluating(part, batch, batches)

    def epoch(self, record: EpochRecord) -> None:
        self._each(lambda watcher: watcher.epoch(record))

    def note(self, line: str) -> None:
        self._each(lambda watcher: watcher.note(line))

    def finished(self, end: Finished) -> None:
        self._each(lambda watcher: watcher.finished(end))

    def close(self) -> None:
        """All of them, also where one cannot be."""
        with ExitStack() as stack:
            for watcher in (*self.watchers, *self._gone):
                stack.callback(watcher.close)

    def _each(self, tell: Callable[[Watcher], None]) -> None:
        for watcher in self.watchers:
            try:
                tell(watcher)
            except OSError as error:
                self._gone.append(watcher)
                self.watchers = tuple(each for each in self.watchers if each is not watcher)
                reason = error.strerror or type(error).__name__
                where = f" {error.filename}" if error.filename else ""
                self.note(f"cannot write{where}: {reason}; the log ends here")
