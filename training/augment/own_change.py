"""The augmentations of plug-ins: each makes its change on a few images at a time, as others do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...compiler.plan.fusion import Step
from ...compiler.plan.own_augmentation import OWN, Augmentation
from .per_image import BoundPass, Moving
from .registry import Resources, implements
from .series_passes import SeriesPass

ON_SERIES = "own change of series"


@implements(Augmentation, OWN)
class OwnChange:
    """Changes the images that are drawn with the probability `p`; the others stay as they are."""

    def __init__(self, directive: Augmentation, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._bounds = (0.0, 255.0) if resources.clips else (-math.inf, math.inf)
        self._at = resources.layout.reserve(step.number, 0, 1 + directive.draws)

    def __call__(self, drawn: Tensor) -> BoundPass:
        chance, *_ = numbers = drawn[self._at]
        directive, own = self._directive, numbers[1:]
        chosen = (chance < directive.p).view(-1, 1, 1, 1)
        always = directive.p >= 1

        def change(images: Tensor, piece: slice) -> Tensor:
            given = images if always else images.clone()
            changed: Tensor = directive.change(given, own[:, piece])
            _same_shape(changed, images, directive)
            if not always:
                changed = torch.where(chosen[piece], changed, images)
            return changed.clamp(*self._bounds)

        def change_masks(masks: Tensor, piece: slice) -> Tensor:
            changed: Tensor = directive.change_masks(masks.clone(), own[:, piece])
            _same_shape(changed, masks, directive)
            return torch.where(chosen[piece], changed, masks)

        return Moving(change, change_masks, change)


@implements(Augmentation, ON_SERIES)
class OwnSeriesChange(SeriesPass):
    """The same for series and scans, which have no limits."""

    def __init__(self, directive: Augmentation, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._at = resources.layout.reserve(step.number, 0, 1 + directive.draws)

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        chance, *_ = numbers = drawn[self._at]
        changed: Tensor = self._directive.change(series.clone(), numbers[1:])
        _same_shape(changed, series, self._directive)
        chosen = chance < self._directive.p
        return torch.where(chosen.view(-1, *[1] * (series.ndim - 1)), changed, series)

    def masks(self, masks: Tensor, drawn: Tensor) -> Tensor:
        chance, *_ = numbers = drawn[self._at]
        changed: Tensor = self._directive.change_masks(masks.unsqueeze(1).clone(), numbers[1:])
        _same_shape(changed, masks.unsqueeze(1), self._directive)
        chosen = chance < self._directive.p
        return torch.where(chosen.view(-1, *[1] * (masks.ndim - 1)), changed.squeeze(1), masks)


def _same_shape(changed: Tensor, images: Tensor, directive: Augmentation) -> None:
    if changed.shape != images.shape:
        raise ValueError(
            f"`{directive.word}` made {tuple(changed.shape)} of {tuple(images.shape)}: it has to"
            " keep the shape"
        )
