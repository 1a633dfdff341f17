"""Images made smaller, or cut out and made smaller: averages over all pixels that become one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment import Crop
from ...compiler.plan.augment import Resize as Directive
from ...compiler.plan.fusion import Step
from .per_image import Ready
from .random_numbers import Layout
from .transforms import PART_DRAWS, parts


class Resize:
    """A pass of either."""

    def __init__(self, step: Step, layout: Layout) -> None:
        assert isinstance(step.directive, Crop | Directive)
        self._step = step
        self._directive = step.directive
        self._at = layout.reserve(step.number, 1, PART_DRAWS)

    def __call__(self, drawn: Tensor) -> Ready:
        directive, size = self._directive, self._step.leaves
        if not isinstance(directive, Crop):
            return lambda images, _: _resized(images, size, directive.mode)
        boxes = parts(drawn[self._at], directive, self._step.arrives).int().tolist()

        def cut(images: Tensor, piece: slice) -> Tensor:
            made = [
                _resized(one[:, top : top + height, left : left + width][None], size, "bilinear")
                for one, (left, top, width, height) in zip(images, boxes[piece], strict=True)
            ]
            return torch.cat(made)

        return cut


def _resized(images: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    if mode == "nearest":
        return F.interpolate(images, size, mode="nearest-exact")
    made = F.interpolate(images, size, mode=mode, align_corners=False, antialias=True)
    return made.clamp_(0, 255) if mode == "bicubic" else made
