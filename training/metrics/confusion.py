"""Counts the confusion matrix of classified images, and computes precision, recall and F1 from it;
if asked for, also AUROC, calibration and the Brier score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..optim.losses import LossFunction
from .calibration import BINS, calibration, calibration_error
from .score_bins import ScoreBins, bin_of, mean_auroc
from .tally import Tally

_ALMOST = 1 - 2.0**-24
"""The largest probability below 1."""
FIVE = 5
"""Up to this many classes, the correct one is always among the best five."""


class ClassTally(Tally):
    """The counts where each image has one class. Further sums: the correct images by top-1 and by
    top-5."""

    further = 2

    def __init__(self, classes: Sequence[str], loss: LossFunction, device: torch.device) -> None:
        super().__init__(loss, device)
        self.classes = classes
        self.table = torch.zeros(len(classes), len(classes), dtype=torch.int64, device=device)
        """The confusion matrix: rows are true classes, columns predicted ones."""
        self.bins: ScoreBins | None = None
        """The scores of each class, against all others; None unless AUROC is measured."""
        self.calibration = self.sums.new_zeros(3, BINS)
        self.brier = self.sums.new_zeros(1)

    def thorough(self) -> ClassTally:
        self.bins = ScoreBins(len(self.classes), self.sums.device)
        return self

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        predicted = outputs.argmax(1)
        top1 = (predicted == labels).sum()
        # `bincount` would read the largest pair back from the device, and count all classes
        # squared for each batch.
        pairs = labels * len(self.classes) + predicted
        self.table.view(-1).index_add_(0, pairs, torch.ones_like(pairs))
        if self.bins is not None:
            self._rank(self.bins, outputs, labels, predicted)
        if len(self.classes) <= FIVE:
            return top1, top1
        best = outputs.topk(FIVE, dim=1).indices
        return top1, (best == labels[:, None]).any(1).sum()

    def _rank(self, bins: ScoreBins, outputs: Tensor, labels: Tensor, predicted: Tensor) -> None:
        """Counts what needs the probabilities of all classes."""
        shares, logs = outputs.softmax(1), outputs.log_softmax(1)
        there = labels[:, None] == torch.arange(len(self.classes), device=labels.device)
        bins.add(bin_of(logs - torch.log1p(-shares.clamp(max=_ALMOST))), there)
        confidence = shares.amax(1).to(self.calibration)
        self.calibration += calibration(confidence, predicted == labels)
        self.brier += (shares - there.to(shares)).square().sum().to(self.brier)

    def counters(self) -> tuple[Tensor, ...]:
        counters = (self.sums, self.table, self.differing)
        if self.bins is None:
            return counters
        return *counters, self.bins.counts, self.calibration, self.brier

    def confusion(self) -> Tensor:
        return self.table.cpu()

    def metrics(self) -> dict[str, float]:
        count, loss, top1, top5 = self.sums.tolist()
        if not count:
            return {}
        five = {"top5": top5 / count} if len(self.classes) > FIVE else {}
        metrics = {"loss": loss / count, "top1": top1 / count, **five, **means(*self._hits())}
        if self.bins is None:
            return metrics
        return {
            **metrics,
            "auroc": mean_auroc(self.bins.auroc()),
            "ece": calibration_error(self.calibration),
            "brier": float(self.brier) / count,
        }

    def per_class(self) -> dict[str, Mapping[str, float]]:
        further = {} if self.bins is None else {"auroc": self.bins.auroc()}
        return of_each(self.classes, *self._hits(), **further)

    def _hits(self) -> tuple[Tensor, Tensor, Tensor]:
        table = self.table.cpu().double()
        return table.diagonal(), table.sum(0), table.sum(1)


def _shares(correct: Tensor, predicted: Tensor, actual: Tensor) -> dict[str, Tensor]:
    """Precision, recall and F1 of each class; 0 for a class without images."""
    return {
        "precision": correct / predicted.clamp(min=1),
        "recall": correct / actual.clamp(min=1),
        "f1": 2 * correct / (predicted + actual).clamp(min=1),
    }


def means(correct: Tensor, predicted: Tensor, actual: Tensor) -> dict[str, float]:
    """The means of precision, recall and F1 over the classes that have images."""
    known = actual > 0
    any_known = bool(known.any())
    return {
        name: float(values[known].mean()) if any_known else 0.0
        for name, values in _shares(correct, predicted, actual).items()
    }


def of_each(
    classes: Sequence[str], correct: Tensor, predicted: Tensor, actual: Tensor, **further: Tensor
) -> dict[str, Mapping[str, float]]:
    """The number of images, precision, recall and F1 of each class, and further figures."""
    figures = {**_shares(correct, predicted, actual), **further}
    shares = {k: v.tolist() for k, v in figures.items()}
    images = actual.tolist()
    return {
        name: {"images": int(images[index]), **{key: each[index] for key, each in shares.items()}}
        for index, name in enumerate(classes)
    }
