"""Changes of colours: a matrix for each image where they are linear, and hue."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...compiler.plan.augment import HUE, Color, Grayscale, PcaColor
from ...compiler.plan.fusion import Pass, Step, color_matrices
from .entries import Entry, constant, plus, times
from .per_image import BoundPass
from .random_numbers import normal, within
from .registry import Resources, implementation, implements

GREY = (0.2989, 0.587, 0.114)
"""How bright red, green and blue are, by the numbers of torchvision."""

_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
"""Of the colours of ImageNet, as everybody has them (Krizhevsky et al., 2012); pixels up to 1."""


class Linear:
    """The colours of each image after all changes that can be one matrix:

        own * colour + grey * its grey + mean * mean grey of the image + offset

    More is not needed for any of them: the grey of a grey is a grey. The mean is that of the image
    that arrives, known first when its pixels are. Each of the four is a number or N x 1 x 1 x 1;
    the offset, and in the end all of them, may be N x C x 1 x 1.
    """

    def __init__(self, channels: int, device: torch.device) -> None:
        shares = GREY if channels == 3 else (1 / channels,) * channels
        self._shares = shares
        """How much each channel counts for the brightness."""
        self._by_channel = constant(shares, device).view(1, -1, 1, 1)
        self._all = sum(shares)
        """Of red, green and blue, not quite 1."""
        self.own: Entry = 1.0
        self.grey: Entry = 0.0
        self.mean: Entry = 0.0
        self.offset: Entry = 0.0

    def scale(self, by: Tensor) -> None:
        """N x 1 x 1 x 1: brighter or darker."""
        self.own, self.grey = times(self.own, by), times(self.grey, by)
        self.mean, self.offset = times(self.mean, by), times(self.offset, by)

    def contrast(self, by: Tensor) -> None:
        """From the mean grey of the image, or towards it."""
        pixel, mean, offset = self._grey()
        self.scale(by)
        self.mean = plus(self.mean, times(plus(pixel, mean), 1 - by))
        self.offset = plus(self.offset, times(offset, 1 - by))

    def saturate(self, by: Tensor) -> None:
        """From the grey of each pixel, or towards it."""
        pixel, mean, offset = self._grey()
        self.scale(by)
        self.grey = plus(self.grey, times(pixel, 1 - by))
        self.mean = plus(self.mean, times(mean, 1 - by))
        self.offset = plus(self.offset, times(offset, 1 - by))

    def _grey(self) -> tuple[Entry, Entry, Entry]:
        """The grey of what has been found so far: how much of the grey of a pixel, how much of the
        mean, and an offset."""
        offset = self.offset
        if isinstance(offset, Tensor) and offset.shape[1] > 1:
            level: Entry = (offset * self._by_channel).sum(1, keepdim=True)
        else:
            level = times(offset, self._all)
        return plus(self.own, times(self.grey, self._all)), times(self.mean, self._all), level

    def shift(self, by: Tensor) -> None:
        """N x C x 1 x 1, added."""
        self.offset = plus(self.offset, by)

    def then(self, factor: Tensor, offset: Tensor) -> None:
        """Behind it, a factor and an offset of each channel."""
        self.scale(factor.view(1, -1, 1, 1))
        self.offset = plus(self.offset, offset.view(1, -1, 1, 1))

    def apply(self, images: Tensor, piece: slice) -> Tensor:
        """To some images of the batch."""
        own, grey, mean, offset = (
            entry[piece] if isinstance(entry, Tensor) and len(entry) > 1 else entry
            for entry in (self.own, self.grey, self.mean, self.offset)
        )
        greys = self._greys(images) if isinstance(grey, Tensor) else None
        if isinstance(mean, Tensor):
            if greys is None:
                colour = images.mean((2, 3), keepdim=True)
                found = (colour * self._by_channel).sum(1, keepdim=True)
            else:
                found = greys.mean((2, 3), keepdim=True)
            offset = plus(offset, mean * found)
        # Plain steps are several times as quick as `addcmul`, whose operands may not be spread, and
        # twice as quick as to multiply by a matrix.
        if images.requires_grad:
            images = images * own
        elif isinstance(own, Tensor):
            images = images.mul_(own)
        if greys is not None:
            images = images.add_(greys * grey)
        return images.add_(offset) if isinstance(offset, Tensor) else images

    def _greys(self, images: Tensor) -> Tensor:
        """N x 1 x H x W."""
        first, *others = self._shares
        greys = images[:, :1] * first
        for channel, share in enumerate(others, 1):
            greys.add_(images[:, channel : channel + 1], alpha=share)
        return greys


ChangeColors = Callable[[Linear, Tensor], None]
"""Adds a directive to what has been found so far, with the random numbers of a batch."""


@implements(Color, "brightness")
def brightness(directive: Color, step: Step, resources: Resources) -> ChangeColors:
    return _jitter(directive, directive.brightness, Linear.scale, step, 1, resources)


@implements(Color, "contrast")
def contrast(directive: Color, step: Step, resources: Resources) -> ChangeColors:
    return _jitter(directive, directive.contrast, Linear.contrast, step, 2, resources)


@implements(Color, "saturation")
def saturation(directive: Color, step: Step, resources: Resources) -> ChangeColors:
    return _jitter(directive, directive.saturation, Linear.saturate, step, 3, resources)


def _jitter(
    directive: Color,
    factors: tuple[float, float] | None,
    change: Callable[[Linear, Tensor], None],
    step: Step,
    place: int,
    resources: Resources,
) -> ChangeColors:
    assert factors is not None
    chance = resources.layout.reserve(step.number, 0, 1)
    at = resources.layout.reserve(step.number, place, 1)

    def jitter(linear: Linear, drawn: Tensor) -> None:
        by = within(drawn[at][0], *factors)
        if directive.p < 1:
            by = torch.where(drawn[chance][0] < directive.p, by, 1.0)
        change(linear, by.view(-1, 1, 1, 1))

    return jitter


@implements(Grayscale, "grayscale")
def grayscale(directive: Grayscale, step: Step, resources: Resources) -> ChangeColors:
    chance = resources.layout.reserve(step.number, 0, 1)

    def grey(linear: Linear, drawn: Tensor) -> None:
        linear.saturate((drawn[chance][0] >= directive.p).float().view(-1, 1, 1, 1))

    return grey


@implements(PcaColor, "light")
def pca_light(directive: PcaColor, step: Step, resources: Resources) -> ChangeColors:
    chance = resources.layout.reserve(step.number, 0, 1)
    at = resources.layout.reserve(step.number, 1, 6)

    def light(linear: Linear, drawn: Tensor) -> None:
        chosen = drawn[chance][0] < directive.p
        strength = normal(drawn[at][:3], drawn[at][3:]) * directive.deviation * chosen
        scaled = strength * constant(_EIGENVALUES, strength.device).view(3, 1) * 255
        found = constant(_EIGENVECTORS, strength.device) @ scaled
        linear.shift(found.t()[..., None, None])

    return light


class Colors:
    """A pass over colours: values of 0..255 or, where it normalises, what the network takes. Values
    are clipped to 0..255 before the next matrix."""

    def __init__(self, one: Pass, resources: Resources) -> None:
        self._channels = one.channels
        normalization = resources.normalization if one.normalizes else ()
        self._normalization = [tuple(each.tolist()) for each in normalization]
        self._matrices: list[list[ChangeColors]] = [
            [implementation(step, resources, change.name) for step, change in matrix]
            for matrix in color_matrices(one)
        ]

    def __call__(self, drawn: Tensor) -> BoundPass:
        found = []
        for changes in self._matrices:
            linear = Linear(self._channels, drawn.device)
            for each in changes:
                each(linear, drawn)
            found.append(linear)
        bounds: tuple[float, float] | tuple[Tensor, Tensor] = (0.0, 255.0)
        if self._normalization:
            factor, offset = (constant(each, drawn.device) for each in self._normalization)
            found[-1].then(factor, offset)
            bounds = offset.view(-1, 1, 1), (255 * factor + offset).view(-1, 1, 1)

        def done(images: Tensor, piece: slice) -> Tensor:
            for linear in found[:-1]:
                images = linear.apply(images, piece).clamp_(0, 255)
            return found[-1].apply(images, piece).clamp_(*bounds)

        return done


# ---- hue, which is not linear ----------------------------------------------------------------


@implements(Color, HUE)
class Hue:
    """Hues rotated, as torchvision rotates them: by the angle of HSV."""

    def __init__(self, directive: Color, step: Step, resources: Resources) -> None:
        assert directive.hue is not None
        self._p, self._range = directive.p, directive.hue
        self._chance = resources.layout.reserve(step.number, 0, 1)
        self._at = resources.layout.reserve(step.number, 4, 1)

    def __call__(self, drawn: Tensor) -> BoundPass:
        chosen = drawn[self._chance][0] < self._p
        turns = torch.where(chosen, within(drawn[self._at][0], *self._range), 0.0)
        return lambda images, piece: hue_turned(images, turns[piece])


def hue_turned(images: Tensor, turns: Tensor) -> Tensor:
    """Each channel goes up and down with the angle, between the smallest and the largest of a
    pixel, which stay as they are."""
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
    offsets = constant((5.0, 3.0, 1.0), images.device).view(1, 3, 1, 1)
    around = (angle.unsqueeze(1) + offsets) % 6
    dip = torch.minimum(around, 4 - around).clamp_(0, 1)
    return greatest.unsqueeze(1) - span.unsqueeze(1) * dip
