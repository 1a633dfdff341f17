"""What an evaluation comes to: the numbers, and who was taken for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class Outcome(NamedTuple):
    """Of all images of a part, in its order."""

    part: str
    metrics: Mapping[str, float]
    """By name: `loss`, `top1`, `top5`, `precision`, `recall`, `f1` as far as they make sense."""
    per_class: Mapping[str, Mapping[str, float]]
    """By class: `images`, `precision`, `recall`, `f1`; as `images` is a count, all are numbers."""
    confusion: Tensor
    """int64, classes x classes: rows are what images are, columns what they were taken for."""
    probabilities: Tensor
    """float32, images x classes, on the CPU."""
    labels: Tensor
    """int64, on the CPU."""
