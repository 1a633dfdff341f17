"""Counts the hits of each class where an image may have several: precision, recall and F1 at the
threshold of each class, and average precision.

Thresholds are those of a trained network. Without any, as while training, those are chosen at which
the F1 of each class is largest; a run keeps those of its best epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..optim.losses import LossFunction
from .calibration import BINS, calibration, calibration_error
from .confusion import means, of_each
from .score_bins import HALF, Ranking, ScoreBins, bin_of, edge_of, mean_auroc, probability_of
from .tally import Tally


class TagTally(Tally):
    """The counts where an image may have several classes. The further sum: the images for which all
    classes are correct. Where a label is NaN, it is not known whether an image has the class, and
    that counts for nothing."""

    further = 1

    def __init__(
        self,
        classes: Sequence[str],
        loss: LossFunction,
        device: torch.device,
        thresholds: Sequence[float] = (),
    ) -> None:
        super().__init__(loss, device)
        self.classes = classes
        self._given = [edge_of(threshold) for threshold in thresholds]
        self._edges = torch.tensor(self._given or [HALF] * len(classes), device=device)
        self.bins = ScoreBins(len(classes), device)
        self._thorough = False
        self.calibration = self.sums.new_zeros(3, BINS)
        self.brier = self.sums.new_zeros(1)

    def thorough(self) -> TagTally:
        self._thorough = True
        return self

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        bins, actual, known = bin_of(outputs), labels > 0.5, ~labels.isnan()
        self.bins.add(bins, actual, known)
        if self._thorough:
            shares = outputs.sigmoid().to(self.calibration)
            self.calibration += calibration(shares, actual, known)
            wrong = (shares - actual.to(shares)).square() * known
            self.brier += (wrong.sum(1) / known.sum(1).clamp(min=1)).sum()
        # Chosen thresholds are known only after all images: until then, it is 50 %.
        return ((((bins >= self._edges) == actual) | ~known).all(1).sum(),)

    def counters(self) -> tuple[Tensor, ...]:
        return self.sums, self.bins.counts, self.calibration, self.brier, self.differing

    def _ranked(self) -> tuple[Ranking, list[int]]:
        ranking = self.bins.ranking()
        return ranking, self._given or ranking.best_edges()

    def thresholds(self) -> tuple[float, ...]:
        """The probability from which on each class is predicted."""
        return tuple(map(probability_of, self._ranked()[1]))

    def metrics(self) -> dict[str, float]:
        """`top1` is the share of images for which all classes are correct; `map` and `auroc` are
        the means over the classes that have images."""
        count, loss, exact = self.sums.tolist()
        if not count:
            return {}
        ranking, edges = self._ranked()
        known = ranking.actual > 0
        average = ranking.average_precision()[known]
        metrics = {
            "loss": loss / count,
            "top1": exact / count,
            "map": float(average.mean()) if len(average) else 0.0,
            **means(*ranking.at(edges)),
            "auroc": mean_auroc(ranking.auroc()),
        }
        if self._thorough:
            metrics |= {
                "ece": calibration_error(self.calibration),
                "brier": float(self.brier) / count,
            }
        return metrics

    def per_class(self) -> dict[str, Mapping[str, float]]:
        ranking, edges = self._ranked()
        return of_each(
            self.classes,
            *ranking.at(edges),
            average_precision=ranking.average_precision(),
            auroc=ranking.auroc(),
            threshold=torch.tensor([probability_of(edge) for edge in edges]),
        )
