"""`early_stop 10 metric=loss`: an end when nothing gets better any more."""

from __future__ import annotations

from typing import Any

from ...compiler.plan.train import EarlyStop
from ..metrics.confusion import is_better


class EarlyStopping:
    """How long nothing has got better."""

    def __init__(self, directive: EarlyStop) -> None:
        self.directive = directive
        self.best: float | None = None
        self.waited = 0
        """Epochs without a better result."""

    def epoch(self, value: float) -> bool:
        """After each epoch, with the result; says whether it is enough."""
        if is_better(self.directive.metric, value, self.best, self.directive.by):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.over

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self.waited >= self.directive.patience

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        self.best = None if state["best"] is None else float(state["best"])
        self.waited = int(state["waited"])
