"""Class weights (`weights balanced`) against class imbalance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ....compiler.plan.loss import Weights
from ..diagnostic import counted, problem


def class_weights(weights: Weights, classes: Sequence[str], counts: Sequence[int]) -> Tensor | None:
    """The weight of each class, of which there are `counts` training images, float32; None if all
    classes have the same weight.

    `balanced` is images / (classes x images of the class): all classes have the same total weight,
    and the mean over all images is 1. A class without images has the weight 0.
    """
    given = weights.classes
    if given == "equal":
        return None
    if given == "balanced":
        images = torch.tensor(counts, dtype=torch.float64)
        nonempty = int((images > 0).sum())
        balanced = images.sum() / (nonempty * images.clamp(min=1))
        return torch.where(images > 0, balanced, 0).float()
    if len(given) != len(classes):
        raise problem(
            "class-weights",
            f"{counted(len(given), 'weight')} for {counted(len(classes), 'class', 'classes')}",
            weights,
            argument="classes",
            help="give one weight for each class, or write `weights balanced`",
        )
    return torch.tensor(given, dtype=torch.float32)
