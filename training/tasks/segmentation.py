"""Semantic segmentation: each pixel has a class; labels are masks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from ...compiler.plan.loss import Loss
from ..metrics.mask_tally import MaskTally, overlaps, table_of
from ..metrics.tally import Tally
from ..optim.losses import LossFunction
from ..optim.mask_losses import mask_loss, plain_mask_loss
from .task import Task
from .task_recipe import TaskRecipe


@dataclass(frozen=True)
class Segmentation(Task):
    """One class for each pixel; outputs are logits (images x classes x height x width), and answers
    the class of each pixel (uint8)."""

    word: ClassVar[str] = "segmentation"
    labels: ClassVar[str] = "a class for each pixel"
    best: ClassVar[str] = "miou"
    running: ClassVar[str] = "pixels"
    unit: ClassVar[str] = "pixel"
    dense: ClassVar[bool] = True
    usual: ClassVar[tuple[str, ...]] = ("loss", "miou", "pixels", "boundary")
    thorough: ClassVar[frozenset[str]] = frozenset({"boundary"})
    decisive: ClassVar[str] = "iou"
    recipe: ClassVar[TaskRecipe] = TaskRecipe(
        ends="conv classes 1x1",
        loss="loss cross_entropy dice=1",
        why_loss="A class for each pixel. The Dice loss counts a rare class like a common one.",
        least_crop=0.5,
        balanced=False,
    )

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("loss", "miou", "dice", "pixels", "boundary")

    def tally(self, loss: Loss, device: torch.device) -> Tally:
        return MaskTally(self.classes, plain_mask_loss(loss), device)

    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        labeled = labels != UNLABELLED
        right = ((outputs.argmax(1) == labels) & labeled).flatten(1).sum(1)
        return (right / labeled.flatten(1).sum(1).clamp(min=1)).sum()

    def quality(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The mean IoU of each image, over the classes that it has or is said to have."""
        predicted = outputs.argmax(1)
        each = [
            overlaps(table_of(one, mask, len(self.classes)).double())[0].nanmean()
            for one, mask in zip(predicted, labels, strict=True)
        ]
        return torch.stack(each).float()

    def answers(self, outputs: Tensor) -> Tensor:
        return outputs.argmax(1).to(torch.uint8)

    def exported(self, answers: Tensor) -> Mapping[str, Tensor]:
        return {"mask": answers}

    def outputs(self, answers: Tensor) -> Tensor:
        one_hot = torch.zeros(
            (len(answers), len(self.classes), *answers.shape[1:]), device=answers.device
        )
        return one_hot.scatter_(1, answers.long().unsqueeze(1), 1.0)

    def loss(self, loss: Loss, weights: Tensor | None) -> LossFunction:
        return mask_loss(loss, weights)

    def averaged(self, outputs: Tensor) -> Tensor:
        return outputs.log_softmax(2).logsumexp(0) - math.log(len(outputs))
