"""Ctrl-C, SIGTERM, SIGUSR1 and SIGHUP: finish the step and save the run; a second signal ends at
once. Schedulers send SIGTERM before they end a job, Slurm SIGUSR1 if it is told to."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType, TracebackType
from typing import Any

SAME = 0.3
"""Signals within this many seconds count as one."""

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
"""Some of them do not exist on Windows."""

STOP_READING: list[Callable[[], None]] = []
"""What ends waiting in other threads, called before a signal ends it in the main thread. Locks must
not be taken there: the main thread may have them."""


class WaitEnded(BaseException):
    """A signal came while images were waited for: there may be none for a long time. Not an
    Exception, since clients of object stores are tried again after those."""


class Interruption:
    """A context that catches signals; `requested` says whether training should end.

        with Interruption() as interruption:
            for batch in batches:
                …
                if interruption.requested:
                    break

    Within `at_once()`, where there is nothing to save, a signal raises KeyboardInterrupt. So does a
    second signal anywhere, unless it comes within a moment of the first: torchrun passes on
    signals that the terminal has already sent to all processes. Within `while_waiting()`, the first
    one raises WaitEnded. Outside the main thread, signals are not caught.
    """

    def __init__(self) -> None:
        self.requested = False
        self._signalled = False
        self._since = 0.0
        self._at_once = False
        self._waiting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for name in SIGNALS:
                number = getattr(signal, name, None)
                # A signal may be ignored on purpose: `nohup cnn train …` outlives its terminal.
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def request(self) -> None:
        """Ends training as a signal would."""
        if not self.requested:
            self.requested, self._since = True, time.monotonic()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """A context for long work before the first batch, which can be interrupted at once."""
        if self._signalled:
            raise KeyboardInterrupt
        before, self._at_once = self._at_once, True
        try:
            yield
        finally:
            self._at_once = before

    @contextmanager
    def while_waiting(self) -> Iterator[None]:
        """A context for waiting that may take long, and has nothing to finish."""
        if self.requested:
            raise WaitEnded
        try:
            self._waiting = True
            yield
        finally:
            self._waiting = False

    def after_training(self) -> AbstractContextManager[None]:
        """A context for the evaluation after the last epoch, when everything is saved."""
        return self.at_once()

    def _caught(self, number: int, frame: FrameType | None) -> None:
        now, first = time.monotonic(), not self.requested
        if first:
            self.requested, self._since = True, now
        self._signalled = True
        if self._at_once if first else now - self._since > SAME:
            stop_reading()
            raise KeyboardInterrupt
        if self._waiting:
            self._waiting = False
            stop_reading()
            raise WaitEnded


def stop_reading() -> None:
    """Ends waiting for images, which is about to end in the main thread, in all others."""
    for stop in STOP_READING:
        stop()
