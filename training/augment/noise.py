"""Something drawn added to each number."""

from __future__ import annotations

import torch
from torch import Tensor

from ...compiler.plan.augment import Noise as Directive
from ...compiler.plan.fusion import Step
from .draws import Layout, within
from .table import Table

_LOOPS = "cpu"
"""Where images one by one are faster than all at once: nothing is laid out in between."""


class Noise:
    """A pass of noise; what it drives out of 0..255 is cut off."""

    def __init__(self, step: Step, layout: Layout, table: Table) -> None:
        assert isinstance(step.directive, Directive)
        self._directive = step.directive
        self._table = table
        self._at = layout.reserve(step.number, 0, 3)

    def __call__(self, images: Tensor, drawn: Tensor) -> Tensor:
        """float32 of 0..255, changed in place."""
        chance, strength, place = drawn[self._at]
        deviation = within(strength, *self._directive.deviation) * 255
        deviation = torch.where(chance < self._directive.p, deviation, 0.0)
        count = images[0].numel()
        if images.device.type != _LOOPS or images.requires_grad:
            noise = self._table.rows(place, count).view(images.shape)
            return (images + noise * deviation.view(-1, *[1] * (images.ndim - 1))).clamp(0, 255)
        numbers = self._table.numbers(count, images.device)
        starts = self._table.starts(place, count, images.device).tolist()
        flat = images.view(len(images), -1)
        for image, start, alpha in zip(flat, starts, deviation.tolist(), strict=True):
            if alpha:
                image.add_(numbers[start : start + count], alpha=alpha)
        return images.clamp_(0, 255)
