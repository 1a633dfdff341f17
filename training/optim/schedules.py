"""Learning-rate schedules (`schedule cosine warmup=3`) as functions of the step.

All but `plateau` depend only on the step, so that a run that is resumed, or trained for longer,
needs no saved state. Smooth schedules change with every step, like those of torch when they are
stepped after each batch; `step` and `multistep` change between epochs.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ...compiler.plan.schedule import (
    Constant,
    Cosine,
    Linear,
    MultiStep,
    OneCycle,
    Plateau,
    Schedule,
    Step,
    Triangular,
)
from ..metrics.better import is_better


class Length(NamedTuple):
    """The length of a training."""

    epochs: float
    steps: int
    """The number of steps of an epoch."""

    @property
    def total(self) -> int:
        return math.ceil(round(self.epochs * self.steps, 6))


class Rates:
    """The learning rate of every step."""

    def __init__(self, schedule: Schedule, rate: float, length: Length) -> None:
        self.schedule = schedule
        self.rate = rate
        """The base learning rate."""
        self.length = length
        self.plateau = PlateauState(schedule) if isinstance(schedule, Plateau) else None
        self.shift = 0
        """The steps by which the schedule is ahead of those of the run, since the number of steps
        of an epoch has changed."""
        self.warmup = round(schedule.warmup * length.steps)
        """The number of warm-up steps. The learning rate of the first one is already above 0."""

    def at(self, step: int) -> float:
        """The learning rate of a step, counted from 0 since the start of the run."""
        step += self.shift
        if step < self.warmup:
            return self._reached * (step + 1) / self.warmup
        return self._main(step)

    @property
    def _reached(self) -> float:
        """The learning rate at the end of the warm-up."""
        return self._main(self.warmup)

    def _main(self, step: int) -> float:
        steps, rate, schedule = self.length.steps, self.rate, self.schedule
        done = min(1.0, (step - self.warmup) / max(1, self.length.total - self.warmup))
        match schedule:
            case Cosine():
                return schedule.end + (rate - schedule.end) * (1 + math.cos(math.pi * done)) / 2
            case Linear():
                return rate + (schedule.end - rate) * done
            case Step():
                return rate * schedule.factor ** (step // steps // schedule.every)
            case MultiStep():
                passed = sum(1 for epoch in schedule.at if step >= epoch * steps)
                return rate * schedule.factor**passed
            case OneCycle():
                return rate * _one_cycle(schedule, step, self.length.total)
            case Triangular():
                return rate * _triangle(schedule, step, self.length.total)
            case Plateau():
                assert self.plateau is not None
                return max(rate * self.plateau.factor, min(rate, schedule.end))
            case Constant():
                return rate
        return rate * float(schedule.share_of_rate(done, step / steps))


def _one_cycle(schedule: OneCycle, step: int, total: int) -> float:
    """The factor of the learning rate: it follows half a cosine wave up and half a wave down, as in
    torch's OneCycleLR."""
    top = max(0.0, schedule.up * total - 1)
    if step < top:
        return _wave(schedule.start, 1.0, step / top)
    down = (total - 1) - top
    return _wave(1.0, schedule.end, min(1.0, (step - top) / down) if down > 0 else 0.0)


def _triangle(schedule: Triangular, step: int, total: int) -> float:
    """The factor of the learning rate. It would reach `end` one step after the last."""
    top = int(schedule.up * total)
    if step < top:
        return schedule.start + (1 - schedule.start) * step / top
    return 1 + (schedule.end - 1) * min(1.0, (step - top) / max(1, total - top))


def _wave(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


class PlateauState:
    """The state of `schedule plateau`, the only schedule with a state in the checkpoint."""

    def __init__(self, schedule: Plateau) -> None:
        self.schedule = schedule
        self.factor = 1.0
        self.best: float | None = None
        self.waited = 0
        """Epochs without improvement."""

    def epoch(self, value: float, epochs: int = 1) -> bool:
        """Called after each validation, with the number of epochs since the one before; returns
        whether the learning rate is reduced now."""
        if is_better(self.schedule.metric, value, self.best, self.schedule.by):
            self.best, self.waited = value, 0
            return False
        self.waited += epochs
        if self.waited <= self.schedule.patience:
            return False
        self.waited = 0
        self.factor *= self.schedule.factor
        return True

    def state(self) -> dict[str, Any]:
        return {"factor": self.factor, "best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        self.factor = float(state["factor"])
        self.best = None if state["best"] is None else float(state["best"])
        self.waited = int(state["waited"])
