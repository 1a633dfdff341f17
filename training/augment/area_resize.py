"""Antialiased resizing, and random crops that are resized: pixels are averaged, not skipped."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment import RESIZE, Crop, Resize
from ...compiler.plan.fusion import Step
from .per_image import BoundPass, ChosenOnCpu
from .registry import Resources, implements
from .transforms import PART_DRAWS, parts


@implements(Resize, RESIZE)
class AreaResize:
    """Resizes all images to the same size."""

    def __init__(self, directive: Resize, step: Step, resources: Resources) -> None:
        self._size, self._mode = step.output_size, directive.mode

    def __call__(self, drawn: Tensor) -> BoundPass:
        return lambda images, _: _resized(images, self._size, self._mode)


@implements(Crop, RESIZE)
class AreaCrop(ChosenOnCpu):
    """Cuts a random part out of each image, and resizes all parts to the same size."""

    def __init__(self, directive: Crop, step: Step, resources: Resources) -> None:
        self._directive, self._step = directive, step
        self._at = resources.on_cpu.reserve(step.number, 1, PART_DRAWS)

    def __call__(self, drawn: Tensor) -> BoundPass:
        size = self._step.output_size
        boxes = parts(drawn[self._at], self._directive, self._step.input_size).int().tolist()

        def crop(images: Tensor, piece: slice) -> Tensor:
            resized = [
                _resized(one[:, top : top + height, left : left + width][None], size, "bilinear")
                for one, (left, top, width, height) in zip(images, boxes[piece], strict=True)
            ]
            return torch.cat(resized)

        return crop


def _resized(images: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    if mode == "nearest":
        return F.interpolate(images, size, mode="nearest-exact")
    resized = F.interpolate(images, size, mode=mode, align_corners=False, antialias=True)
    return resized.clamp_(0, 255) if mode == "bicubic" else resized
