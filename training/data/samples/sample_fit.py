"""Crops and pads series and scans to the size that the network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ....compiler.plan.data import UNLABELLED
from ....compiler.plan.evaluate import PAD_WORDS, Pad
from ....compiler.plan.plan import TrainPlan
from ....compiler.shapes import Shape

_FLAT = 1e-8
"""The deviation below which a series counts as constant: it is not divided by that."""


@dataclass(frozen=True)
class SampleFit:
    """Normalization by itself, crop and padding of a sample (… x channels x axes)."""

    crop: Shape
    """The size of the result along each axis: length; depth, height and width."""
    pad: str | float | None = None
    """What shorter samples are padded with; None if they are not."""
    at: str = "end"
    """Where: `end`, `start` or `both`."""
    each: bool = False
    """Whether each sample is normalized by its own mean and deviation, channel by channel."""

    @staticmethod
    def of(plan: TrainPlan) -> SampleFit:
        pad = plan.evaluate.pad
        return SampleFit(
            plan.sample[1:],
            pad.value if pad is not None else None,
            (pad.at if pad is not None else None) or "end",
            plan.evaluate.normalize.each,
        )

    def __call__(self, samples: Tensor, *, masks: int = 0) -> Tensor:
        """Samples, or one, at the size of the crop, which is that of the middle. The last channels
        may be masks."""
        samples = self.whole(samples, masks=masks)
        sizes = self.sizes_of(samples)
        pairs = zip(sizes, self.crop, strict=True)
        return self.cut(samples, [max(0, (have - want) // 2) for have, want in pairs], masks=masks)

    def whole(self, samples: Tensor, *, masks: int = 0) -> Tensor:
        """Samples before crop and padding."""
        if not self.each:
            return samples
        axes = tuple(range(-len(self.crop), 0))
        split = samples.shape[axes[0] - 1] - masks
        numbers = samples.narrow(axes[0] - 1, 0, split).double()
        centered = numbers - numbers.mean(axes, keepdim=True)
        deviation = centered.square().mean(axes, keepdim=True).sqrt()
        normalized = (centered / torch.where(deviation > _FLAT, deviation, 1.0)).float()
        if not masks:
            return normalized
        return torch.cat([normalized, samples.narrow(axes[0] - 1, split, masks)], axes[0] - 1)

    def padded(self, samples: Tensor, *, masks: int = 0) -> Tensor:
        """Samples that are padded where they are shorter than the crop, and not cut."""
        first = samples.ndim - len(self.crop)
        for axis, want in enumerate(self.crop):
            if samples.shape[first + axis] < want:
                samples = self._padded(samples, first + axis, want, first - 1, masks)
        return samples

    def before(self, sizes: Shape) -> tuple[int, ...]:
        """How much padding comes before samples of this size, along each axis."""
        missing = (max(0, want - have) for have, want in zip(sizes, self.crop, strict=True))
        return tuple(self._before(each) for each in missing)

    def _before(self, missing: int) -> int:
        return {"end": 0, "start": missing, "both": missing // 2}[self.at]

    def cut(self, samples: Tensor, starts: Sequence[int], *, masks: int = 0) -> Tensor:
        """The part that starts at a place of each axis; what is missing there is padded."""
        sizes = self.sizes_of(samples)
        first = samples.ndim - len(self.crop)
        for axis, (start, want, have) in enumerate(zip(starts, self.crop, sizes, strict=True)):
            samples = samples.narrow(first + axis, start, min(want, have))
        return self.padded(samples, masks=masks)

    def _padded(self, samples: Tensor, axis: int, want: int, channels: int, masks: int) -> Tensor:
        have = samples.shape[axis]
        assert self.pad is not None
        at = torch.arange(want) - self._before(want - have)
        outside = (at < 0) | (at >= have)
        if self.pad == "reflect" and have > 1:
            turn = at.abs() % (2 * have - 2)
            at = torch.minimum(turn, 2 * have - 2 - turn)
        padded = samples.index_select(axis, at.clamp(0, have - 1))
        shape = [1] * padded.ndim
        shape[axis] = want
        outside = outside.view(shape)
        if not isinstance(self.pad, str) or self.pad == "zero":
            level = 0.0 if isinstance(self.pad, str) else self.pad
            if not padded.is_floating_point() and not float(level).is_integer():
                padded = padded.float()
            padded = torch.where(outside, torch.tensor(level).to(padded.dtype), padded)
        if masks:
            split = padded.shape[channels] - masks
            numbers, mask = torch.split(padded, [split, masks], channels)
            mask = torch.where(outside, torch.tensor(UNLABELLED).to(mask.dtype), mask)
            padded = torch.cat([numbers, mask], channels)
        return padded

    def sizes_of(self, samples: Tensor) -> Shape:
        return tuple(samples.shape[samples.ndim - len(self.crop) :])

    def too_short(self, sizes: Shape) -> bool:
        """Whether samples of this size lack padding, and none is given."""
        return self.pad is None and any(
            have < want for have, want in zip(sizes, self.crop, strict=True)
        )

    def longer(self, sizes: Shape) -> bool:
        """Whether there is something to cut off."""
        return any(have > want for have, want in zip(sizes, self.crop, strict=True))

    def lines(self) -> tuple[str, ...]:
        """The padding as a line of the `evaluate` section of a spec."""
        return (str(Pad(value=self.pad, at=self.at)),) if self.pad is not None else ()


def fit_in(text: dict[str, object]) -> SampleFit:
    """What `asdict` of a fit was; raises ValueError, TypeError or LookupError for anything else."""
    sizes, pad = text["crop"], text["pad"]
    if not isinstance(sizes, list) or not all(type(side) is int and side > 0 for side in sizes):
        raise ValueError(f"{sizes!r} is not a size")
    known = pad is None or pad in PAD_WORDS or type(pad) in (int, float)
    if not known or text["at"] not in ("end", "start", "both"):
        raise ValueError("its padding is not known")
    return SampleFit(tuple(sizes), pad, str(text["at"]), bool(text["each"]))  # type: ignore[arg-type]
