"""Random parts of series and scans that are longer than the network's input, cut out when they are
read: another one in each epoch.

The random numbers of a sample depend on the seed, the epoch and its index alone, as those of the
augmentation of batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..data.samples.sample_fit import SampleFit
from .random_numbers import Draws, Layout, whole


class RandomPart:
    """The random part of each training sample, which differs from epoch to epoch."""

    def __init__(self, fit: SampleFit, seed: int) -> None:
        self.fit = None
        """Nothing is resized before."""
        self.size = fit.crop
        self._fit = fit
        layout = Layout()
        self._at = layout.reserve(_PURPOSE, 0, len(fit.crop))
        self._draws = Draws(layout, seed)

    def __str__(self) -> str:
        return "a random part of each sample"

    def __call__(
        self, samples: Sequence[Tensor], epoch: int, indices: Sequence[int], *, masks: int = 0
    ) -> Tensor:
        drawn = self._draws(epoch, torch.tensor(indices))[self._at].t()
        parts = []
        for sample, numbers in zip(samples, drawn, strict=True):
            sample = self._fit.whole(sample, masks=masks)
            pairs = zip(numbers, self._fit.sizes_of(sample), self._fit.crop, strict=True)
            starts = [int(whole(u, 0, max(0, have - want))) for u, have, want in pairs]
            parts.append(self._fit.cut(sample, starts, masks=masks))
        return torch.stack(parts)


_PURPOSE = 2**20
"""In place of the number of a directive: random numbers of crops are those of no augmentation."""
