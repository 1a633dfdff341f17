"""Multi-label classification: an image may have several classes, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...compiler.plan.loss import Bce, Loss
from ..metrics.confusion import TagTally
from ..metrics.tally import Tally
from ..optim.losses import LossFunction, loss_function, plain_loss
from .probabilities import probabilities_of
from .task import Task


@dataclass(frozen=True)
class MultiLabel(Task):
    """Each class is decided by itself; outputs are logits, and answers probabilities by sigmoid."""

    word: ClassVar[str] = "multi_label"
    labels: ClassVar[str] = "several classes"
    best: ClassVar[str] = "top1"
    running: ClassVar[str] = "top1"
    usual_loss: ClassVar[type[Loss]] = Bce

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("loss", "top1", "map", "precision", "recall", "f1")

    def loss(self, loss: Loss, weights: Tensor | None) -> LossFunction:
        return loss_function(loss, weights)

    def tally(self, loss: Loss, device: torch.device) -> Tally:
        return TagTally(self.classes, plain_loss(loss), device)

    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return ((outputs > 0) == (labels > 0.5)).all(1).sum()

    def answers(self, outputs: Tensor) -> Tensor:
        return probabilities_of(outputs, independent=True)

    def outputs(self, answers: Tensor) -> Tensor:
        least = torch.finfo(torch.float32).tiny
        yes = answers.float().clamp(min=least).log()
        return yes - (1 - answers.float()).clamp(min=least).log()

    def averaged(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid().mean(0).logit(eps=1e-7)
