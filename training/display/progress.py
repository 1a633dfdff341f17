"""Tracks the progress of a run and estimates the remaining time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..trainer.callbacks import EpochRecord, RunStart, Step

Clock = Callable[[], float]


@dataclass
class Progress:
    """The state that the live display draws.

    The training thread writes it while the drawing thread reads it, so two values need not be from
    the same step.
    """

    start: RunStart
    now: Clock = time.monotonic
    step: Step | None = None
    loss: float | None = None
    """The last known loss: not every step fetches it from the device."""
    evaluating: tuple[str, int, int] | None = None
    """The part of the data, the number of evaluated batches, and of all batches."""
    records: list[EpochRecord] = field(default_factory=list)
    """The epochs since the start of this process: none from before the run was resumed."""
    best: EpochRecord | None = None
    began: float = 0.0
    epoch_began: float = 0.0
    first_batch: int = 0
    """Batches of the current epoch that were trained before the run was resumed."""

    def __post_init__(self) -> None:
        self.began = self.epoch_began = self.now()

    def stepped(self, step: Step) -> None:
        """Called for every batch, so it does little."""
        if self.step is None or step.epoch != self.step.epoch:
            self.first_batch = step.batch - 1
        self.step = step
        self.evaluating = None
        self.loss = step.loss

    def evaluated_before_training(self) -> None:
        """Called before the first step: the time for that evaluation is not that of an epoch."""
        self.epoch_began = self.now()
        self.evaluating = None

    def recorded(self, record: EpochRecord) -> None:
        self.records.append(record)
        if record.best:
            self.best = record
        self.epoch_began = self.now()
        self.evaluating = None

    # ---- progress ----

    @property
    def done(self) -> int:
        """The number of completed epochs."""
        if self.records:
            return self.records[-1].epoch
        return self.step.epoch - 1 if self.step else 0

    @property
    def epoch(self) -> int:
        """The current epoch, from 1; the last one after training."""
        return min(self.done + 1, self.start.epochs)

    @property
    def batch(self) -> int:
        """The number of completed batches of the current epoch."""
        if self.step is None or self.step.epoch <= self.done:
            return 0
        return min(self.step.batch, self.start.batches)

    @property
    def share(self) -> float:
        """The completed share of the run."""
        inside = self.batch / self.start.batches if self.start.batches else 0.0
        return min(1.0, (self.done + inside) / self.start.epochs) if self.start.epochs else 1.0

    # ---- time ----

    @property
    def elapsed(self) -> float:
        return self.now() - self.began

    def epoch_left(self) -> float | None:
        """Estimated seconds of training left in this epoch; None before an estimate is possible."""
        trained = self.batch - self.first_batch
        if trained < _ENOUGH and self.records:
            return self._mean() * (1 - self.batch / max(1, self.start.batches))
        if trained < _ENOUGH:
            return None
        spent = self.now() - self.epoch_began
        return spent / trained * (self.start.batches - self.batch)

    def left(self) -> float | None:
        """Estimated seconds left in the run; None before an estimate is possible."""
        rest = self.epoch_left()
        if self.done >= self.start.epochs:
            return 0.0
        if rest is None:
            return None
        after = self.start.epochs - self.done - 1
        if self.records:
            return rest + after * self._mean()
        spent = self.now() - self.epoch_began
        whole = spent / max(1, self.batch - self.first_batch) * self.start.batches
        return rest + after * whole

    def _mean(self) -> float:
        """Mean seconds of the latest epochs: the first epoch of a run is slower than the rest."""
        last = self.records[-_LATEST:]
        return sum(record.seconds for record in last) / len(last)


_ENOUGH = 3
"""Batches before the time of an epoch is estimated from them."""
_LATEST = 5
"""Epochs of which the mean duration is taken."""
