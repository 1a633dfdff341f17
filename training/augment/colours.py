"""Changes of colour that are linear: a matrix for each image, for all that can be one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...compiler.plan.augment import Color, Grayscale, PcaColor
from ...compiler.plan.fusion import Pass, Shade, Step, matrices, mixes_channels, needs_mean
from .alone import Ready
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


class Linear:
    """What becomes of the colours of each image: factor @ colour + offset + pull @ mean colour.

    The mean is that of the image that arrives, known first when its pixels are. Where channels do
    not mix, factor is N x 1, and pull, N x 1 too, is what the mean grey is multiplied by; where
    they do, both are N x 3 x 3. Offset is N x 1, or N x C.
    """

    def __init__(self, count: int, channels: int, device: torch.device, mixes: bool) -> None:
        self.mixes = mixes
        self.grey = torch.tensor(
            GREY if channels == 3 else [1 / channels] * channels, device=device
        )
        """How much each channel counts for the brightness."""
        if mixes:
            self.factor = torch.eye(channels, device=device).expand(count, -1, -1)
            self.offset = torch.zeros(count, channels, device=device)
        else:
            self.factor = torch.ones(count, 1, device=device)
            self.offset = torch.zeros(count, 1, device=device)
        self.pull = torch.zeros_like(self.factor)
        self._shifts = False
        """Whether there is anything to be added."""

    def scale(self, by: Tensor) -> None:
        """Brighter or darker."""
        each = by.view(-1, 1, 1) if self.mixes else by.view(-1, 1)
        self.factor, self.pull = self.factor * each, self.pull * each
        self.offset = self.offset * by.view(-1, 1)

    def contrast(self, by: Tensor) -> None:
        """From the mean grey of the image, or towards it."""
        self._shifts = True
        mean = self.factor + self.pull
        if self.mixes:
            mean = self.grey @ mean  # N x 3: the mean grey by now, of the mean colour that arrives
            mean = mean.unsqueeze(1).expand(-1, 3, -1)
        grey = (self.offset * self.grey).sum(1, keepdim=True)
        rest = 1 - by
        self.scale(by)
        self.pull = self.pull + mean * (rest.view(-1, 1, 1) if self.mixes else rest.view(-1, 1))
        self.offset = self.offset + rest.view(-1, 1) * grey

    def saturate(self, by: Tensor) -> None:
        """From the grey of each pixel, or towards it."""
        grey, own = self.grey.expand(3, 3), torch.eye(3, device=by.device)
        matrix = torch.lerp(grey, own, by.view(-1, 1, 1))
        self.factor, self.pull = matrix @ self.factor, matrix @ self.pull
        self.offset = (matrix @ self.offset.unsqueeze(2)).squeeze(2)

    def shift(self, by: Tensor) -> None:
        """N x C, added."""
        self._shifts = True
        self.offset = self.offset + by

    def then(self, factor: Tensor, offset: Tensor) -> None:
        """Behind it, a factor and an offset of each channel."""
        self._shifts = True
        each = factor.view(1, -1, 1) if self.mixes else factor
        self.factor, self.pull = self.factor * each, self.pull * each
        self.offset = self.offset * factor + offset

    def apply(self, images: Tensor, piece: slice, pulls: bool) -> Tensor:
        """To some images of the batch; `pulls` where the mean counts."""
        factor, offset = self.factor[piece], self.offset[piece]
        if self.mixes:
            flat = images.flatten(2)
            offset = offset.unsqueeze(2)
            if pulls:
                offset = torch.baddbmm(offset, self.pull[piece], flat.mean(2, keepdim=True))
            return torch.baddbmm(offset, factor, flat).view(images.shape)
        if pulls:
            mean = (images.mean((2, 3)) * self.grey).sum(1, keepdim=True)
            offset = offset + self.pull[piece] * mean
        # Two plain steps are several times as quick as `addcmul`, whose operands may not be spread.
        factor = factor[..., None, None]
        found = images * factor if images.requires_grad else images.mul_(factor)
        return found.add_(offset[..., None, None]) if self._shifts else found


Change = Callable[[Linear, Tensor], None]
"""Does a directive to what has been found so far, with the numbers drawn for a batch."""

_PLACES = {"brightness": 1, "contrast": 2, "saturation": 3}


def change(shade: Shade, layout: Layout) -> Change:
    """Reserves what a change of colours draws; what is returned puts it into the matrix."""
    directive, number = shade.step.directive, shade.step.number
    place = layout.reserve(number, 0, 1)
    if isinstance(directive, Color):
        bounds = getattr(directive, shade.what)
        at = layout.reserve(number, _PLACES[shade.what], 1)
        do = {"brightness": Linear.scale, "contrast": Linear.contrast}.get(
            shade.what, Linear.saturate
        )

        def jitter(linear: Linear, drawn: Tensor) -> None:
            chosen = drawn[place][0] < directive.p
            do(linear, torch.where(chosen, within(drawn[at][0], *bounds), 1.0))

        return jitter
    if isinstance(directive, Grayscale):

        def grey(linear: Linear, drawn: Tensor) -> None:
            linear.saturate((drawn[place][0] >= directive.p).float())

        return grey
    assert isinstance(directive, PcaColor)
    at = layout.reserve(number, 1, 6)

    def light(linear: Linear, drawn: Tensor) -> None:
        chosen = drawn[place][0] < directive.p
        strength = normal(drawn[at][:3], drawn[at][3:]) * directive.deviation * chosen
        scaled = strength * strength.new_tensor(_EIGENVALUES).view(3, 1) * 255
        linear.shift((strength.new_tensor(_EIGENVECTORS) @ scaled).t())

    return light


class _Matrix:
    """Changes that are one matrix for each image."""

    def __init__(self, shades: tuple[Shade, ...], channels: int, layout: Layout) -> None:
        self._channels = channels
        self._mixes = mixes_channels(shades)
        self.pulls = needs_mean(shades)
        self._changes = [change(shade, layout) for shade in shades]

    def __call__(self, drawn: Tensor) -> Linear:
        linear = Linear(drawn.shape[1], self._channels, drawn.device, self._mixes)
        for each in self._changes:
            each(linear, drawn)
        return linear


class Colours:
    """A pass over colours, as numbers of 0..255 or, with `normalize` (factor and offset of each
    channel), as what the network takes. What leaves 0..255 is cut off before the next matrix."""

    def __init__(
        self, one: Pass, layout: Layout, normalize: tuple[Tensor, Tensor] | None = None
    ) -> None:
        self._normalize = normalize
        self._matrices = [_Matrix(shades, one.channels, layout) for shades in matrices(one)]

    def __call__(self, drawn: Tensor) -> Ready:
        done = [(matrix(drawn), matrix.pulls) for matrix in self._matrices]
        bounds = None
        if self._normalize is not None:
            factor, offset = (each.to(drawn.device) for each in self._normalize)
            done[-1][0].then(factor, offset)
            bounds = offset.view(-1, 1, 1), (255 * factor + offset).view(-1, 1, 1)

        def change(images: Tensor, piece: slice) -> Tensor:
            for linear, pulls in done[:-1]:
                images = linear.apply(images, piece, pulls).clamp_(0, 255)
            linear, pulls = done[-1]
            images = linear.apply(images, piece, pulls)
            return images.clamp_(0, 255) if bounds is None else images.clamp_(*bounds)

        return change


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

    def __call__(self, drawn: Tensor) -> Ready:
        chosen = drawn[self._place][0] < self._p
        turns = torch.where(chosen, within(drawn[self._at][0], *self._range), 0.0)
        return lambda images, piece: hue_turned(images, turns[piece])


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
