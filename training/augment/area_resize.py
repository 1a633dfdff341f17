"""Images resized, or cropped and resized, averaging over all pixels that become one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment import RESIZE, Crop, Resize
from ...compiler.plan.fusion import Step
from .per_image import BoundPass
from .registry import Resources, implements
from .transforms import PART_DRAWS, parts


@implements(Resize, RESIZE)
class AreaResize:
    """All images to the same size."""

    def __init__(self, directive: Resize, step: Step, resources: Resources) -> None:
        self._size, self._mode = step.leaving, directive.mode

    def __call__(self, drawn: Tensor) -> BoundPass:
        return lambda images, _: _resized(images, self._size, self._mode)


@implements(Crop, RESIZE)
class AreaCrop:
    """A random part of each image to the same size."""

    def __init__(self, directive: Crop, step: Step, resources: Resources) -> None:
        self._directive, self._step = directive, step
        self._at = resources.layout.reserve(step.number, 1, PART_DRAWS)

    def __call__(self, drawn: Tensor) -> BoundPass:
        size = self._step.leaving
        boxes = parts(drawn[self._at], self._directive, self._step.arriving).int().tolist()

        def crop(images: Tensor, piece: slice) -> Tensor:
            made = [
                _resized(one[:, top : top + height, left : left + width][None], size, "bilinear")
                for one, (left, top, width, height) in zip(images, boxes[piece], strict=True)
            ]
            return torch.cat(made)

        return crop


def _resized(images: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    if mode == "nearest":
        return F.interpolate(images, size, mode="nearest-exact")
    made = F.interpolate(images, size, mode=mode, align_corners=False, antialias=True)
    return made.clamp_(0, 255) if mode == "bicubic" else made
