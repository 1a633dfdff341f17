"""What `train` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from ..data.images.preprocessing import Preparation
from ..metrics.outcome import Outcome
from .loop import INTERRUPTED


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """The best network of a run, and how well it does."""

    folder: Path
    reason: str
    """Why training ended: `done`, `early stop` or `interrupted`."""
    epochs: int
    """Completed epochs."""
    best_epoch: int | None
    metrics: Mapping[str, float]
    """Of the best weights on the validation set; of the last epoch where training was
    interrupted."""
    seconds: float
    module: nn.Module = field(repr=False)
    """In evaluation mode; gives logits for images that `preparation` has preprocessed."""
    classes: tuple[str, ...] = field(repr=False)
    preparation: Preparation = field(repr=False)
    outcome: Outcome | None = field(repr=False)
    """The evaluation on the validation set; None where training was interrupted."""
    test: Outcome | None = field(repr=False)
    """The evaluation on the test set, where there is one."""
    report: Path | None
    """report.html."""
    trouble: str = ""
    """Why not everything could be written to disk; empty where everything was."""

    @property
    def interrupted(self) -> bool:
        return self.reason == INTERRUPTED
