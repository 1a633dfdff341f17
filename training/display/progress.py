"""Progress of a training and its remaining time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..trainer.callbacks import EpochRecord, RunStart, Step

Clock = Callable[[], float]


@dataclass
class Progress:
    """The state that the display is drawn from.

    The training thread writes it and the drawing thread reads it, so no two values are relied upon
    to be of the same moment.
    """

    start: RunStart
    now: Clock = time.monotonic
    step: Step | None = None
    loss: float | None = None
    """The last one that was known."""
    evaluating: tuple[str, int, int] | None = None
    """Which part, how many batches are done, and of how many."""
    records: list[EpochRecord] = field(default_factory=list)
    """Of this process: those before a resumption are not among them."""
    best: EpochRecord | None = None
    began: float = 0.0
    epoch_began: float = 0.0
    first_batch: int = 0
    """Batches of the running epoch that were done before."""

    def __post_init__(self) -> None:
        self.began = self.epoch_began = self.now()

    def stepped(self, step: Step) -> None:
        """As little as possible: it is called for every batch."""
        if self.step is None or step.epoch != self.step.epoch:
            self.first_batch = step.batch - 1
        self.step = step
        self.evaluating = None
        if step.loss is not None:
            self.loss = step.loss

    def recorded(self, record: EpochRecord) -> None:
        self.records.append(record)
        if record.best:
            self.best = record
        self.epoch_began = self.now()
        self.evaluating = None

    # ---- how far ----

    @property
    def done(self) -> int:
        """Whole epochs."""
        if self.records:
            return self.records[-1].epoch
        return self.step.epoch - 1 if self.step else 0

    @property
    def epoch(self) -> int:
        """The one that is running, from 1; the last one when all are done."""
        return min(self.done + 1, self.start.epochs)

    @property
    def batch(self) -> int:
        """Of the running epoch, how many are done."""
        if self.step is None or self.step.epoch <= self.done:
            return 0
        return min(self.step.batch, self.start.batches)

    @property
    def share(self) -> float:
        """Of the whole run."""
        inside = self.batch / self.start.batches if self.start.batches else 0.0
        return min(1.0, (self.done + inside) / self.start.epochs) if self.start.epochs else 1.0

    # ---- how long ----

    @property
    def elapsed(self) -> float:
        return self.now() - self.began

    def epoch_left(self) -> float | None:
        """Seconds of training that this epoch still takes; None where that cannot be told yet."""
        seen = self.batch - self.first_batch
        if seen < _ENOUGH and self.records:
            return self._mean() * (1 - self.batch / max(1, self.start.batches))
        if seen < _ENOUGH:
            return None
        spent = self.now() - self.epoch_began
        return spent / seen * (self.start.batches - self.batch)

    def left(self) -> float | None:
        """Seconds until all epochs are done; None where that cannot be told yet."""
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
        """Of the last epochs: the first one is slower than the rest."""
        last = self.records[-_MEMORY:]
        return sum(record.seconds for record in last) / len(last)


_ENOUGH = 3
_MEMORY = 5
