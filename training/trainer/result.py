"""What came of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from ..data.images.preprocessing import Preparation
from ..metrics.outcome import Outcome


@dataclass(frozen=True, eq=False)
class Result:
    """The best network of a run, and how well it does."""

    folder: Path
    reason: str
    """`done`, `early stop` or `interrupted`."""
    epochs: int
    """That were done."""
    best_epoch: int | None
    metrics: Mapping[str, float]
    """Of the best weights, on the images for validation; of the last epoch, where interrupted."""
    seconds: float
    module: nn.Module = field(repr=False)
    """In evaluation mode; gives logits for images that `preparation` has prepared."""
    classes: tuple[str, ...] = field(repr=False)
    preparation: Preparation = field(repr=False)
    outcome: Outcome | None = field(repr=False)
    """All about validation; None where it was interrupted."""
    test: Outcome | None = field(repr=False)
    """The same of the images that were kept for a last test."""
    report: Path | None
    trouble: str = ""
    """Why not everything could be written; empty where all is well."""

    @property
    def interrupted(self) -> bool:
        return self.reason == "interrupted"
