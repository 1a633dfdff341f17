"""The result of an evaluation: metrics, confusion matrix, answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from .comparison import Comparison

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Outcome(NamedTuple):
    """The result for all images of a part, in their order."""

    part: str
    metrics: Mapping[str, float]
    """The metrics by name: `loss`, `top1`, `top5`, `precision`, `recall`, `f1`."""
    per_class: Mapping[str, Mapping[str, float]]
    """For each class: `images` (their number), `precision`, `recall`, `f1`; for each number:
    `images`, `mae`, `rmse`, `r2`."""
    confusion: Tensor
    """int64, classes x classes: rows are true classes, columns predicted ones."""
    answers: Tensor
    """What the task answers, float32, on the CPU: for classes, probabilities, images x classes. For
    masks, which would be too many, how good each is: its mean IoU. For numbers, in their units."""
    labels: Tensor
    """int64, on the CPU; where they are numbers, float32 in their units, and NaN where missing."""
    comparisons: tuple[Comparison, ...] = ()
    """What test-time augmentation, or an ensemble, gains or loses."""
    outputs: Mapping[str, Any] = NOTHING
    """Of a network with several outputs: the outcome of each, an `Outcome`, by its name."""
    rows: Tensor | None = None
    """The indices of the images, if not all of the part have this label."""

    @property
    def undecided(self) -> int:
        """The number of images for which all classes are equally likely, to the last bit."""
        answers = self.answers
        if answers.ndim != 2 or answers.shape[1] < 2:
            return 0
        return int((answers == answers[:, :1]).all(1).sum())

    @property
    def probabilities(self) -> Tensor:
        """The answers of a classification."""
        return self.answers
