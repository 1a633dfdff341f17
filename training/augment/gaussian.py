"""Gaussian blur, and elastic displacement fields, which are smoothed by a Gaussian."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment.geometric import Elastic
from ...compiler.plan.augment.passes import BLUR, WARP, Size, kernel_size
from ...compiler.plan.augment.pixels import Blur
from ...compiler.plan.fusion import Step
from .per_image import BoundPass
from .random_numbers import within
from .registry import Resources, implements


@implements(Blur, BLUR)
class GaussianBlur:
    """Blurs each image with a Gaussian kernel of its own."""

    def __init__(self, directive: Blur, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._at = resources.layout.reserve(step.number, 0, 2)

    def __call__(self, drawn: Tensor) -> BoundPass:
        chance, strength = drawn[self._at]
        within_range = within(strength, *self._directive.sigma)
        sigma = torch.where(chance < self._directive.p, within_range, 0.0)
        size = kernel_size(self._directive.sigma[1], 6)
        return lambda images, piece: blurred(images, sigma[piece], size)


def blurred(images: Tensor, sigma: Tensor, size: int) -> Tensor:
    """Images blurred by kernels of deviation `sigma`. As in torchvision, the image is reflected at
    its border without repeating the last pixel; so a kernel is never wider than twice the image."""
    count, channels, height, width = images.shape
    rows = kernel_of(sigma, min(size, 2 * height - 1))
    columns = kernel_of(sigma, min(size, 2 * width - 1))
    above, left = rows.shape[1] // 2, columns.shape[1] // 2
    padded = F.pad(images, (left, left, above, above), mode="reflect")
    planes = padded.reshape(1, count * channels, *padded.shape[2:])
    kernel = rows.repeat_interleave(channels, 0)[:, None, :, None]
    planes = F.conv2d(planes, kernel, groups=count * channels)
    kernel = columns.repeat_interleave(channels, 0)[:, None, None, :]
    return F.conv2d(planes, kernel, groups=count * channels).view(images.shape)


def kernel_of(sigma: Tensor, size: int) -> Tensor:
    """Gaussian kernels, N x size, each of sum 1; for a deviation of 0, the identity."""
    half = (size - 1) / 2
    x = torch.linspace(-half, half, size, device=sigma.device)
    heights: Tensor = (x / sigma.clamp(min=1e-3).unsqueeze(1)).square().mul(-0.5).exp()
    return heights / heights.sum(1, keepdim=True)


@implements(Elastic, WARP)
class ElasticDisplacement:
    """Elastic displacement fields: how far each pixel moves in x and y, N x 2 x H x W."""

    def __init__(self, directive: Elastic, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._table = resources.uniform
        self._at = resources.layout.reserve(step.number, 0, 2)

    def __call__(self, drawn: Tensor, size: Size) -> Callable[[slice], Tensor]:
        chance, place = drawn[self._at]
        directive, (height, width) = self._directive, size
        sigma = torch.full_like(chance, directive.sigma)
        strength = torch.where(chance < directive.p, directive.alpha / 2, 0.0).view(-1, 1, 1, 1)

        def field(piece: slice) -> Tensor:
            even = self._table.rows(place[piece], 2 * height * width)
            even = even.view(-1, 2, height, width)
            moved = blurred(even, sigma[piece], kernel_size(directive.sigma, 8))
            return moved * strength[piece]

        return field
