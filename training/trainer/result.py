"""The result of a run: what `train` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from ..data.images.preprocessing import Preparation
from ..metrics.outcome import Outcome
from ..metrics.verdict.facts import Finding
from .loop import INTERRUPTED


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """The best network of a run, its metrics, and where its files are."""

    folder: Path
    reason: str
    """Why training ended: `done`, `early stop`, `callback stop` or `interrupted`."""
    epochs: int
    """Completed epochs."""
    best_epoch: int | None
    metrics: Mapping[str, float]
    """The metrics of the best weights on the validation set; if training was interrupted, those of
    the last epoch."""
    seconds: float
    module: nn.Module = field(repr=False)
    """The network in evaluation mode. It returns logits for images that `preparation` has
    preprocessed."""
    classes: tuple[str, ...] = field(repr=False)
    preparation: Preparation = field(repr=False)
    outcome: Outcome | None = field(repr=False)
    """The evaluation on the validation set; None if training was interrupted."""
    test: Outcome | None = field(repr=False)
    """The evaluation on the test set; None if there is no test set."""
    report: Path | None
    """The path of report.html; None if it was not written."""
    verdict: tuple[Finding, ...] = ()
    """What the metrics of the run show; empty if nothing is certain."""
    why: str = ""
    """The reason that a callback gave for its stop."""
    trouble: str = ""
    """Why not all files could be written; empty if they were."""

    @property
    def interrupted(self) -> bool:
        return self.reason == INTERRUPTED
