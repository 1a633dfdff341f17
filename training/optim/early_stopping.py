"""Early stopping (`early_stop 10 metric=loss`): ends training when a metric stops improving."""

from __future__ import annotations

from typing import Any

from ...compiler.plan.train import EarlyStop
from ..metrics.better import is_better


class EarlyStopping:
    """Counts epochs without improvement."""

    def __init__(self, directive: EarlyStop) -> None:
        self.directive = directive
        self.best: float | None = None
        self.waited = 0
        """Epochs without improvement."""

    def epoch(self, value: float, epochs: int = 1) -> bool:
        """Called after each validation, with the number of epochs since the one before; returns
        whether training should stop."""
        if is_better(self.directive.metric, value, self.best, self.directive.by):
            self.best, self.waited = value, 0
        else:
            self.waited += epochs
        return self.over

    @property
    def over(self) -> bool:
        """Whether training should stop."""
        return self.waited >= self.directive.patience

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        self.best = None if state["best"] is None else float(state["best"])
        self.waited = int(state["waited"])
