"""Progressive resizing (`resize 128..192 by=epoch`): early epochs see smaller images, whose steps
take less time. It comes last, on the images of a whole batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment.augmentation import Augmentation
from ...compiler.plan.plan import TrainPlan
from ..tasks.rows_with_maps import NOTHING_BEHIND, Behind, with_maps, without_maps
from .module import IMAGES, MASKS


class Progressive:
    """Resizes batches to the size of their epoch."""

    def __init__(self, directive: Augmentation, plan: TrainPlan) -> None:
        size, shorter = plan.input[1:], min(plan.input[1:])
        self._mode: str = directive.arguments["mode"]
        self._sizes = [
            (size[0] * side // shorter, size[1] * side // shorter)
            for side in directive.sides(plan.train.epochs.whole)
        ]

    def batch(
        self, images: Tensor, labels: Tensor, epoch: int, behind: Behind = NOTHING_BEHIND
    ) -> tuple[Tensor, Tensor]:
        """A batch at the size of an epoch: masks and targets become smaller with their images; each
        pixel of a mask is the nearest one. `behind` are the maps behind the rows of
        labels."""
        resized = self(images, epoch)
        size = resized.shape[-2:]
        if behind.channels and resized.shape != images.shape:
            rows, maps = without_maps(labels, behind.channels, images.shape[-2:])
            answers, masks = maps[:, : behind.images], maps[:, behind.images :]
            smaller = [F.interpolate(masks, size, mode="nearest-exact")] if behind.masks else []
            if behind.images:
                smaller.insert(0, F.interpolate(answers, size, mode="bilinear", antialias=True))
            return resized, with_maps(rows, torch.cat(smaller, 1))
        if labels.ndim == IMAGES and resized.shape != images.shape:
            times = labels.shape[-1] // images.shape[-1]
            larger = times * resized.shape[-2], times * resized.shape[-1]
            labels = F.interpolate(labels.float(), larger, mode="bilinear", antialias=True)
        if labels.ndim == MASKS and resized.shape != images.shape:
            labels = F.interpolate(labels.unsqueeze(1), size, mode="nearest-exact").squeeze(1)
        return resized, labels

    def __call__(self, images: Tensor, epoch: int) -> Tensor:
        """Images at the size of an epoch, counted from 0; unchanged at the size of the input."""
        size = self._sizes[min(epoch, len(self._sizes) - 1)]
        if size == images.shape[-2:]:
            return images
        if self._mode == "nearest":
            return F.interpolate(images, size, mode="nearest-exact")
        return F.interpolate(images, size, mode=self._mode, align_corners=False, antialias=True)


def progressive(plan: TrainPlan) -> Progressive | None:
    """The progressive resizing of a plan; None if images have the same size in all epochs."""
    for directive in plan.augment:
        if directive.by_epoch:
            return Progressive(directive, plan)
    return None
