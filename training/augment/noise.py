"""Additive Gaussian noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...compiler.plan.augment.passes import NOISE
from ...compiler.plan.augment.pixels import Noise
from ...compiler.plan.fusion import Step
from .noise_table import SMALL, NoiseTable
from .per_image import BoundPass
from .random_numbers import within
from .registry import Resources, implements


@implements(Noise, NOISE)
class AddNoise:
    """Adds noise to each pixel, then clips values to 0..255, if they are pixel values."""

    def __init__(self, directive: Noise, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._table = resources.normal
        self._bounds = (0.0, 255.0) if resources.clips else (-math.inf, math.inf)
        self._at = resources.layout.reserve(step.number, 0, 3)

    def __call__(self, drawn: Tensor) -> BoundPass:
        chance, strength, place = drawn[self._at]
        directive, table, bounds = self._directive, self._table, self._bounds
        deviation = within(strength, *directive.deviation) * 255
        if directive.p < 1:
            deviation = torch.where(chance < directive.p, deviation, 0.0)
        if drawn.device.type != "cpu":
            return lambda images, piece: _at_once(
                images, deviation[piece], table, place[piece]
            ).clamp_(*bounds)
        alphas = deviation.tolist()

        def add(images: Tensor, piece: slice) -> Tensor:
            count = images[0].numel()
            if count < SMALL or images.requires_grad:
                noisy = _at_once(images, deviation[piece], table, place[piece])
                return noisy.clamp_(*bounds)
            numbers = table.numbers(count, images.device)
            starts = table.starts(place[piece], count, images.device).tolist()
            flat = images.view(len(images), -1)
            for image, start, alpha in zip(flat, starts, alphas[piece], strict=True):
                if alpha:
                    image.add_(numbers[start : start + count], alpha=alpha)
            return images.clamp_(*bounds)

        return add


def _at_once(images: Tensor, deviation: Tensor, table: NoiseTable, place: Tensor) -> Tensor:
    noise = table.rows(place, images[0].numel()).view(images.shape)
    noise.mul_(deviation.view(-1, *[1] * (images.ndim - 1)))
    return images + noise if images.requires_grad else images.add_(noise)
