"""What happens in a trial after each epoch: it is reported to the study, which may prune it, and to
the display; and it ends when somebody has asked for that."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import NamedTuple

from ..runtime.interrupts import SAME, Interruption
from ..trainer.callbacks import Callback, EpochRecord, RunStart, Step, Stop
from ..trainer.loop import INTERRUPTED, PRUNED
from .sweep_display import SweepDisplay
from .sweep_folder import SweepFolder

_SIGN_OF_LIFE = 15.0
"""Seconds between two signs of life."""


class AfterEpoch(Interruption):
    """Signals in a sweep: the first Ctrl-C ends it after the epoch, the second after the batch, and
    the third at once. Other signals, such as SIGTERM of a cluster, leave less time, and end it
    after the batch. What is being trained is saved, but for the third."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.stopping = False
        self._tell = tell

    def after_training(self) -> AbstractContextManager[None]:
        return nullcontext()  # a trial that is trained is evaluated, too

    def _caught(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if number != signal.SIGINT:
            self.stopping = True
            super()._caught(number, None)
        elif not self.stopping and not self._at_once:
            self.stopping, self._since = True, now
            self._tell("stops after this epoch; press Ctrl-C again to stop after this batch")
        elif now - self._since > SAME:
            super()._caught(number, None)


class Watched(NamedTuple):
    """What a trial reports."""

    metric: str
    """The metric that the study is told of after each epoch; "" if it is not."""
    report: Callable[[float, int], bool] | None
    """Reports it; returns whether the trial is to be pruned. None for one that never is."""


class TrialCallback(Callback):
    """Follows the run of a trial."""

    def __init__(
        self, number: int, watched: Watched, display: SweepDisplay, interruption: AfterEpoch
    ) -> None:
        self.number = number
        self.watched = watched
        self.display = display
        self.interruption = interruption
        self.steps: dict[int, float] = {}
        """The metric after each epoch."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        self.display.reading(what, done, total)

    def started(self, start: RunStart) -> None:
        self.display.training(self.number, start)

    def step(self, step: Step) -> None:
        self.display.step(self.number, step)

    def epoch(self, record: EpochRecord) -> str | None:
        self.display.epoch(self.number, record)
        value = record.val.get(self.watched.metric)
        prune = False
        if value is not None and math.isfinite(value):
            self.steps[record.epoch] = value
            if self.watched.report is not None:
                prune = self.watched.report(value, record.epoch)
        if self.interruption.stopping:
            return Stop("the sweep was asked to stop", INTERRUPTED)
        if prune:
            return Stop(f"{self.watched.metric} {value:.4g} after epoch {record.epoch}", PRUNED)
        return None

    def note(self, line: str) -> None:
        if not line.startswith(("to continue: ", "there is nothing to resume")):
            self.display.note(self.number, line)


class SignsOfLife:
    """A context in which a thread shows that a trial is being trained."""

    def __init__(self, folder: SweepFolder, number: int) -> None:
        self._folder, self._number = folder, number
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> SignsOfLife:
        self._folder.show_life(self._number)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_SIGN_OF_LIFE):
            self._folder.show_life(self._number)
