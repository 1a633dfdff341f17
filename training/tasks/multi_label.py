"""Multi-label classification: an image may have several classes, or none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ...compiler.plan.loss import Bce, Loss
from ..metrics.tag_tally import TagTally
from ..metrics.tally import Tally
from ..optim.losses import LossFunction, loss_function, plain_loss
from .probabilities import probabilities_of
from .task import Task
from .task_recipe import TaskRecipe


@dataclass(frozen=True)
class MultiLabel(Task):
    """Each class is decided by itself; outputs are logits, and answers probabilities by sigmoid. An
    image has the classes whose probability is at least their threshold."""

    word: ClassVar[str] = "multi_label"
    labels: ClassVar[str] = "several classes"
    best: ClassVar[str] = "map"
    """As it does not depend on thresholds; that all classes are correct is rare if there are many.
    """
    running: ClassVar[str] = "top1"
    usual_loss: ClassVar[type[Loss]] = Bce
    usual: ClassVar[tuple[str, ...]] = ("loss", "map", "f1", "top1")
    titles: ClassVar[Mapping[str, str]] = {"top1": "all classes correct"}
    thorough: ClassVar[frozenset[str]] = frozenset({"ece", "brier"})
    by_threshold: ClassVar[frozenset[str]] = frozenset({"top1", "precision", "recall", "f1"})

    thresholds: tuple[float, ...] = ()
    """The probability from which on each class is predicted. Empty while training: an evaluation
    then chooses those at which the F1 of each class is largest."""

    @property
    def facts(self) -> Mapping[str, str]:
        return {"thresholds": json.dumps(self.thresholds)} if self.thresholds else {}

    recipe: ClassVar[TaskRecipe] = TaskRecipe(
        ends="fc classes, sigmoid",
        loss="loss bce",
        why_loss="Each class is decided by itself: an image may have several, or none.",
        least_crop=0.6,
        balanced=False,
    )

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("loss", "top1", "map", "precision", "recall", "f1", "auroc", "ece", "brier")

    def loss(self, loss: Loss, weights: Tensor | None) -> LossFunction:
        return loss_function(loss, weights)

    def tally(self, loss: Loss, device: torch.device) -> Tally:
        return TagTally(self.classes, plain_loss(loss), device, self.thresholds)

    def validated(self, tally: Tally) -> MultiLabel:
        assert isinstance(tally, TagTally)
        return replace(self, thresholds=tally.thresholds())

    def present(self, answer: Tensor) -> Tensor:
        """Which classes an image has, by its probabilities."""
        thresholds = self.thresholds or (0.5,) * len(self.classes)
        return answer >= torch.tensor(thresholds, device=answer.device)

    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return (((outputs > 0) == (labels > 0.5)) | labels.isnan()).all(1).sum()

    def answers(self, outputs: Tensor) -> Tensor:
        return probabilities_of(outputs, independent=True)

    def exported(self, answers: Tensor) -> Mapping[str, Tensor]:
        return {"probabilities": answers, "present": self.present(answers)}

    def outputs(self, answers: Tensor) -> Tensor:
        least = torch.finfo(torch.float32).tiny
        yes = answers.float().clamp(min=least).log()
        return yes - (1 - answers.float()).clamp(min=least).log()

    def averaged(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid().mean(0).logit(eps=1e-7)
