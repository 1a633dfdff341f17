"""Sends progress to several callbacks: a display and log files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ..trainer.callbacks import Callback, EpochRecord, RunEnd, RunStart, Step


class Combined(Callback):
    """Calls each callback, in order. One that cannot write any more is not called again, and the
    others report that: a full disk does not stop training."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = tuple(callbacks)
        self._failed: list[Callback] = []

    def reading(self, what: str, done: int, total: int | None) -> None:
        self._each(lambda callback: callback.reading(what, done, total))

    def started(self, start: RunStart) -> None:
        self._each(lambda callback: callback.started(start))

    def before_training(self, record: EpochRecord) -> None:
        self._each(lambda callback: callback.before_training(record))

    def step(self, step: Step) -> None:
        for callback in self.callbacks:
            callback.step(step)

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        for callback in self.callbacks:
            callback.evaluating(part, batch, batches)

    def epoch(self, record: EpochRecord) -> str | None:
        reasons: list[str] = []

        def tell(callback: Callback) -> None:
            reason = callback.epoch(record)
            if reason:
                reasons.append(reason)

        self._each(tell)
        return "; ".join(reasons) or None

    def note(self, line: str) -> None:
        self._each(lambda callback: callback.note(line))

    def finished(self, end: RunEnd) -> None:
        self._each(lambda callback: callback.finished(end))

    def close(self) -> None:
        """Closes all callbacks, even if closing one of them fails."""
        with ExitStack() as stack:
            for callback in (*self.callbacks, *self._failed):
                stack.callback(callback.close)

    def _each(self, call: Callable[[Callback], None]) -> None:
        for callback in self.callbacks:
            try:
                call(callback)
            except OSError as error:
                self._failed.append(callback)
                self.callbacks = tuple(each for each in self.callbacks if each is not callback)
                reason = error.strerror or type(error).__name__
                where = f" {error.filename}" if error.filename else ""
                self.note(f"cannot write{where}: {reason}; logging stops here")
