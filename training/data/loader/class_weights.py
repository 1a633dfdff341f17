"""Class weights (`weights balanced`) against class imbalance."""

from __future__ import annotations

import torch
from torch import Tensor

from ....compiler.plan.loss import Weights
from ..dataset import Dataset
from ..diagnostic import counted, problem


def class_weights(weights: Weights, data: Dataset) -> Tensor | None:
    """The weight of each class, float32; None if all classes have the same weight.

    `balanced` is images / (classes x images of the class): all classes have the same total weight,
    and the mean over all images is 1. A class without images has the weight 0.
    """
    given = weights.classes
    if given == "equal":
        return None
    if given == "balanced":
        counts = torch.tensor(data.train.counts, dtype=torch.float64)
        nonempty = int((counts > 0).sum())
        balanced = counts.sum() / (nonempty * counts.clamp(min=1))
        return torch.where(counts > 0, balanced, 0).float()
    if len(given) != len(data.classes):
        raise problem(
            "class-weights",
            f"{counted(len(given), 'weight')} for {counted(len(data.classes), 'class', 'classes')}",
            weights,
            argument="classes",
            help="give one weight for each class, or write `weights balanced`",
        )
    return torch.tensor(given, dtype=torch.float32)
