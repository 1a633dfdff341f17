"""Several callbacks as one: a display and log files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ..trainer.callbacks import Callback, EpochRecord, RunEnd, RunStart, Step


class Combined(Callback):
    """Calls each of them, in order. One that can no longer write is left out from then on, and the
    others are told so: a full disk is no reason to stop training."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = tuple(callbacks)
        self._gone: list[Callback] = []

    def reading(self, what: str, done: int, total: int | None) -> None:
        self._each(lambda callback: callback.reading(what, done, total))

    def started(self, start: RunStart) -> None:
        self._each(lambda callback: callback.started(start))

    def step(self, step: Step) -> None:
        for callback in self.callbacks:
            callback.step(step)

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        for callback in self.callbacks:
            callback.evaluating(part, batch, batches)

    def epoch(self, record: EpochRecord) -> None:
        self._each(lambda callback: callback.epoch(record))

    def note(self, line: str) -> None:
        self._each(lambda callback: callback.note(line))

    def finished(self, end: RunEnd) -> None:
        self._each(lambda callback: callback.finished(end))

    def close(self) -> None:
        """All of them, also where one cannot be."""
        with ExitStack() as stack:
            for callback in (*self.callbacks, *self._gone):
                stack.callback(callback.close)

    def _each(self, tell: Callable[[Callback], None]) -> None:
        for callback in self.callbacks:
            try:
                tell(callback)
            except OSError as error:
                self._gone.append(callback)
                self.callbacks = tuple(each for each in self.callbacks if each is not callback)
                reason = error.strerror or type(error).__name__
                where = f" {error.filename}" if error.filename else ""
                self.note(f"cannot write{where}: {reason}; logging stops here")
