"""Counts the results of an evaluation on the device, batch by batch; metrics follow from the sums.

    tally = task.counts(loss, device)
    for …: tally.add(outputs, labels)
    tally.results()                     # {"loss": 0.08, "top1": 0.98, …}

Nothing is copied from the device until the metrics are requested. Sums of several processes, or of
several parts of the data, can be added up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor

from ...compiler.plan.own_metric import Metric
from ..optim.losses import LossFunction
from .outcome import Outcome

_ROUNDING = 1e-6


class Tally(ABC):
    """The sums of an evaluation over its batches."""

    further: int = 0
    """The number of sums beside the number of images and their loss."""

    def __init__(self, loss: LossFunction, device: torch.device) -> None:
        self.loss = loss
        zeros = torch.zeros(2 + self.further, dtype=torch.float64)
        self.sums = zeros.to(device, torch.float32 if device.type == "mps" else torch.float64)
        """The number of images, the sum of their losses, and further sums."""
        self.differing = torch.zeros(1, dtype=torch.int64, device=device)
        """The number of images whose outputs differ from those of the first image."""
        self._first: Tensor | None = None
        self.own: list[tuple[Metric, Tensor]] = []
        """The metrics of plug-ins, and their sums."""

    def measuring(self, metrics: Sequence[Metric], outputs: int) -> Self:
        """The same counts, which also sum up metrics of plug-ins, of a network with so many
        outputs."""
        self.own = [(each, self.sums.new_zeros(each.sums(outputs))) for each in metrics]
        return self

    def add(self, outputs: Tensor, labels: Tensor) -> None:
        """Adds the outputs of a batch."""
        outputs = outputs.float()
        self.compare(outputs)
        count = len(labels)
        loss = self.loss(outputs, labels) * count
        further = [each.to(loss) for each in self.count(outputs, labels)]
        self.sums += torch.stack([torch.full_like(loss, count), loss, *further]).to(self.sums)
        self.count_own(outputs, labels)

    def count_own(self, outputs: Tensor, labels: Tensor) -> None:
        """Adds a batch to the sums of the metrics of plug-ins."""
        for metric, sums in self.own:
            sums += metric.count(outputs, labels).to(sums)

    def compare(self, outputs: Tensor) -> None:
        """Compares outputs with those of the first image: of maps of another size, the part that
        both have."""
        if self._first is None:
            self._first = outputs[:1].clone()
        first = self._first
        if outputs.shape[1:] != first.shape[1:]:
            rows, columns = map(min, outputs.shape[-2:], first.shape[-2:])
            outputs, first = outputs[..., :rows, :columns], first[..., :rows, :columns]
        same = (outputs - first).abs() <= _ROUNDING * (1 + first.abs())
        self.differing += (~same).flatten(1).any(1).sum()

    def thorough(self) -> Self:
        """The same counts, which then also measure what takes too long after every epoch."""
        return self

    @abstractmethod
    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        """Counts a batch; returns the further sums of it."""

    def counters(self) -> tuple[Tensor, ...]:
        """The counts that are summed over the processes of distributed training."""
        return self.sums, self.differing

    def all_counters(self) -> tuple[Tensor, ...]:
        """The same with those of metrics of plug-ins."""
        return *self.counters(), *(sums for _, sums in self.own)

    def add_counts(self, other: Tally) -> None:
        """Adds the counts of other images."""
        for counter, counted in zip(self.all_counters(), other.all_counters(), strict=True):
            counter += counted

    # ---- results ----

    @property
    def constant(self) -> bool:
        """Whether the network gives the same outputs for all images."""
        return float(self.sums[0]) > 1 and not int(self.differing)

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """The metrics by name, in the order of the task; empty without images."""

    def results(self) -> dict[str, float]:
        """The same with the metrics of plug-ins."""
        metrics = self.metrics()
        if not metrics:
            return {}
        return metrics | {one.word: float(one.value(sums.cpu())) for one, sums in self.own}

    def per_class(self) -> dict[str, Mapping[str, float]]:
        """The figures of each class; empty if there are no classes."""
        return {}

    def outcomes(self, part: str, answers: Tensor, truth: Tensor) -> Mapping[str, Outcome]:
        """The outcome of each output of a network, if it has several."""
        return {}

    def confusion(self) -> Tensor:
        """The confusion matrix: int64, on the CPU; empty if there is none."""
        return torch.zeros(0, 0, dtype=torch.int64)
