"""The augmentation module of series: applies the passes of a plan to a batch, computes spectrograms
if the network takes them, and normalizes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...compiler.plan.fusion import Fusion
from ...compiler.plan.own_augmentation import OWN
from ..data.to_spectrogram import ToSpectrogram
from ..runtime.to_device import to_device
from . import series_passes  # noqa: F401 - it enters what it does
from .entries import constant
from .mix import Mix, are_masks
from .module import shares
from .own_change import ON_SERIES
from .random_numbers import Draws
from .registry import Normalization, Resources, implementation
from .series_passes import SeriesPass


class SeriesAugmenter(nn.Module):
    """Augments series, N x channels x length, and makes them the input of the network. They are
    normalized before, their spectrograms afterwards.

    Each is changed with random numbers of its own, which depend on seed, epoch and index alone.
    Labels are returned unchanged or, where samples are mixed, as shares of classes; masks (N x
    axes, uint8) move along with their samples. The last
    `guests` samples and labels are not returned: they are only there to be mixed with.
    """

    def __init__(
        self,
        fusion: Fusion,
        normalization: Normalization,
        *,
        seed: int,
        classes: int,
        mixable: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """`mixable` turns labels into what can be mixed."""
        super().__init__()
        self._mixable = mixable
        self.fusion = fusion
        self._classes = classes
        resources = Resources.of(seed, normalization)
        before = len(fusion.passes) - fusion.on_spectrogram
        self._steps: list[SeriesPass | Mix | ToSpectrogram] = [
            implementation(step, resources, ON_SERIES if step.kind is OWN else "")
            for step in (pass_.steps[0] for pass_ in fusion.passes)
        ]
        if fusion.spectrogram is not None:
            self._steps.insert(before, ToSpectrogram(fusion.spectrogram, fusion.input))
        self._normalizes_first = fusion.spectrogram is None
        self._normalization = [tuple(numbers.tolist()) for numbers in normalization]
        self._draws = Draws(resources.layout, seed)
        self.guests = sum(isinstance(step, Mix) for step in self._steps)
        """How many more samples to pass than are returned: the next ones in the order."""

    def forward(
        self, samples: Tensor, labels: Tensor, indices: Tensor, epoch: int = 0
    ) -> tuple[Tensor, Tensor]:
        if len(samples) <= self.guests:
            raise ValueError(f"{len(samples)} samples are too few: mixing needs {self.guests} more")
        drawn = self._draws(epoch, to_device(indices, samples.device))
        masks = are_masks(labels, samples)
        samples = samples.to(torch.float32)
        if self._normalizes_first:
            samples = self._normalized(samples)
        for step in self._steps:
            if isinstance(step, Mix):
                if not masks:
                    labels = shares(labels, self._classes, self._mixable)
                samples, labels = step(samples, labels, drawn)
                drawn = drawn[:, : len(samples)]
            elif isinstance(step, SeriesPass):
                samples = step(samples, drawn)
                labels = step.masks(labels, drawn) if masks else labels
            else:
                samples = step(samples)
        return (samples if self._normalizes_first else self._normalized(samples)), labels

    def _normalized(self, samples: Tensor) -> Tensor:
        factor, offset = (
            constant(each, samples.device).view(1, -1, *[1] * (samples.ndim - 2))
            for each in self._normalization
        )
        return samples * factor + offset
