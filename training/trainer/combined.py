"""Sends progress to several callbacks: a display and loggers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ...dsl.diagnostics import SpecError
from ..loggers.logger import Logger
from .callbacks import Callback, EpochRecord, RunEnd, RunStart, Step, Stop


class Combined(Callback):
    """Calls each callback, in order. One that cannot write any more is not called again, and the
    others report that: a full disk, or a server that is gone, does not stop training."""

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
        self._each(lambda callback: callback.step(step))

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        self._each(lambda callback: callback.evaluating(part, batch, batches))

    def epoch(self, record: EpochRecord) -> str | None:
        reasons: list[str] = []

        def tell(callback: Callback) -> None:
            reason = callback.epoch(record)
            if reason:
                reasons.append(reason)

        self._each(tell)
        stops = [reason for reason in reasons if isinstance(reason, Stop)]
        return stops[0] if stops else "; ".join(reasons) or None

    def note(self, line: str) -> None:
        self._each(lambda callback: callback.note(line))

    def finished(self, end: RunEnd) -> None:
        self._each(lambda callback: callback.finished(end))

    def close(self) -> None:
        """Closes all callbacks, even if closing one of them fails."""
        with ExitStack() as stack:
            for callback in (*self.callbacks, *self._failed):
                stack.callback(self._close, callback)

    def _close(self, callback: Callback) -> None:
        try:
            callback.close()
        except Exception as error:
            if not isinstance(callback, Logger):
                raise
            if callback not in self._failed:
                self._failed.append(callback)
                self.note(_about(callback, error))

    def _each(self, call: Callable[[Callback], None]) -> None:
        for callback in self.callbacks:
            try:
                call(callback)
            except Exception as error:
                if not isinstance(callback, Logger) and not isinstance(error, OSError):
                    raise
                self._failed.append(callback)
                self.callbacks = tuple(each for each in self.callbacks if each is not callback)
                self.note(_about(callback, error))


def _about(callback: Callback, error: Exception) -> str:
    """A line about a callback that failed."""
    tool = f"{callback.tool}: " if isinstance(callback, Logger) else ""
    if isinstance(error, SpecError):
        return f"{tool}{error.diagnostics[0].message}; logging stops here"
    if isinstance(error, OSError) and error.strerror:
        where = f" {error.filename}" if error.filename else ""
        return f"{tool}cannot write{where}: {error.strerror}; logging stops here"
    first = str(error).strip().partition("\n")[0][:300]
    return f"{tool}{type(error).__name__}{': ' * bool(first)}{first}; logging stops here"
