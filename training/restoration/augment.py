"""Augments the images of a batch with their targets, and makes the inputs of the network from them.

What moves pixels or changes colors is done to an image and its target alike, with the same random
numbers; noise, blur and erased rectangles only to the image. Without pairs, this is done before the
image is made worse.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...compiler.plan.fusion import fuse, without_normalization
from ...compiler.plan.plan import TrainPlan
from ..augment.build import augmenter
from ..augment.module import Augmenter
from ..augment.series_module import SeriesAugmenter
from ..data.images.preprocessing import Preparation
from ..tasks.rows_with_maps import NOTHING_BEHIND, Behind
from .input_and_target import InputAndTarget, as_stored


class AugmentPairs:
    """As `Augmenter`, for images whose labels are images."""

    def __init__(
        self, plan: TrainPlan, preparation: Preparation, pairs: InputAndTarget, *, reuse: bool
    ) -> None:
        self._prepare, self._pairs = preparation.prepare, pairs
        self._augment: Augmenter | None = None
        if plan.augment:
            channels = pairs.stored_channels
            self._augment = Augmenter(
                without_normalization(fuse(as_stored(plan, channels))),
                (torch.ones(channels), torch.zeros(channels)),
                seed=plan.train.seed.value,
                classes=0,
                reuse=reuse,
                step=pairs.enlarges if pairs.pairs else 1,
            )
        self.guests = self._augment.guests if self._augment is not None else 0

    def __call__(
        self, images: Tensor, labels: Tensor, indices: Tensor, epoch: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Inputs, normalized, and targets (from 0 to 255)."""
        if self._augment is not None:
            if labels.shape[1] == 1:  # gray has colors that are equal
                labels = labels.expand(-1, images.shape[1], -1, -1)
            images, labels = self._augment(images, labels, indices, epoch)
            labels = labels[:, : self._pairs.target_channels]
        inputs = self._pairs.input(images, indices[: len(images)], epoch)
        return self._prepare(inputs), labels


def augmenter_for(
    plan: TrainPlan,
    preparation: Preparation,
    pairs: InputAndTarget | None,
    *,
    mixable: Callable[[Tensor], Tensor] | None = None,
    reuse: bool = False,
    behind: Behind = NOTHING_BEHIND,
) -> Augmenter | SeriesAugmenter | AugmentPairs | None:
    """The augmentation of a plan, also where labels are images; None if there is nothing to do.
    `behind` are the maps behind the rows of labels."""
    if pairs is not None:
        return AugmentPairs(plan, preparation, pairs, reuse=reuse)
    return augmenter(plan, preparation, mixable=mixable, reuse=reuse, behind=behind)
