"""Measures the errors of predicted numbers: MAE, RMSE and R2, in the units of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..optim.losses import LossFunction
from .tally import Tally

_SUMS = 5
"""Labels, absolute errors, squared errors, labels and their squares, each for every number."""


class NumberTally(Tally):
    """The errors of each number. A label that is NaN counts for nothing."""

    def __init__(
        self,
        names: Sequence[str],
        loss: LossFunction,
        device: torch.device,
        means: Tensor,
        deviations: Tensor,
    ) -> None:
        """`means` and `deviations` standardize the labels."""
        super().__init__(loss, device)
        self.names = names
        self.means, self.deviations = means.to(device), deviations.to(device)
        self.errors = self.sums.new_zeros(_SUMS, len(names))
        """Of standardized numbers, which are of a size at which nothing is lost in sums."""

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        known = ~labels.isnan()
        truth = torch.where(known, labels, 0.0).to(self.errors)
        error = torch.where(known, outputs[:, : len(self.names)] - labels, 0.0).to(self.errors)
        columns = (known.to(self.errors), error.abs(), error**2, truth, truth**2)
        self.errors += torch.stack([column.sum(0) for column in columns])
        return ()

    def counters(self) -> tuple[Tensor, ...]:
        return self.sums, self.errors, self.differing

    def metrics(self) -> dict[str, float]:
        """The means over the numbers; R2 of each number alone, so units do not matter."""
        count, loss = self.sums.tolist()
        if not count:
            return {}
        each = self.per_class()
        known = [figures for figures in each.values() if figures["images"]]
        means = {
            name: sum(figures[name] for figures in known) / max(1, len(known))
            for name in ("mae", "rmse", "r2")
        }
        return {"loss": loss / count, **means}

    def per_class(self) -> dict[str, Mapping[str, float]]:
        """The figures of each number."""
        counts, absolute, squared, truth, squares = self.errors.double().cpu()
        many = counts.clamp(min=1)
        spread = squares - truth**2 / many
        columns = {
            "images": counts,
            "mae": absolute / many * self.deviations.double().cpu(),
            "rmse": (squared / many).sqrt() * self.deviations.double().cpu(),
            "r2": torch.where(spread > 0, 1 - squared / spread.clamp(min=1e-12), 0.0),
        }
        return {
            name: {key: float(values[index]) for key, values in columns.items()}
            for index, name in enumerate(self.names)
        }
