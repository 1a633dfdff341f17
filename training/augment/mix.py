"""Mixup and CutMix: two images of a batch become one, and their labels are mixed in proportion. The
masks of images are pasted like the images themselves.

An image is mixed with the next one, which is any other image, since they are shuffled. The last
image has no next one and is dropped: the caller passes one extra image for each mixing
(`Augmenter.guests`). So an image's partner does not depend on the process that works on them.
(data/loader/epoch_order.py says which one is the next.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...compiler.plan.augment.mixing import CutMix, Mixup
from ...compiler.plan.augment.passes import MIX
from ...compiler.plan.fusion import Step
from .random_numbers import whole
from .registry import Resources, implements

_POINTS = 2**14


def are_masks(labels: Tensor, samples: Tensor) -> bool:
    """Whether labels are a class for each pixel, step or voxel of a batch. Shares of classes have
    as many axes as the masks of series, and are floating point."""
    return labels.ndim == samples.ndim - 1 and labels.dtype == torch.uint8


class Shares:
    """Samples from Beta(alpha, alpha), each from one uniform number, by inverting the distribution
    function."""

    def __init__(self, alpha: float) -> None:
        # The integral of the density up to x = 1/2, over v = x**power: in v the density is bounded.
        self._power = min(alpha, 1.0)
        v = torch.linspace(0, 1, _POINTS, dtype=torch.float64) * 0.5**self._power
        x = v ** (1 / self._power)
        density = ((1 - x) * (x if alpha > 1 else 1)) ** (alpha - 1)
        steps = (density[1:] + density[:-1]) / 2
        below = torch.cat([steps.new_zeros(1), steps.cumsum(0)])
        self._v, self._below = v.float(), (below / below[-1] / 2).float()
        """Values of v, and the probability of being below each: one half at x = 1/2."""

    def __call__(self, uniform: Tensor) -> Tensor:
        if self._v.device != uniform.device:
            self._v, self._below = self._v.to(uniform.device), self._below.to(uniform.device)
        low = torch.minimum(uniform, 1 - uniform)
        right = torch.searchsorted(self._below, low.contiguous()).clamp(1, _POINTS - 1)
        before, after = self._below[right - 1], self._below[right]
        part = (low - before) / (after - before)
        v = self._v[right - 1] + part * (self._v[right] - self._v[right - 1])
        sampled = v.clamp(min=0) ** (1 / self._power)
        return torch.where(uniform < 0.5, sampled, 1 - sampled)


class Mix:
    """A pass over a whole batch that changes its images and their labels."""

    def __call__(self, images: Tensor, labels: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


@implements(Mixup, MIX)
class Blend(Mix):
    """Mixup: the weighted mean of two images."""

    def __init__(self, directive: Mixup, step: Step, resources: Resources) -> None:
        self._p = directive.p
        self._shares = Shares(directive.alpha)
        self._at = resources.layout.reserve(step.number, 0, 2)

    def __call__(self, images: Tensor, labels: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        chance, uniform = drawn[self._at, :-1]
        share = torch.where(chance < self._p, self._shares(uniform), 1.0)
        each = share.view(-1, *[1] * (images.ndim - 1))
        return torch.lerp(images[1:], images[:-1], each), mixed_labels(labels, share)


@implements(CutMix, MIX)
def paste(directive: CutMix, step: Step, resources: Resources) -> Mix:
    """CutMix of series pastes a span, that of images and spectrograms a rectangle."""
    kind = PasteSpan if step.input_size[0] == 1 and step.series else Paste
    return kind(directive, step, resources)


class PasteSpan(Mix):
    """CutMix of series: a span of one sample replaces the same span of another."""

    def __init__(self, directive: CutMix, step: Step, resources: Resources) -> None:
        self._p = directive.p
        self._length = step.input_size[1]
        self._shares = Shares(directive.alpha)
        self._at = resources.layout.reserve(step.number, 0, 3)

    def __call__(self, images: Tensor, labels: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        chance, uniform, place = drawn[self._at, :-1]
        wide = ((1 - self._shares(uniform)) * self._length).round() * (chance < self._p)
        start = whole(place, 0, self._length - wide).view(-1, 1, 1)
        at = torch.arange(self._length, device=images.device)
        inside = (at >= start) & (at < start + wide.view(-1, 1, 1))
        mixed = torch.where(inside, images[1:], images[:-1])
        if are_masks(labels, images):
            return mixed, torch.where(inside.squeeze(1), labels[1:], labels[:-1])
        return mixed, mixed_labels(labels, 1 - wide / self._length)


class Paste(Mix):
    """CutMix: a rectangle of one image replaces the same rectangle of another."""

    def __init__(self, directive: CutMix, step: Step, resources: Resources) -> None:
        self._p = directive.p
        self._size = step.input_size
        self._shares = Shares(directive.alpha)
        self._at = resources.layout.reserve(step.number, 0, 4)

    def __call__(self, images: Tensor, labels: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
        box, share = self.boxes(drawn[self._at, :-1])
        left, top, right, bottom = box.view(-1, 4, 1).unbind(1)
        rows = torch.arange(self._size[0], device=images.device)
        columns = torch.arange(self._size[1], device=images.device)
        in_rows = ((rows >= top) & (rows < bottom)).unsqueeze(2)
        in_columns = ((columns >= left) & (columns < right)).unsqueeze(1)
        inside = (in_rows & in_columns).unsqueeze(1)
        mixed = torch.where(inside, images[1:], images[:-1])
        if are_masks(labels, images):
            return mixed, torch.where(inside.squeeze(1), labels[1:], labels[:-1])
        if labels.ndim == images.ndim:  # images
            return mixed, torch.where(inside, labels[1:], labels[:-1])
        return mixed, mixed_labels(labels, share)

    def boxes(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The rectangles, N x 4 (left, top, right, bottom), as in torchvision's CutMix; and the
        share of each image's pixels that remains."""
        height, width = self._size
        chance, uniform, across, down = numbers
        side = 0.5 * (1 - self._shares(uniform)).sqrt() * (chance < self._p)
        x, y = whole(across, 0, width - 1), whole(down, 0, height - 1)
        half_width, half_height = (side * width).floor(), (side * height).floor()
        left, right = (x - half_width).clamp(min=0), (x + half_width).clamp(max=width)
        top, bottom = (y - half_height).clamp(min=0), (y + half_height).clamp(max=height)
        share = 1 - (right - left) * (bottom - top) / (width * height)
        return torch.stack([left, top, right, bottom], 1), share


def mixed_labels(labels: Tensor, share: Tensor) -> Tensor:
    """The mixed labels: shares of classes, images x classes; or images."""
    labels = labels.float()
    each = share.view(-1, *[1] * (labels.ndim - 1)).to(labels.dtype)
    return torch.lerp(labels[1:], labels[:-1], each)
