"""Passes over series, their spectrograms, and scans: what `flip`, `shift`, `scale`, `noise`,
`stretch`, `crop` and `mask` do to a batch of samples x channels x axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ...compiler.plan.augment.series import Crop, Flip, Mask, Noise, Scale, Shift, Stretch
from ...compiler.plan.data import UNLABELLED
from ...compiler.plan.fusion import Step
from .random_numbers import whole, within
from .registry import Resources, implements


class SeriesPass:
    """A pass over a whole batch of series, float32, which it does not change in place."""

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        raise NotImplementedError

    def masks(self, masks: Tensor, drawn: Tensor) -> Tensor:
        """The masks of the series (N x axes), whose labels move along with what they are of."""
        return masks


def _each(numbers: Tensor, like: Tensor) -> Tensor:
    """A number for each sample, which is broadcast over its channels and steps."""
    return numbers.view(-1, *[1] * (like.ndim - 1))


def whole_numbers(low: float, high: float) -> tuple[int, int]:
    """The least and the largest whole number of a range; if there is none, the nearest, twice."""
    least, most = math.ceil(round(low, 6)), math.floor(round(high, 6))
    return (least, most) if least <= most else (round((low + high) / 2),) * 2


# ---- moving steps ----------------------------------------------------------------------------


def inside(at: Tensor, length: int, fill: str) -> tuple[Tensor, Tensor | None]:
    """Positions that may lie outside the series, as positions inside it; and whether there is
    something, for the fill `zero`."""
    if fill == "circular":
        return at % length, None
    if fill == "reflect":
        folded = at % (2 * length)
        return torch.minimum(folded, 2 * length - 1 - folded), None
    if fill == "mirror":
        period = max(2 * (length - 1), 1)
        folded = at % period
        return torch.minimum(folded, (period - folded) % period), None
    clamped = at.clamp(0, length - 1)
    return clamped, (at == clamped if fill == "zero" else None)


def read_at(series: Tensor, at: Tensor, fill: str) -> Tensor:
    """The values of series at whole positions, samples x steps, which all channels share."""
    places, known = inside(at, series.shape[-1], fill)
    values = series.gather(2, places.unsqueeze(1).expand(-1, series.shape[1], -1))
    return values if known is None else values * known.unsqueeze(1)


def labels_at(masks: Tensor, at: Tensor, fill: str) -> Tensor:
    """The labels of masks at whole positions, samples x steps. Outside the series there is no
    label, unless it continues at its other end."""
    circular = fill == "circular"
    places, _ = inside(at, masks.shape[-1], fill if circular else "nearest")
    labels = masks.gather(1, places)
    return labels if circular else torch.where(places == at, labels, UNLABELLED)


def read_between(series: Tensor, offset: Tensor, fill: str) -> Tensor:
    """The values of series at their own positions plus an offset, samples x steps, by linear
    interpolation."""
    low = offset.floor()
    at = torch.arange(series.shape[-1], device=series.device) + low.long()
    part = (offset - low).unsqueeze(1)
    return torch.lerp(read_at(series, at, fill), read_at(series, at + 1, fill), part)


def labels_between(masks: Tensor, offset: Tensor, fill: str) -> Tensor:
    """The labels of masks at their own positions plus an offset, samples x steps: the nearest."""
    at = torch.arange(masks.shape[-1], device=masks.device)
    return labels_at(masks, (at + offset).round().long(), fill)


@implements(Shift, Shift.pass_kind)
class MoveSteps(SeriesPass):
    """Moves by whole steps, so that no value changes."""

    def __init__(self, directive: Shift, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._range = whole_numbers(*directive.distances(step.input_size[1]))
        self._at = resources.layout.reserve(step.number, 0, 2)

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        return read_at(series, self._places(series, drawn), self._directive.fill)

    def masks(self, masks: Tensor, drawn: Tensor) -> Tensor:
        return labels_at(masks, self._places(masks, drawn), self._directive.fill)

    def _places(self, series: Tensor, drawn: Tensor) -> Tensor:
        """Where each step comes from."""
        chance, far = drawn[self._at]
        distance = whole(far, *self._range) * (chance < self._directive.p)
        at = torch.arange(series.shape[-1], device=series.device)
        places: Tensor = at - distance.long().unsqueeze(1)
        return places


@implements(Stretch, Stretch.pass_kind)
class StretchSteps(SeriesPass):
    def __init__(self, directive: Stretch, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._at = resources.layout.reserve(step.number, 0, 2)

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        return read_between(series, self._offset(series, drawn), self._directive.fill)

    def masks(self, masks: Tensor, drawn: Tensor) -> Tensor:
        return labels_between(masks, self._offset(masks, drawn), self._directive.fill)

    def _offset(self, series: Tensor, drawn: Tensor) -> Tensor:
        chance, uniform = drawn[self._at]
        factor = torch.where(
            chance < self._directive.p, within(uniform, *self._directive.factor), 1.0
        )
        length = series.shape[-1]
        from_middle = torch.arange(length, device=series.device) - (length - 1) / 2
        return (1 / factor - 1).unsqueeze(1) * from_middle


@implements(Crop, Crop.pass_kind)
class CropAndStretch(SeriesPass):
    """The first and the last step of the part become those of the series."""

    def __init__(self, directive: Crop, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._at = resources.layout.reserve(step.number, 0, 3)

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        return read_between(series, self._offset(series, drawn), "nearest")

    def masks(self, masks: Tensor, drawn: Tensor) -> Tensor:
        return labels_between(masks, self._offset(masks, drawn), "nearest")

    def _offset(self, series: Tensor, drawn: Tensor) -> Tensor:
        chance, uniform, place = drawn[self._at]
        share = within(uniform, *self._directive.scale)
        left = ((1 - share) * (chance < self._directive.p)).unsqueeze(1)
        last = series.shape[-1] - 1
        at = torch.arange(last + 1, device=series.device)
        offset: Tensor = left * (place.unsqueeze(1) * last - at)
        return offset


@implements(Flip, Flip.pass_kind)
class Reverse(SeriesPass):
    def __init__(self, directive: Flip, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._at = resources.layout.reserve(step.number, 0, 5)

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        chosen, axis = drawn[self._at] < self._directive.p, self._directive.axis
        if axis in ("sign", "both"):
            series = torch.where(_each(chosen[1], series), -series, series)
        return self._reversed(series, chosen)

    def masks(self, masks: Tensor, drawn: Tensor) -> Tensor:
        return self._reversed(masks, drawn[self._at] < self._directive.p)

    def _reversed(self, series: Tensor, chosen: Tensor) -> Tensor:
        for place in _REVERSED.get(self._directive.axis, ()):
            at = 0 if place == -1 else 1 - place
            series = torch.where(_each(chosen[at], series), series.flip(place), series)
        return series


_REVERSED: Mapping[str, tuple[int, ...]] = {
    "time": (-1,),
    "both": (-1,),
    "horizontal": (-1,),
    "vertical": (-2,),
    "slices": (-3,),
    "all": (-3, -2, -1),
}
"""The axes that are reversed."""


# ---- changing values -------------------------------------------------------------------------


@implements(Scale, Scale.pass_kind)
class Multiply(SeriesPass):
    def __init__(self, directive: Scale, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._at = resources.layout.reserve(step.number, 0, 2)

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        directive = self._directive
        chance, uniform = drawn[self._at]
        if directive.db is not None:
            factor = 10 ** (within(uniform, *directive.db) / 20)
        else:
            assert directive.factor is not None
            factor = within(uniform, *directive.factor)
        return series * _each(torch.where(chance < directive.p, factor, 1.0), series)


@implements(Noise, Noise.pass_kind)
class AddNoise(SeriesPass):
    def __init__(self, directive: Noise, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._table = resources.normal
        self._at = resources.layout.reserve(step.number, 0, 3)

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        directive = self._directive
        chance, uniform, place = drawn[self._at]
        axes = tuple(range(2, series.ndim))
        if directive.snr is not None:
            deviation = 10 ** (-within(uniform, *directive.snr) / 20)
            loudness = series.square().mean(axes, keepdim=True).sqrt()
        else:
            assert directive.deviation is not None
            deviation = within(uniform, *directive.deviation)
            loudness = series.std(axes, correction=0, keepdim=True)
        deviation = torch.where(chance < directive.p, deviation, 0.0)
        noise = self._table.rows(place, series[0].numel()).view(series.shape)
        return series + noise * (loudness * _each(deviation, series))


@implements(Mask, Mask.pass_kind)
class MaskSpans(SeriesPass):
    """Masks spans along the last axis, time, and the one before it, frequencies."""

    def __init__(self, directive: Mask, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._at = resources.layout.reserve(step.number, 0, 1 + 4 * directive.n)

    def __call__(self, series: Tensor, drawn: Tensor) -> Tensor:
        directive = self._directive
        chance, *numbers = drawn[self._at].unbind()
        n = 2 * directive.n
        masked = torch.zeros(len(series), 1, 1, dtype=torch.bool, device=series.device)
        if directive.time is not None:
            spans = self._spans(numbers[:n], directive.time, series.shape[-1])
            masked = masked | spans.unsqueeze(1)
        if directive.frequency is not None:
            spans = self._spans(numbers[n:], directive.frequency, series.shape[-2])
            masked = masked | spans.unsqueeze(2)
        masked = masked & _each(chance < directive.p, masked)
        if series.ndim > masked.ndim:
            masked = masked.unsqueeze(1)
        return torch.where(masked, self._content(series), series)

    def _spans(self, numbers: list[Tensor], width: tuple[float, float], length: int) -> Tensor:
        """Samples x length: whether any mask covers it."""
        at = torch.arange(length, device=numbers[0].device)
        covered = torch.zeros(len(numbers[0]), length, dtype=torch.bool, device=at.device)
        for wide, place in zip(numbers[::2], numbers[1::2], strict=True):
            steps = whole(wide, *whole_numbers(width[0] * length, width[1] * length))
            start = whole(place, 0, length - steps).unsqueeze(1)
            covered |= (at >= start) & (at < start + steps.unsqueeze(1))
        return covered

    def _content(self, series: Tensor) -> Tensor | float:
        fill = self._directive.fill
        if fill == "mean":
            axes = (-1,) if series.ndim == 3 else (-2, -1)
            return series.mean(axes, keepdim=True)
        return 0.0 if fill == "zero" else float(fill)
