"""The learning-rate range test: steps at a rate that rises until the loss explodes.

    losses = RangeTest(run, rates, progress).losses()

It is the training loop itself, with another learning rate in each step, and without validation and
checkpoints: the steps are those of the spec's own optimizer, augmentation, precision and batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ...compiler.plan.schedule import Constant
from ..optim.schedules import Length, Rates
from ..runtime.interrupts import Interruption
from ..runtime.nan_check import Diverged
from ..trainer.loop import Loop, Unread
from ..trainer.setup import Run
from ..transfer.freezing import Freezing

EXPLODED = 4.0
"""The test ends when the running mean of the loss is this many times its lowest value."""
MEMORY = 0.8
"""The share of the running mean that it keeps in each step."""


class _Given(Rates):
    """A learning rate for each step."""

    def __init__(self, rates: Sequence[float], steps_per_epoch: int) -> None:
        epochs = math.ceil(len(rates) / steps_per_epoch)
        super().__init__(Constant.make(), rates[0], Length(epochs, steps_per_epoch))
        self._rates = rates

    def at(self, step: int) -> float:
        return self._rates[min(step, len(self._rates) - 1)]


class _Ended(Exception):
    """There are enough steps, or the loss has exploded."""


class RangeTest(Loop):
    """Runs the steps. The run that it is given is spent by it: its weights are of no more use."""

    def __init__(
        self, run: Run, rates: Sequence[float], progress: Callable[[int, int], None]
    ) -> None:
        learner = run.learner
        learner.rates = _Given(rates, learner.rates.length.steps)
        learner.early_stopping = learner.frozen_after = None
        if learner.freezing is not None:
            learner.freezing = as_in_most_epochs(learner.freezing, learner.plan.train.epochs.whole)
        super().__init__(run, Interruption())
        self._count = len(rates)
        self._progress = progress
        self._of_step: list[float] = []
        """The losses of the batches of this step."""
        self._losses: list[float] = []
        """The loss of each step."""
        self._mean, self._lowest = 0.0, math.inf

    def losses(self) -> list[float]:
        """The loss of each step, measured before it; fewer than there are rates if it explodes."""
        try:
            while self.failed is None:
                self.train_epoch()
            raise self.failed
        except (_Ended, Diverged):
            return self._losses
        finally:
            self.close()

    def read(self, losses: Iterable[tuple[list[float], Unread]]) -> None:
        for (loss, *stops), unread in losses:
            self._of_step.append(loss)
            super().read([([loss, *stops], unread)])

    def diverged(self, unread: Unread) -> Diverged:
        raise _Ended  # which layer it was is of no interest here

    def report(self, unread: Unread) -> None:
        if unread.step is None or unread.loss is None:
            return
        loss = sum(self._of_step) / len(self._of_step)
        self._of_step.clear()
        self._losses.append(loss)
        steps = len(self._losses)
        self._progress(steps, self._count)
        self._mean = MEMORY * self._mean + (1 - MEMORY) * loss
        mean = self._mean / (1 - MEMORY**steps)
        self._lowest = min(self._lowest, mean)
        if steps == self._count or mean > EXPLODED * self._lowest > 0:
            raise _Ended


def as_in_most_epochs(freezing: Freezing, epochs: int) -> Freezing:
    """Freezes what is frozen in most epochs: the test may take as many steps as several of them."""
    stages = freezing.strategy.stages
    ends = [*(stage.epoch for stage in stages[1:]), epochs + 1]
    longest, _ = max(
        zip(stages, ends, strict=True), key=lambda pair: min(pair[1], epochs + 1) - pair[0].epoch
    )
    return Freezing(replace(freezing.strategy, stages=(longest._replace(epoch=1),)))
