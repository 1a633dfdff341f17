"""Classification: each image has one class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...compiler.plan.loss import Loss
from ...compiler.plan.train import TOP5_FROM, Metrics
from ..metrics.confusion import FIVE, ClassTally
from ..metrics.tally import Tally
from ..optim.losses import LossFunction, loss_function, plain_loss
from .probabilities import probabilities_of
from .task import Task


@dataclass(frozen=True)
class Classification(Task):
    """One class for each image; outputs are logits, and answers probabilities by softmax."""

    word: ClassVar[str] = "classification"
    labels: ClassVar[str] = "one class"
    best: ClassVar[str] = "top1"
    running: ClassVar[str] = "top1"
    usual: ClassVar[tuple[str, ...]] = ("loss", "top1", "top5")
    thorough: ClassVar[frozenset[str]] = frozenset({"auroc", "ece", "brier"})

    def wanted(self, metrics: Metrics) -> tuple[str, ...]:
        """Of few classes without top-5 accuracy, unless the spec names it."""
        names = super().wanted(metrics)
        few = not metrics.written and len(self.classes) < TOP5_FROM
        return tuple(name for name in names if not (few and name == "top5"))

    @property
    def metrics(self) -> tuple[str, ...]:
        five = ("top5",) if len(self.classes) > FIVE else ()
        further = ("precision", "recall", "f1", "auroc", "ece", "brier")
        return ("loss", "top1", *five, *further)

    def loss(self, loss: Loss, weights: Tensor | None) -> LossFunction:
        return loss_function(loss, weights)

    def tally(self, loss: Loss, device: torch.device) -> Tally:
        return ClassTally(self.classes, plain_loss(loss), device)

    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        classes = labels.argmax(1) if labels.ndim == 2 else labels
        return (outputs.argmax(1) == classes).sum()

    def answers(self, outputs: Tensor) -> Tensor:
        return probabilities_of(outputs, independent=False)

    def exported(self, answers: Tensor) -> Mapping[str, Tensor]:
        return {"probabilities": answers, "class": answers.argmax(1)}

    def outputs(self, answers: Tensor) -> Tensor:
        return answers.float().clamp(min=torch.finfo(torch.float32).tiny).log()

    def averaged(self, outputs: Tensor) -> Tensor:
        return outputs.log_softmax(2).logsumexp(0) - math.log(len(outputs))
