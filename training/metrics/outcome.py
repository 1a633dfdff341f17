"""The result of an evaluation: metrics, confusion matrix, probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class Outcome(NamedTuple):
    """For all images of a part, in its order."""

    part: str
    metrics: Mapping[str, float]
    """By name: `loss`, `top1`, `top5`, `precision`, `recall`, `f1`."""
    per_class: Mapping[str, Mapping[str, float]]
    """By class: `images` (a count), `precision`, `recall`, `f1`."""
    confusion: Tensor
    """int64, classes x classes: rows are true classes, columns predicted ones."""
    probabilities: Tensor
    """float32, images x classes, on the CPU."""
    labels: Tensor
    """int64, on the CPU."""
