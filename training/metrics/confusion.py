"""Counts the confusion matrix of classified images, or the hits of each class where an image may
have several, and computes precision, recall and F1 from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..optim.losses import LossFunction
from .tally import Tally

BINS, LARGEST = 2**12, 16.0
"""Logits from -16 to 16 are sorted into bins, for average precision: their counts can be added up
over batches and processes."""

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

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        predicted = outputs.argmax(1)
        top1 = (predicted == labels).sum()
        # `bincount` would read the largest pair back from the device, and count all classes
        # squared for each batch.
        pairs = labels * len(self.classes) + predicted
        self.table.view(-1).index_add_(0, pairs, torch.ones_like(pairs))
        if len(self.classes) <= FIVE:
            return top1, top1
        best = outputs.topk(FIVE, dim=1).indices
        return top1, (best == labels[:, None]).any(1).sum()

    def counters(self) -> tuple[Tensor, ...]:
        return self.sums, self.table, self.differing

    def confusion(self) -> Tensor:
        return self.table.cpu()

    def metrics(self) -> dict[str, float]:
        count, loss, top1, top5 = self.sums.tolist()
        if not count:
            return {}
        five = {"top5": top5 / count} if len(self.classes) > FIVE else {}
        return {"loss": loss / count, "top1": top1 / count, **five, **_means(*self._hits())}

    def per_class(self) -> dict[str, Mapping[str, float]]:
        return _of_each(self.classes, *self._hits())

    def _hits(self) -> tuple[Tensor, Tensor, Tensor]:
        table = self.table.cpu().double()
        return table.diagonal(), table.sum(0), table.sum(1)


class TagTally(Tally):
    """The counts where an image may have several classes. The further sum: the images for which all
    classes are correct."""

    further = 1

    def __init__(self, classes: Sequence[str], loss: LossFunction, device: torch.device) -> None:
        super().__init__(loss, device)
        self.classes = classes
        self.table = torch.zeros(len(classes), 3, dtype=torch.int64, device=device)
        """The true positives, predicted and actual positives of each class."""
        self.ranked = torch.zeros(2, len(classes) * BINS, dtype=torch.int64, device=device)
        """How many logits of each class are in each bin: all of them, and those of images that have
        the class."""

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        predicted, actual = outputs > 0, labels > 0.5
        hits = (predicted & actual).sum(0)
        self.table += torch.stack([hits, predicted.sum(0), actual.sum(0)], 1)
        bins = ((outputs + LARGEST) * (BINS / (2 * LARGEST))).long().clamp_(0, BINS - 1)
        bins = (bins + BINS * torch.arange(len(self.classes), device=bins.device)).flatten()
        both = torch.stack([torch.ones_like(bins), actual.flatten().to(bins.dtype)])
        self.ranked.index_add_(1, bins, both)
        return ((predicted == actual).all(1).sum(),)

    def counters(self) -> tuple[Tensor, ...]:
        return self.sums, self.table, self.ranked, self.differing

    def metrics(self) -> dict[str, float]:
        """`top1` is the share of images for which all classes are correct; `map` the mean over the
        classes that have images."""
        count, loss, exact = self.sums.tolist()
        if not count:
            return {}
        known = self.table[:, 2].cpu() > 0
        average = self._average_precision()[known]
        mean = float(average.mean()) if len(average) else 0.0
        shares = _means(*self._hits())
        return {"loss": loss / count, "top1": exact / count, "map": mean, **shares}

    def per_class(self) -> dict[str, Mapping[str, float]]:
        precision = self._average_precision().tolist()
        figures = _of_each(self.classes, *self._hits())
        return {
            name: {**each, "average_precision": value}
            for (name, each), value in zip(figures.items(), precision, strict=True)
        }

    def _average_precision(self) -> Tensor:
        """The area under the steps of precision against recall, of each class. Logits that differ
        by less than 1/128 are ties."""
        counts = self.ranked.view(2, len(self.classes), BINS).flip(2).cpu().double()
        there, right = counts.cumsum(2)
        precision = right / there.clamp(min=1)
        area: Tensor = (counts[1] * precision).sum(1) / right[:, -1].clamp(min=1)
        return area

    def _hits(self) -> tuple[Tensor, Tensor, Tensor]:
        correct, predicted, actual = self.table.cpu().double().unbind(1)
        return correct, predicted, actual


def _shares(correct: Tensor, predicted: Tensor, actual: Tensor) -> dict[str, Tensor]:
    """Precision, recall and F1 of each class; 0 for a class without images."""
    return {
        "precision": correct / predicted.clamp(min=1),
        "recall": correct / actual.clamp(min=1),
        "f1": 2 * correct / (predicted + actual).clamp(min=1),
    }


def _means(correct: Tensor, predicted: Tensor, actual: Tensor) -> dict[str, float]:
    """The means of precision, recall and F1 over the classes that have images."""
    known = actual > 0
    any_known = bool(known.any())
    return {
        name: float(values[known].mean()) if any_known else 0.0
        for name, values in _shares(correct, predicted, actual).items()
    }


def _of_each(
    classes: Sequence[str], correct: Tensor, predicted: Tensor, actual: Tensor
) -> dict[str, Mapping[str, float]]:
    """The number of images, precision, recall and F1 of each class."""
    shares = {k: v.tolist() for k, v in _shares(correct, predicted, actual).items()}
    images = actual.tolist()
    return {
        name: {"images": int(images[index]), **{key: each[index] for key, each in shares.items()}}
        for index, name in enumerate(classes)
    }
