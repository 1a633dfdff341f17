"""Counts the confusion matrix of pixels, and computes IoU, Dice and accuracy from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from ..optim.losses import LossFunction
from .boundary_f1 import boundary_f1
from .tally import Tally


class MaskTally(Tally):
    """The counts where each pixel has one class. Pixels without a label count for nothing."""

    def __init__(self, classes: Sequence[str], loss: LossFunction, device: torch.device) -> None:
        super().__init__(loss, device)
        self.classes = classes
        self.table = torch.zeros(len(classes), len(classes), dtype=torch.int64, device=device)
        """Pixels: rows are true classes, columns predicted ones."""
        self.outlines = torch.zeros(2, dtype=self.sums.dtype, device=device)
        """The number of images whose outlines were compared, and the sum of their boundary F1."""
        self._thorough = False

    def thorough(self) -> MaskTally:
        self._thorough = True
        return self

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        predicted = outputs.argmax(1)
        self.table += table_of(predicted, labels, len(self.classes))
        for one, mask in zip(predicted, labels, strict=True):
            self.count_outline(one, mask)
        return ()

    def count_outline(self, predicted: Tensor, mask: Tensor) -> None:
        """Compares the outlines of an image, if that is asked for."""
        if self._thorough:
            score = boundary_f1(predicted, mask, len(self.classes))
            known = ~score.isnan()
            self.outlines += torch.stack([known, score.nan_to_num()]).to(self.outlines)

    def counters(self) -> tuple[Tensor, ...]:
        return self.sums, self.table, self.outlines, self.differing

    def confusion(self) -> Tensor:
        return self.table.cpu()

    def metrics(self) -> dict[str, float]:
        """The means of IoU and Dice are over the classes that some image has or is said to have."""
        count, loss = self.sums.tolist()
        if not count:
            return {}
        table = self.table.cpu().double()
        iou, dice = overlaps(table)
        pixels = float(table.diagonal().sum() / table.sum().clamp(min=1))
        means = {"miou": _mean(iou), "dice": _mean(dice)}
        images, boundary = self.outlines.tolist()
        further = {"boundary": boundary / images} if images else {}
        return {"loss": loss / count, **means, "pixels": pixels, **further}

    def per_class(self) -> dict[str, Mapping[str, float]]:
        table = self.table.cpu().double()
        iou, dice = overlaps(table)
        right, found, there = table.diagonal(), table.sum(0), table.sum(1)
        columns = {
            "pixels": there,
            "iou": iou,
            "dice": dice,
            "precision": right / found.clamp(min=1),
            "recall": right / there.clamp(min=1),
        }
        return {
            name: {key: float(values[index]) for key, values in columns.items()}
            for index, name in enumerate(self.classes)
        }


def table_of(predicted: Tensor, mask: Tensor, classes: int) -> Tensor:
    """The confusion matrix of the pixels that have a label. Nothing is read back from the device:
    pixels without a label are counted in a row of their own, which is left out."""
    row = torch.where(mask == UNLABELLED, classes, mask.long())
    pairs = (row * classes + predicted).flatten()
    counts = torch.zeros((classes + 1) * classes, dtype=torch.int64, device=mask.device)
    counts.index_add_(0, pairs, torch.ones_like(pairs))
    return counts.view(classes + 1, classes)[:classes]


def overlaps(table: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and Dice of each class, from a confusion matrix; NaN for a class that neither occurs nor
    is predicted."""
    right, sizes = table.diagonal(), table.sum(0) + table.sum(1)
    return right / (sizes - right), 2 * right / sizes


def _mean(values: Tensor) -> float:
    known = values[~values.isnan()]
    return float(known.mean()) if len(known) else 0.0
