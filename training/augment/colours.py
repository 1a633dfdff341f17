"""Changes of colour that are linear: one matrix for each image, applied once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...compiler.plan.augment import Color, Grayscale, PcaColor
from ...compiler.plan.fusion import Pass, Step, mixes_channels, needs_mean
from .draws import Layout, normal, within

GREY = (0.2989, 0.587, 0.114)
"""How bright red, green and blue are, by the numbers of torchvision."""

_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
"""Of the colours of ImageNet, as everybody has them (Krizhevsky et al., 2012); pixels up to 1."""


@dataclass
class Linear:
    """What becomes of the colours of each image: out = factor @ colour + offset.

    `factor` is N x C x C where channels mix, else N x 1, as is `offset` then or N x C.
    """

    factor: Tensor
    offset: Tensor
    means: Tensor
    """N x C: of the channels of what arrives; zeros where nobody asks."""

    @property
    def mixes(self) -> bool:
        return self.factor.ndim == 3

    def scale(self, by: Tensor) -> None:
        """Brighter or darker."""
        self.factor = self.factor * (by.view(-1, 1, 1) if self.mixes else by.view(-1, 1))
        self.offset = self.offset * by.view(-1, 1)

    def contrast(self, by: Tensor) -> None:
        """From the mean grey of the image, or towards it."""
        if self.mixes:
            now = (self.factor @ self.means.unsqueeze(2)).squeeze(2) + self.offset
        else:
            now = self.factor * self.means + self.offset
        grey = (now * _weights(now)).sum(1, keepdim=True)
        self.scale(by)
        self.offset = self.offset + (1 - by).view(-1, 1) * grey

    def saturate(self, by: Tensor) -> None:
        """From the grey of each pixel, or towards it."""
        grey = by.new_tensor(GREY).expand(3, 3)
        matrix = by.view(-1, 1, 1) * torch.eye(3, device=by.device) + (1 - by).view(-1, 1, 1) * grey
        self.factor = matrix @ self.factor
        self.offset = (matrix @ self.offset.unsqueeze(2)).squeeze(2)

    def shift(self, by: Tensor) -> None:
        self.offset = self.offset + by


def _weights(like: Tensor) -> Tensor:
    """How much each channel counts for the brightness."""
    channels = like.shape[1]
    return like.new_tensor(GREY if channels == 3 else [1 / channels] * channels)


Change = Callable[[Linear, Tensor], None]
"""Does a directive to what has been found so far, with the numbers drawn for a batch."""


def change(step: Step, layout: Layout) -> Change:
    """Reserves what a directive draws; what is returned puts it into the matrix."""
    directive, number = step.directive, step.number
    place = layout.reserve(number, 0, 1)
    match directive:
        case Color():
            return _color(directive, place, layout.reserve(number, 1, 3))
        case Grayscale():

            def grey(linear: Linear, drawn: Tensor) -> None:
                linear.saturate((drawn[place][0] >= directive.p).float())

            return grey
        case PcaColor():
            at = layout.reserve(number, 1, 6)

            def light(linear: Linear, drawn: Tensor) -> None:
                chosen = drawn[place][0] < directive.p
                strength = normal(drawn[at][:3], drawn[at][3:]) * directive.deviation * chosen
                scaled = strength * strength.new_tensor(_EIGENVALUES).view(3, 1) * 255
                linear.shift((strength.new_tensor(_EIGENVECTORS) @ scaled).t())

            return light
        case other:
            raise AssertionError(other.word)


def _color(directive: Color, place: slice, at: slice) -> Change:
    def made(linear: Linear, drawn: Tensor) -> None:
        chosen = drawn[place][0] < directive.p
        uniform = drawn[at]
        for index, (range_, what) in enumerate(
            (
                (directive.brightness, linear.scale),
                (directive.contrast, linear.contrast),
                (directive.saturation, linear.saturate),
            )
        ):
            if range_ is not None:
                factor = within(uniform[index], *range_)
                what(torch.where(chosen, factor, 1.0))

    return made


class Colours:
    """A pass over colours."""

    def __init__(
        self, one: Pass, layout: Layout, normalize: tuple[Tensor, Tensor] | None = None
    ) -> None:
        self._normalize = normalize
        self._mixes = mixes_channels(one)
        self._needs_mean = needs_mean(one)
        self._changes = [change(step, layout) for step in one.steps]

    def __call__(self, images: Tensor, drawn: Tensor) -> Tensor:
        """float32 of 0..255 to the same, or to what `normalize` (factor and offset of each channel)
        makes of that."""
        linear = self.linear(images, drawn)
        if self._normalize is None:
            return applied(linear, images).clamp_(0, 255)
        factor, offset = (each.to(images.device) for each in self._normalize)
        low, high = offset.view(-1, 1, 1), (255 * factor + offset).view(-1, 1, 1)
        return applied(_then(linear, factor, offset), images).clamp_(low, high)

    def linear(self, images: Tensor, drawn: Tensor) -> Linear:
        """The matrices of a batch."""
        count, channels = images.shape[:2]
        means = images.new_zeros(count, channels)
        if self._needs_mean:
            means = images.mean((2, 3))
        if self._mixes:
            factor = torch.eye(channels, device=images.device).repeat(count, 1, 1)
            linear = Linear(factor, images.new_zeros(count, channels), means)
        else:
            linear = Linear(images.new_ones(count, 1), images.new_zeros(count, 1), means)
        for each in self._changes:
            each(linear, drawn)
        return linear


def _then(linear: Linear, factor: Tensor, offset: Tensor) -> Linear:
    """A matrix, and what becomes of each channel behind it."""
    scale = factor.view(1, -1, 1) if linear.mixes else factor
    return Linear(linear.factor * scale, linear.offset * factor + offset, linear.means)


def applied(linear: Linear, images: Tensor) -> Tensor:
    """A matrix to all pixels."""
    if linear.mixes:
        flat = torch.baddbmm(linear.offset.unsqueeze(2), linear.factor, images.flatten(2))
        return flat.view(images.shape)
    return torch.addcmul(linear.offset[..., None, None], images, linear.factor[..., None, None])


# ---- hue, which is not linear ----------------------------------------------------------------


class Hue:
    """Colours turned around, as torchvision turns them: by the angle of HSV."""

    def __init__(self, step: Step, layout: Layout) -> None:
        directive = step.directive
        assert isinstance(directive, Color)
        assert directive.hue is not None
        self._p, self._range = directive.p, directive.hue
        self._place = layout.reserve(step.number, 0, 1)
        self._at = layout.reserve(step.number, 4, 1)

    def __call__(self, images: Tensor, drawn: Tensor) -> Tensor:
        chosen = drawn[self._place][0] < self._p
        turns = torch.where(chosen, within(drawn[self._at][0], *self._range), 0.0)
        return hue_turned(images, turns)


def hue_turned(images: Tensor, turns: Tensor) -> Tensor:
    """Each channel goes up and down with the angle, between the least and the greatest of a pixel;
    which stay as they are."""
    red, green, blue = images.unbind(1)
    greatest, least = images.amax(1), images.amin(1)
    span = greatest - least
    safe = torch.where(span == 0, 1.0, span)
    angle = torch.where(
        greatest == red,
        (green - blue) / safe,
        torch.where(greatest == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    angle = angle + 6 * turns.view(-1, 1, 1)
    offsets = images.new_tensor([5.0, 3.0, 1.0]).view(1, 3, 1, 1)
    around = (angle.unsqueeze(1) + offsets) % 6
    dip = torch.minimum(around, 4 - around).clamp_(0, 1)
    return greatest.unsqueeze(1) - span.unsqueeze(1) * dip
