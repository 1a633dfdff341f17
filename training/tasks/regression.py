"""Regression: each image has one or several numbers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...compiler.plan.loss import Loss
from ...compiler.plan.metric_names import PER_CLASS
from ...compiler.plan.number_loss import Mse, NumberLoss
from ..metrics.number_tally import NumberTally
from ..metrics.tally import Tally
from ..optim.losses import LossFunction
from ..optim.number_losses import number_loss
from .answer import Scale
from .task import Task
from .task_recipe import TaskRecipe


@dataclass(frozen=True)
class Regression(Task):
    """Numbers for each image. Labels are standardized by the training set, to the mean 0 and the
    deviation 1, and so are outputs; answers are in the units of the data."""

    word: ClassVar[str] = "regression"
    labels: ClassVar[str] = "numbers"
    best: ClassVar[str] = "mae"
    running: ClassVar[str] = "mae"
    usual_loss: ClassVar[type[Loss]] = Mse
    numbers: ClassVar[bool] = True
    usual: ClassVar[tuple[str, ...]] = ("loss", "mae", "rmse", "r2")
    nouns: ClassVar[tuple[str, str]] = ("number", "numbers")
    decisive: ClassVar[str] = "r2"
    recipe: ClassVar[TaskRecipe] = TaskRecipe(
        loss="loss mse",
        why_loss="Numbers, standardized for training. `loss huber` minds single wrong ones less.",
        least_crop=None,
        mirrored=False,
        why_still="numbers may depend on where things are: an angle, a place, a size",
        balanced=False,
    )

    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()

    @property
    def scale(self) -> Scale:
        return Scale(self.means, self.deviations)

    @property
    def facts(self) -> Mapping[str, str]:
        return {"means": json.dumps(self.means), "deviations": json.dumps(self.deviations)}

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("loss", "mae", "rmse", "r2")

    def shown(self, wanted: Collection[str]) -> tuple[str, ...]:
        """Plans do not know what labels are: names of other metrics are those that are usual."""
        return super().shown(wanted) if {*wanted} <= {*self.metrics, PER_CLASS} else self.metrics

    def outputs_for(self, loss: Loss) -> int:
        return len(self.classes) * (loss.outputs_of_each if isinstance(loss, NumberLoss) else 1)

    def loss(self, loss: Loss, weights: Tensor | None) -> LossFunction:
        return number_loss(loss)

    def tally(self, loss: Loss, device: torch.device) -> Tally:
        means, deviations = self._scale(torch.empty(0))
        return NumberTally(self.classes, number_loss(loss), device, means, deviations)

    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        known = ~labels.isnan()
        _, deviations = self._scale(labels)
        errors = (outputs[:, : len(self.classes)] - labels).abs() * deviations
        errors = torch.where(known, errors, 0.0)
        return (errors.sum(1) / known.sum(1).clamp(min=1)).sum()

    def answers(self, outputs: Tensor) -> Tensor:
        return self.truth(outputs[:, : len(self.classes)].float())

    def exported(self, answers: Tensor) -> Mapping[str, Tensor]:
        return {"numbers": answers}

    def truth(self, labels: Tensor) -> Tensor:
        means, deviations = self._scale(labels)
        return labels * deviations + means

    def outputs(self, answers: Tensor) -> Tensor:
        means, deviations = self._scale(answers)
        return (answers - means) / deviations

    def averaged(self, outputs: Tensor) -> Tensor:
        return outputs.mean(0)

    def _scale(self, like: Tensor) -> tuple[Tensor, Tensor]:
        return (
            torch.tensor(self.means, device=like.device),
            torch.tensor(self.deviations, device=like.device),
        )
