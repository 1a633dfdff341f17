"""Counts the scores of each class in fine bins, from which follow average precision, AUROC, and
precision, recall and F1 at every threshold.

Counts can be added up over batches and processes, which sorted scores cannot. A score is a logit:
of a class that is decided by itself, or the log-odds of its softmax probability. Scores that differ
by less than 1/128 are ties; so an average precision or an AUROC is off by at most half the share of
such pairs, in practice by less than 0.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import NamedTuple

import torch
from torch import Tensor

BINS, LARGEST = 2**12, 16.0
"""Bins for scores from -16 to 16; the first and the last also have those beyond."""
HALF = BINS // 2
"""The edge at a probability of 50 %."""


def bin_of(scores: Tensor) -> Tensor:
    """The bin of each score."""
    scores = scores.nan_to_num(-LARGEST, LARGEST, -LARGEST).clamp(-LARGEST, LARGEST)
    return ((scores + LARGEST) * (BINS / (2 * LARGEST))).long().clamp_(0, BINS - 1)


def edge_of(probability: float) -> int:
    """The edge of bins that is nearest to a threshold: scores from that bin on are above it."""
    if not 0 < probability < 1:
        return 0 if probability <= 0 else BINS
    score = log(probability) - log(1 - probability)
    return min(max(round((score + LARGEST) * BINS / (2 * LARGEST)), 0), BINS)


def probability_of(edge: int) -> float:
    """The probability at an edge; 0 and 1 at the ends, which all and none of the scores reach."""
    if edge <= 0 or edge >= BINS:
        return 0.0 if edge <= 0 else 1.0
    return 1 / (1 + exp(-(edge * 2 * LARGEST / BINS - LARGEST)))


class ScoreBins:
    """The counts of the scores of each class."""

    def __init__(self, classes: int, device: torch.device) -> None:
        self.classes = classes
        # int32, as there may be a thousand classes: 33 MB on the device.
        self.counts = torch.zeros(2, classes * BINS, dtype=torch.int32, device=device)
        """The number of scores in each bin, by class: of all images, and of those that have the
        class."""

    def add(self, bins: Tensor, there: Tensor, known: Tensor | None = None) -> None:
        """Adds a batch: the bins of scores, and whether images have the class. Only those
        count of which that is `known`."""
        places = (bins + BINS * torch.arange(self.classes, device=bins.device)).flatten()
        every = torch.ones_like(places) if known is None else known.flatten()
        for counts, counted in zip(self.counts, (every, there.flatten()), strict=True):
            counts.index_add_(0, places, counted.to(counts.dtype))

    def auroc(self) -> Tensor:
        """The AUROC of each class, one after the other: the counts are many times as large as what
        follows from them."""
        return torch.cat([self.ranking(number).auroc() for number in range(self.classes)])

    def ranking(self, only: int | None = None) -> Ranking:
        """What follows from the counts of all classes, or of only one; on the CPU."""
        some = slice(None) if only is None else slice(only, only + 1)
        counts = self.counts.view(2, self.classes, BINS)[:, some].cpu().double()
        above = counts.flip(2).cumsum(2).flip(2)
        return Ranking(counts, *torch.nn.functional.pad(above, (0, 1)))


class Shares(NamedTuple):
    """The hits, the predicted and the actual images of each class, at a threshold."""

    correct: Tensor
    predicted: Tensor
    actual: Tensor


class Ranking(NamedTuple):
    """The counts of scores, and how many are above each edge of bins (classes x edges)."""

    counts: Tensor
    predicted: Tensor
    correct: Tensor

    @property
    def actual(self) -> Tensor:
        """The number of images that have each class."""
        return self.correct[:, 0]

    def average_precision(self) -> Tensor:
        """The area under the steps of precision against recall, of each class."""
        precision = self.correct / self.predicted.clamp(min=1)
        hits = self.counts[1]
        area: Tensor = (hits * precision[:, :-1]).sum(1) / self.actual.clamp(min=1)
        return area

    def auroc(self) -> Tensor:
        """The share of pairs of an image with the class and one without, whose scores are in the
        right order; ties count half. NaN of a class that all images have, or none."""
        hits, misses = self.counts[1], self.counts[0] - self.counts[1]
        below = misses.cumsum(1) - misses
        pairs = hits.sum(1) * misses.sum(1)
        right: Tensor = (hits * (below + misses / 2)).sum(1) / pairs
        return torch.where(pairs > 0, right, torch.nan)

    def f1(self) -> Tensor:
        """F1 of each class at each edge."""
        return 2 * self.correct / (self.predicted + self.actual[:, None]).clamp(min=1)

    def best_edges(self) -> list[int]:
        """For each class, the edge at which its F1 is largest: of equally good ones, in the middle
        between two scores, those nearest to 50 %. A class without images keeps 50 %."""
        f1 = self.f1()
        edges = torch.arange(BINS + 1)
        good = f1 >= f1.amax(1, keepdim=True) - 1e-12
        chosen = torch.where(good, (edges - HALF).abs(), BINS + 1).argmin(1)
        alike = self.predicted == self.predicted.gather(1, chosen[:, None])
        first = alike.int().argmax(1)
        last = BINS - alike.flip(1).int().argmax(1)
        # If all scores are above, nothing is known below them.
        middle = torch.where(first > 0, (first + last + 1) // 2, last.clamp(max=HALF))
        return torch.where(self.actual > 0, middle, HALF).tolist()

    def at(self, edges: Sequence[int]) -> Shares:
        """The counts of each class at its edge."""
        places = torch.tensor(edges)[:, None]
        predicted, correct = (
            each.gather(1, places)[:, 0] for each in (self.predicted, self.correct)
        )
        return Shares(correct, predicted, self.actual)


def mean_auroc(each: Tensor) -> float:
    """The mean over the classes that some images have and others do not (one-vs-rest, macro)."""
    known = each[~each.isnan()]
    return float(known.mean()) if len(known) else 0.0
