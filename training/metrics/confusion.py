"""The confusion matrix, counted on the device, and the metrics that follow from it.

    tally = Tally(10, multi_label=False, loss=plain_loss(plan.train.loss), device=device)
    for …: tally.add(logits, labels)
    tally.metrics()                     # {"loss": 0.08, "top1": 0.98, …}

Nothing is copied from the device before the metrics are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..optim.losses import LossFunction

FIVE = 5

_ROUNDING = 1e-6


class Tally:
    """Counts over the batches of an evaluation."""

    def __init__(
        self, classes: int, *, multi_label: bool, loss: LossFunction, device: torch.device
    ) -> None:
        self.classes = classes
        self.multi_label = multi_label
        """An image may have several classes."""
        self.loss = loss
        zeros = torch.zeros(4, dtype=torch.float64)
        self.sums = zeros.to(device, torch.float32 if device.type == "mps" else torch.float64)
        """Images, the sum of their losses, correct ones by top-1 and by top-5."""
        rows = (classes, 3) if multi_label else (classes, classes)
        self.table = torch.zeros(rows, dtype=torch.int64, device=device)
        """Confusion matrix; with multi-label, by class: true positives, predicted, actual."""
        self.differing = torch.zeros(1, dtype=torch.int64, device=device)
        """Images whose outputs are not those of the first image."""
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
            said, there = logits > 0, labels > 0.5
            right = (said == there).all(1).sum()
            self.table += torch.stack([(said & there).sum(0), said.sum(0), there.sum(0)], 1)
            five = right
        else:
            taken = logits.argmax(1)
            right = (taken == labels).sum()
            pairs = (labels * self.classes + taken).bincount(minlength=self.classes**2)
            self.table += pairs.view(self.classes, self.classes)
            five = right
            if self.classes > FIVE:
                best = logits.topk(FIVE, dim=1).indices
                five = (best == labels[:, None]).any(1).sum()
        some = torch.stack([torch.full_like(loss, count), loss, right.to(loss), five.to(loss)])
        self.sums += some.to(self.sums)

    def counters(self) -> tuple[Tensor, Tensor, Tensor]:
        """What several processes have to add up."""
        return self.sums, self.table, self.differing

    # ---- what follows ----

    @property
    def constant(self) -> bool:
        """Whether the network gives the same outputs for all images."""
        return float(self.sums[0]) > 1 and not int(self.differing)

    def confusion(self) -> Tensor:
        """int64, on the CPU; empty where an image may be of several classes."""
        return torch.zeros(0, 0, dtype=torch.int64) if self.multi_label else self.table.cpu()

    def metrics(self) -> dict[str, float]:
        """`top5` only with more than five classes; with multi-label, `top1` is the share of images
        of which every class is right."""
        count, loss, right, five = self.sums.tolist()
        if not count:
            return {}
        found = {"loss": loss / count, "top1": right / count}
        if self.classes > FIVE and not self.multi_label:
            found["top5"] = five / count
        precision, recall, f1, there = self._by_class()
        known = there > 0
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            found[name] = float(values[known].mean()) if bool(known.any()) else 0.0
        return found

    def per_class(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """The number of images, precision, recall and F1 of each class."""
        precision, recall, f1, there = (values.tolist() for values in self._by_class())
        return {
            name: {
                "images": int(there[index]),
                "precision": precision[index],
                "recall": recall[index],
                "f1": f1[index],
            }
            for index, name in enumerate(names)
        }

    def _by_class(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Precision, recall, F1 and the number of images; 0 where there are none."""
        table = self.table.cpu().double()
        if self.multi_label:
            right, said, there = table.unbind(1)
        else:
            right, said, there = table.diagonal(), table.sum(0), table.sum(1)
        precision = right / said.clamp(min=1)
        recall = right / there.clamp(min=1)
        f1 = 2 * right / (said + there).clamp(min=1)
        return precision, recall, f1, there


def is_better(metric: str, value: float, than: float | None, by: float = 0.0) -> bool:
    """Whether a result is better by more than `by`; NaN never is."""
    if value != value:
        return False
    if than is None:
        return True
    return value < than - by if metric == "loss" else value > than + by


def is_best(metric: str, metrics: Mapping[str, float], best: Mapping[str, float] | None) -> bool:
    """Whether an epoch is the best so far; of epochs with the same result, the one with the lowest
    loss is."""
    if best is None:
        return is_better(metric, metrics[metric], None)
    if metrics[metric] == best[metric]:
        return is_better("loss", metrics["loss"], best["loss"])
    return is_better(metric, metrics[metric], best[metric])
