"""Counts the confusion matrix on the device, and computes metrics from it.

    tally = Tally(10, multi_label=False, loss=plain_loss(plan.train.loss), device=device)
    for …: tally.add(logits, labels)
    tally.metrics()                     # {"loss": 0.08, "top1": 0.98, …}

Nothing is copied from the device until the metrics are requested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..optim.losses import LossFunction

FIVE = 5

_ROUNDING = 1e-6


class Tally:
    """The counts of an evaluation, summed over its batches."""

    def __init__(
        self, classes: int, *, multi_label: bool, loss: LossFunction, device: torch.device
    ) -> None:
        self.classes = classes
        self.multi_label = multi_label
        """Whether an image may have several classes."""
        self.loss = loss
        zeros = torch.zeros(4, dtype=torch.float64)
        self.sums = zeros.to(device, torch.float32 if device.type == "mps" else torch.float64)
        """The number of images, the sum of their losses, the correct ones by top-1 and by top-5."""
        rows = (classes, 3) if multi_label else (classes, classes)
        self.table = torch.zeros(rows, dtype=torch.int64, device=device)
        """The confusion matrix; for multi-label data, the true positives, predicted and actual
        positives of each class."""
        self.differing = torch.zeros(1, dtype=torch.int64, device=device)
        """The number of images whose outputs differ from those of the first image."""
        self._first: Tensor | None = None

    def add(self, logits: Tensor, labels: Tensor) -> None:
        logits = logits.float()
        if self._first is None:
            self._first = logits[:1].clone()
        same = (logits - self._first).abs() <= _ROUNDING * (1 + self._first.abs())
        self.differing += (~same).any(1).sum()
        count = len(labels)
        loss = self.loss(logits, labels) * count
        if self.multi_label:
            predicted, actual = logits > 0, labels > 0.5
            top1 = (predicted == actual).all(1).sum()
            self.table += torch.stack(
                [(predicted & actual).sum(0), predicted.sum(0), actual.sum(0)], 1
            )
            top5 = top1
        else:
            predicted = logits.argmax(1)
            top1 = (predicted == labels).sum()
            # `bincount` would read the largest pair back from the device, and count all classes
            # squared for each batch.
            pairs = labels * self.classes + predicted
            self.table.view(-1).index_add_(0, pairs, torch.ones_like(pairs))
            top5 = top1
            if self.classes > FIVE:
                best = logits.topk(FIVE, dim=1).indices
                top5 = (best == labels[:, None]).any(1).sum()
        sums = torch.stack([torch.full_like(loss, count), loss, top1.to(loss), top5.to(loss)])
        self.sums += sums.to(self.sums)

    def counters(self) -> tuple[Tensor, Tensor, Tensor]:
        """The counts that are summed over the processes of distributed training."""
        return self.sums, self.table, self.differing

    def add_counts(self, other: Tally) -> None:
        """Adds the counts of other images."""
        for counter, counted in zip(self.counters(), other.counters(), strict=True):
            counter += counted

    # ---- results ----

    @property
    def constant(self) -> bool:
        """Whether the network gives the same outputs for all images."""
        return float(self.sums[0]) > 1 and not int(self.differing)

    def confusion(self) -> Tensor:
        """The confusion matrix: int64, on the CPU; empty for multi-label data."""
        return torch.zeros(0, 0, dtype=torch.int64) if self.multi_label else self.table.cpu()

    def metrics(self) -> dict[str, float]:
        """The metrics by name (`metric_names`). For multi-label data, `top1` is the share of images
        for which all classes are correct."""
        count, loss, top1, top5 = self.sums.tolist()
        if not count:
            return {}
        metrics = {"loss": loss / count, "top1": top1 / count}
        if "top5" in metric_names(self.classes, self.multi_label):
            metrics["top5"] = top5 / count
        precision, recall, f1, images = self._by_class()
        known = images > 0
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            metrics[name] = float(values[known].mean()) if bool(known.any()) else 0.0
        return metrics

    def per_class(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """The number of images, precision, recall and F1 of each class."""
        precision, recall, f1, images = (values.tolist() for values in self._by_class())
        return {
            name: {
                "images": int(images[index]),
                "precision": precision[index],
                "recall": recall[index],
                "f1": f1[index],
            }
            for index, name in enumerate(names)
        }

    def _by_class(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Precision, recall, F1 and the number of images of each class; 0 for a class without
        images."""
        table = self.table.cpu().double()
        if self.multi_label:
            correct, predicted, actual = table.unbind(1)
        else:
            correct, predicted, actual = table.diagonal(), table.sum(0), table.sum(1)
        precision = correct / predicted.clamp(min=1)
        recall = correct / actual.clamp(min=1)
        f1 = 2 * correct / (predicted + actual).clamp(min=1)
        return precision, recall, f1, actual


def metric_names(classes: int, multi_label: bool) -> tuple[str, ...]:
    """The metrics of an evaluation, in their order; `top5` for more than five classes."""
    five = ("top5",) if classes > FIVE and not multi_label else ()
    return ("loss", "top1", *five, "precision", "recall", "f1")


def is_better(metric: str, value: float, than: float | None, by: float = 0.0) -> bool:
    """Whether a result is better by more than `by`; NaN never is."""
    if value != value:
        return False
    if than is None:
        return True
    return value < than - by if metric == "loss" else value > than + by


def is_best(metric: str, metrics: Mapping[str, float], best: Mapping[str, float] | None) -> bool:
    """Whether an epoch is the best so far. If two epochs have the same result, the one with the
    lower loss is better."""
    if best is None:
        return is_better(metric, metrics[metric], None)
    if metrics[metric] == best[metric]:
        return is_better("loss", metrics["loss"], best["loss"])
    return is_better(metric, metrics[metric], best[metric])
