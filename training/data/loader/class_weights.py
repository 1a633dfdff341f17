"""Weights of classes, so that rare ones count."""

from __future__ import annotations

import torch
from torch import Tensor

from ....compiler.plan.loss import Weights
from ..dataset import Dataset
from ..diagnostic import counted, problem


def class_weights(weights: Weights, data: Dataset) -> Tensor | None:
    """What each class counts, float32; None where all count alike.

    `balanced` is images / (classes x images of the class): every class together counts the same,
    and the mean over all images is 1. A class without images counts nothing.
    """
    given = weights.classes
    if given == "equal":
        return None
    if given == "balanced":
        counts = torch.tensor(data.train.counts, dtype=torch.float64)
        there = int((counts > 0).sum())
        balanced = counts.sum() / (there * counts.clamp(min=1))
        return torch.where(counts > 0, balanced, 0).float()
    if len(given) != len(data.classes):
        raise problem(
            "class-weights",
            f"{counted(len(given), 'weight')} for {counted(len(data.classes), 'class', 'classes')}",
            weights,
            argument="classes",
            help="give one for each, or write `weights balanced`",
        )
    return torch.tensor(given, dtype=torch.float32)
