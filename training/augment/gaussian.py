"""Bells: blur, and the evenness of a warp from place to place."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment import Blur as BlurDirective
from ...compiler.plan.augment import Elastic as ElasticDirective
from ...compiler.plan.fusion import Size, Step, bell_size
from .noise_table import Table
from .per_image import Ready
from .random_numbers import Layout, within


class Blur:
    """A pass of blur, each image with a bell of its own."""

    def __init__(self, step: Step, layout: Layout) -> None:
        assert isinstance(step.directive, BlurDirective)
        self._directive = step.directive
        self._at = layout.reserve(step.number, 0, 2)

    def __call__(self, drawn: Tensor) -> Ready:
        chance, strength = drawn[self._at]
        within_range = within(strength, *self._directive.sigma)
        sigma = torch.where(chance < self._directive.p, within_range, 0.0)
        size = bell_size(self._directive.sigma[1], 6)
        return lambda images, piece: blurred(images, sigma[piece], size)


def blurred(images: Tensor, sigma: Tensor, size: int) -> Tensor:
    """Beyond the border the image is mirrored, its last pixel once, as torchvision has it; so a
    bell is never wider than twice the image."""
    count, channels, height, width = images.shape
    rows = bell(sigma, min(size, 2 * height - 1))
    columns = bell(sigma, min(size, 2 * width - 1))
    far, wide = rows.shape[1] // 2, columns.shape[1] // 2
    laid = F.pad(images, (wide, wide, far, far), mode="reflect")
    laid = laid.reshape(1, count * channels, *laid.shape[2:])
    kernel = rows.repeat_interleave(channels, 0)[:, None, :, None]
    laid = F.conv2d(laid, kernel, groups=count * channels)
    kernel = columns.repeat_interleave(channels, 0)[:, None, None, :]
    return F.conv2d(laid, kernel, groups=count * channels).view(images.shape)


def bell(sigma: Tensor, size: int) -> Tensor:
    """N x size, adding up to 1; without a deviation, the pixel itself."""
    half = (size - 1) / 2
    x = torch.linspace(-half, half, size, device=sigma.device)
    heights: Tensor = (x / sigma.clamp(min=1e-3).unsqueeze(1)).square().mul(-0.5).exp()
    return heights / heights.sum(1, keepdim=True)


class Elastic:
    """How far each pixel of each image is moved: N x 2 x H x W, x and y."""

    def __init__(self, step: Step, layout: Layout, table: Table) -> None:
        assert isinstance(step.directive, ElasticDirective)
        self._directive = step.directive
        self._table = table
        self._at = layout.reserve(step.number, 0, 2)

    def __call__(self, drawn: Tensor, size: Size) -> Callable[[slice], Tensor]:
        chance, place = drawn[self._at]
        directive, (height, width) = self._directive, size
        sigma = torch.full_like(chance, directive.sigma)
        strength = torch.where(chance < directive.p, directive.alpha / 2, 0.0).view(-1, 1, 1, 1)

        def field(piece: slice) -> Tensor:
            even = self._table.rows(place[piece], 2 * height * width)
            even = even.view(-1, 2, height, width)
            moved = blurred(even, sigma[piece], bell_size(directive.sigma, 8))
            return moved * strength[piece]

        return field
