"""Color augmentation: linear changes as one color matrix for each image, and hue."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...compiler.plan.augment.passes import HUE
from ...compiler.plan.augment.pixels import Color, Grayscale, PcaColor
from ...compiler.plan.fusion import Pass, Step, color_matrices
from .entries import Entry, constant, plus, times
from .per_image import BoundPass
from .random_numbers import normal, within
from .registry import Resources, implementation, implements

GRAY = (0.2989, 0.587, 0.114)
"""The weights of red, green and blue in the gray level, as torchvision has them."""

_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)
"""The principal components of ImageNet's colors, the usual ones (Krizhevsky et al., 2012); for
pixels from 0 to 1."""


class Linear:
    """Accumulates linear color changes into one affine map for each image:

        own * colour + gray * its gray + mean * mean gray of the image + offset

    Every linear change has this form, because the gray of a gray is itself. The mean gray is that
    of the input image, so it is computed when the pixels are available. Each of the four
    coefficients is a number or N x 1 x 1 x 1; the offset, and after normalization all of them, may
    be N x C x 1 x 1.
    """

    def __init__(self, channels: int, device: torch.device) -> None:
        shares = GRAY if channels == 3 else (1 / channels,) * channels
        self._shares = shares
        """The weight of each channel in the gray level."""
        self._by_channel = constant(shares, device).view(1, -1, 1, 1)
        self._all = sum(shares)
        """Their sum: for red, green and blue, not quite 1."""
        self.own: Entry = 1.0
        self.gray: Entry = 0.0
        self.mean: Entry = 0.0
        self.offset: Entry = 0.0

    def scale(self, by: Tensor) -> None:
        """Makes images brighter or darker by the factors `by`, N x 1 x 1 x 1."""
        self.own, self.gray = times(self.own, by), times(self.gray, by)
        self.mean, self.offset = times(self.mean, by), times(self.offset, by)

    def contrast(self, by: Tensor) -> None:
        """Moves all pixels away from the mean gray of the image, or towards it."""
        pixel, mean, offset = self._gray()
        self.scale(by)
        self.mean = plus(self.mean, times(plus(pixel, mean), 1 - by))
        self.offset = plus(self.offset, times(offset, 1 - by))

    def saturate(self, by: Tensor) -> None:
        """Moves each pixel away from its own gray, or towards it."""
        pixel, mean, offset = self._gray()
        self.scale(by)
        self.gray = plus(self.gray, times(pixel, 1 - by))
        self.mean = plus(self.mean, times(mean, 1 - by))
        self.offset = plus(self.offset, times(offset, 1 - by))

    def _gray(self) -> tuple[Entry, Entry, Entry]:
        """The gray of the colors accumulated so far: coefficients of the pixel's gray and of the
        mean gray, and an offset."""
        offset = self.offset
        if isinstance(offset, Tensor) and offset.shape[1] > 1:
            level: Entry = (offset * self._by_channel).sum(1, keepdim=True)
        else:
            level = times(offset, self._all)
        return plus(self.own, times(self.gray, self._all)), times(self.mean, self._all), level

    def shift(self, by: Tensor) -> None:
        """Adds `by`, N x C x 1 x 1."""
        self.offset = plus(self.offset, by)

    def then(self, factor: Tensor, offset: Tensor) -> None:
        """Appends a factor and an offset for each channel."""
        self.scale(factor.view(1, -1, 1, 1))
        self.offset = plus(self.offset, offset.view(1, -1, 1, 1))

    def apply(self, images: Tensor, piece: slice) -> Tensor:
        """Applies the map to `images`, which are the part `piece` of the batch."""
        own, gray, mean, offset = (
            entry[piece] if isinstance(entry, Tensor) and len(entry) > 1 else entry
            for entry in (self.own, self.gray, self.mean, self.offset)
        )
        grays = self._grays(images) if isinstance(gray, Tensor) else None
        if isinstance(mean, Tensor):
            if grays is None:
                mean_color = images.mean((2, 3), keepdim=True)
                mean_gray = (mean_color * self._by_channel).sum(1, keepdim=True)
            else:
                mean_gray = grays.mean((2, 3), keepdim=True)
            offset = plus(offset, mean * mean_gray)
        # Separate multiplications and additions are several times as fast as `addcmul`, which does
        # not broadcast well, and twice as fast as a matrix product.
        if images.requires_grad:
            images = images * own
        elif isinstance(own, Tensor):
            images = images.mul_(own)
        if grays is not None:
            images = images.add_(grays * gray)
        return images.add_(offset) if isinstance(offset, Tensor) else images

    def _grays(self, images: Tensor) -> Tensor:
        """The gray level of each pixel, N x 1 x H x W."""
        first, *others = self._shares
        grays = images[:, :1] * first
        for channel, share in enumerate(others, 1):
            grays.add_(images[:, channel : channel + 1], alpha=share)
        return grays


ChangeColors = Callable[[Linear, Tensor], None]
"""Adds the change of a directive to a `Linear`, with the random numbers of a batch."""


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

    def gray(linear: Linear, drawn: Tensor) -> None:
        linear.saturate((drawn[chance][0] >= directive.p).float().view(-1, 1, 1, 1))

    return gray


@implements(PcaColor, "light")
def pca_light(directive: PcaColor, step: Step, resources: Resources) -> ChangeColors:
    chance = resources.layout.reserve(step.number, 0, 1)
    at = resources.layout.reserve(step.number, 1, 6)

    def light(linear: Linear, drawn: Tensor) -> None:
        chosen = drawn[chance][0] < directive.p
        strength = normal(drawn[at][:3], drawn[at][3:]) * directive.deviation * chosen
        scaled = strength * constant(_EIGENVALUES, strength.device).view(3, 1) * 255
        shifts = constant(_EIGENVECTORS, strength.device) @ scaled
        linear.shift(shifts.t()[..., None, None])

    return light


class Colors:
    """A pass of color changes. Its output is from 0 to 255 or, if the pass also normalizes, the
    input of the network. Values are clipped to 0..255 before each further matrix."""

    def __init__(self, one: Pass, resources: Resources) -> None:
        self._channels = one.channels
        normalization = resources.normalization if one.normalizes else ()
        self._normalization = [tuple(each.tolist()) for each in normalization]
        self._matrices: list[list[ChangeColors]] = [
            [implementation(step, resources, change.name) for step, change in matrix]
            for matrix in color_matrices(one)
        ]

    def __call__(self, drawn: Tensor) -> BoundPass:
        matrices = []
        for changes in self._matrices:
            linear = Linear(self._channels, drawn.device)
            for each in changes:
                each(linear, drawn)
            matrices.append(linear)
        bounds: tuple[float, float] | tuple[Tensor, Tensor] = (0.0, 255.0)
        if self._normalization:
            factor, offset = (constant(each, drawn.device) for each in self._normalization)
            matrices[-1].then(factor, offset)
            bounds = offset.view(-1, 1, 1), (255 * factor + offset).view(-1, 1, 1)

        def apply(images: Tensor, piece: slice) -> Tensor:
            for linear in matrices[:-1]:
                images = linear.apply(images, piece).clamp_(0, 255)
            return matrices[-1].apply(images, piece).clamp_(*bounds)

        return apply


# ---- hue, which is not linear ----------------------------------------------------------------


@implements(Color, HUE)
class Hue:
    """Rotates the hue as torchvision does: by the angle of HSV."""

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
    """Rotates hues by `turns` of a full circle. Each channel rises and falls with the angle,
    between the smallest and the largest channel of the pixel, which do not change."""
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
