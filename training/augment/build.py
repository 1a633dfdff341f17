"""The module that augments, made from a plan and its preprocessing."""

from __future__ import annotations

import torch

from ...compiler.plan.fusion import Fusion, fuse
from ...compiler.plan.plan import TrainPlan
from ..data.images.preprocessing import Preparation
from .module import Augmenter
from .registry import Normalization


def augmenter(
    plan: TrainPlan, preparation: Preparation, *, reuse: bool = False
) -> Augmenter | None:
    """None where the plan augments nothing. It works on the device that the images are on; with
    `reuse`, images that it made may be written over when it makes the next ones."""
    if not plan.augment:
        return None
    seed, classes = plan.train.seed.value, plan.outputs[0]
    return augmenter_of(fuse(plan), preparation, seed, classes, reuse=reuse)


def augmenter_of(
    fusion: Fusion, preparation: Preparation, seed: int, classes: int, *, reuse: bool = False
) -> Augmenter:
    """The same for passes by themselves."""
    return Augmenter(
        fusion,
        _normalization(preparation),
        seed=seed,
        classes=classes,
        reverse=preparation.order == "bgr",
        reuse=reuse,
    )


def _normalization(preparation: Preparation) -> Normalization:
    """For the channels as they come: the preparation's own are for the order they leave in."""
    std = torch.tensor(preparation.std, dtype=torch.float64)
    mean = torch.tensor(preparation.mean, dtype=torch.float64)
    factor, offset = (preparation.scale / std).float(), (-mean / std).float()
    if preparation.order == "bgr":
        factor, offset = factor.flip(0), offset.flip(0)
    return factor, offset
