"""The loss and the learning rate step by step, as points of a curve.

A long run has millions of steps, and no curve needs them: a point is the mean of a few steps, so
that a run has at most about `MOST` of them. They are handed over every few seconds, and at the end
of each epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from ..trainer.callbacks import RunStart, Step

MOST = 10_000
SECONDS = 15.0
"""Between two hand-overs within an epoch."""


class Point(NamedTuple):
    step: int
    """The last step of those that it stands for, counted from the start of the run."""
    loss: float
    """Their mean."""
    lr: float
    epoch: int


class StepPoints:
    """Collects points."""

    def __init__(self, start: RunStart, *, now: Callable[[], float] = time.monotonic) -> None:
        self._every = -(-start.total_steps // MOST) or 1
        self._points: list[Point] = []
        self._sum, self._count = 0.0, 0
        self._now = now
        self._next = now() + SECONDS

    def add(self, step: Step) -> bool:
        """Adds a step; returns whether it is time to take the points."""
        self._sum += step.loss
        self._count += 1
        if step.steps % self._every == 0:
            self._points.append(Point(step.steps, self._sum / self._count, step.lr, step.epoch))
            self._sum, self._count = 0.0, 0
        return bool(self._points) and self._now() >= self._next

    def take(self) -> list[Point]:
        """The points since the last call."""
        taken, self._points = self._points, []
        self._next = self._now() + SECONDS
        return taken
