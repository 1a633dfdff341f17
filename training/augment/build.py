"""Builds the augmentation module from a plan and its preprocessing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...compiler.plan.fusion import Fusion, fuse
from ...compiler.plan.plan import TrainPlan
from ..data.images.preprocessing import Preparation
from ..tasks.rows_with_maps import NOTHING_BEHIND, Behind
from .module import Augmenter
from .registry import Normalization
from .series_module import SeriesAugmenter


def augmenter(
    plan: TrainPlan,
    preparation: Preparation,
    *,
    mixable: Callable[[Tensor], Tensor] | None = None,
    reuse: bool = False,
    behind: Behind = NOTHING_BEHIND,
) -> Augmenter | SeriesAugmenter | None:
    """The augmentation of a plan; None if the plan has none. It runs on the device of the images.
    `mixable` turns labels into what can be mixed. With `reuse`, a call may overwrite the images
    that the call before returned. `behind` are the maps behind the rows of labels."""
    if not plan.augment:
        return None
    seed, classes = plan.train.seed.value, plan.outputs[0]
    return augmenter_of(
        fuse(plan), preparation, seed, classes, mixable=mixable, reuse=reuse, behind=behind
    )


def augmenter_of(
    fusion: Fusion,
    preparation: Preparation,
    seed: int,
    classes: int,
    *,
    mixable: Callable[[Tensor], Tensor] | None = None,
    reuse: bool = False,
    behind: Behind = NOTHING_BEHIND,
) -> Augmenter | SeriesAugmenter:
    """An augmentation module for passes that are already fused."""
    if fusion.sample:
        normalization = _normalization(preparation)
        return SeriesAugmenter(fusion, normalization, seed=seed, classes=classes, mixable=mixable)
    return Augmenter(
        fusion,
        _normalization(preparation),
        seed=seed,
        classes=classes,
        mixable=mixable,
        reverse=preparation.order == "bgr",
        reuse=reuse,
        inputs=[each.channels for each in preparation.inputs],
        clips=preparation.depth <= 16,
        behind=behind,
    )


def _normalization(preparation: Preparation) -> Normalization:
    """Factor and offset in the channel order of the input. Those of `preparation` are in the order
    of the output."""
    std = torch.tensor(preparation.std, dtype=torch.float64)
    mean = torch.tensor(preparation.mean, dtype=torch.float64)
    factor, offset = (preparation.scale / std).float(), (-mean / std).float()
    if preparation.order == "bgr":
        factor, offset = factor.flip(0), offset.flip(0)
    return factor, offset
