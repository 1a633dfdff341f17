"""Makes images worse (`degrade noise 25`), step by step.

The random numbers of an image depend on the seed, the epoch and its index alone, as those of the
augmentation. In evaluation there is one epoch, so that an image is always made worse in the same
way, in every run and process.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import singledispatch

import numpy
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ...compiler.plan.augment.passes import kernel_size
from ...compiler.plan.degradation import (
    Degradation,
    DegradeBlur,
    DegradeDownscale,
    DegradeGray,
    DegradeJpeg,
    DegradeNoise,
)
from ..augment.gaussian import blurred
from ..augment.noise_table import NoiseTable
from ..augment.random_numbers import Draws, Layout, within
from ..runtime.to_device import to_device

EVALUATION = -1
"""In place of an epoch and of a seed: those of evaluation, which differ from all of training."""

_NUMBERS = 2
"""The random numbers that a step may use: a strength, and a place in the table of noise."""

Step = Callable[[Tensor, Tensor, NoiseTable], Tensor]
"""Called with images (float32, from 0 to 255), the random numbers of each, and a table of noise."""


class Degrade:
    """The steps of a plan."""

    def __init__(self, steps: Sequence[Degradation], seed: int) -> None:
        layout = Layout()
        self._steps = [
            (step_of(one), layout.reserve(n, 0, _NUMBERS)) for n, one in enumerate(steps)
        ]
        self._training = Draws(layout, seed), NoiseTable(seed, "normal")
        self._evaluation = Draws(layout, EVALUATION), NoiseTable(EVALUATION, "normal")

    def __call__(self, images: Tensor, indices: Tensor, epoch: int) -> Tensor:
        """Images (float32, from 0 to 255) made worse, perhaps of another size or in gray; in an
        epoch of training, or in `EVALUATION`."""
        if not self._steps:
            return images
        draws, table = self._evaluation if epoch == EVALUATION else self._training
        drawn = draws(epoch, to_device(indices, images.device))
        for step, places in self._steps:
            images = step(images, drawn[places], table).clamp(0, 255)
        return images


@singledispatch
def step_of(step: Degradation) -> Step:
    """What does a step of a plan."""
    raise AssertionError(step.word)


@step_of.register
def _(step: DegradeNoise) -> Step:
    def add(images: Tensor, drawn: Tensor, table: NoiseTable) -> Tensor:
        strength, place = drawn
        deviation = within(strength, *step.deviation).view(-1, 1, 1, 1)
        noise = table.rows(place, images[0].numel()).view(images.shape)
        return images + noise * deviation

    return add


@step_of.register
def _(step: DegradeBlur) -> Step:
    size = kernel_size(step.sigma[1], 6)
    return lambda images, drawn, _: blurred(images, within(drawn[0], *step.sigma), size)


@step_of.register
def _(step: DegradeDownscale) -> Step:
    def shrink(images: Tensor, drawn: Tensor, table: NoiseTable) -> Tensor:
        height, width = (max(1, round(side / step.factor)) for side in images.shape[-2:])
        return scaled(images, (height, width), step.mode)

    return shrink


@step_of.register
def _(step: DegradeJpeg) -> Step:
    def compress(images: Tensor, drawn: Tensor, table: NoiseTable) -> Tensor:
        qualities = within(drawn[0], *step.quality).round().int().tolist()
        pixels = images.round().to(torch.uint8).cpu()
        saved = [_jpeg(one, quality) for one, quality in zip(pixels, qualities, strict=True)]
        return torch.stack(saved).to(images)

    return compress


@step_of.register
def _(step: DegradeGray) -> Step:
    return lambda images, drawn, table: in_gray(images).expand_as(images)


def _jpeg(image: Tensor, quality: int) -> Tensor:
    """An image (uint8, C x H x W) as a JPEG file has it."""
    file = io.BytesIO()
    planes = image[0] if len(image) == 1 else image.permute(1, 2, 0).contiguous()
    Image.fromarray(planes.numpy()).save(file, "JPEG", quality=quality)
    pixels = torch.from_numpy(numpy.array(Image.open(file)))
    return pixels[None] if len(image) == 1 else pixels.permute(2, 0, 1)


def in_gray(images: Tensor) -> Tensor:
    """Colors as one channel of gray (ITU-R 601); other images as the mean of their channels."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    weights = torch.tensor([0.299, 0.587, 0.114], device=images.device).view(3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def scaled(images: Tensor, size: tuple[int, int], mode: str = "bicubic") -> Tensor:
    """Images of another size (float32), antialiased if they shrink."""
    if images.shape[-2:] == size:
        return images
    if mode == "nearest":
        return F.interpolate(images, size, mode="nearest-exact")
    result = F.interpolate(images, size, mode=mode, align_corners=False, antialias=True)
    return result.clamp(0, 255)
