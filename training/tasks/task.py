"""The interface of a task: what depends on the kind of answer that a network learns."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ...compiler.plan.loss import CrossEntropy, Loss
from ...compiler.plan.own_metric import Metric
from ...compiler.plan.train import Metrics
from ..metrics.tally import Tally
from ..optim.losses import LossFunction, one_hot
from .rows_with_maps import NOTHING_BEHIND, Behind
from .task_recipe import TaskRecipe

Outputs = Tensor | Sequence[Tensor]
"""What a module returns: one output, several, or, in training, one and those of auxiliary heads."""


@dataclass(frozen=True)
class Task(ABC):
    """A kind of answer, for the classes of a data set. Outputs are what the module returns, labels
    what the data says, and answers what users see: probabilities, for instance."""

    word: ClassVar[str]
    """The name by which records and weights know it."""
    labels: ClassVar[str]
    """What the data says about an image, in words: `one class`."""
    best: ClassVar[str]
    """The metric that selects the best epoch, unless the spec names another."""
    running: ClassVar[str]
    """The metric that is measured while training."""

    usual: ClassVar[tuple[str, ...]]
    """The metrics that are shown, unless the spec names others."""
    thorough: ClassVar[frozenset[str]] = frozenset()
    """Metrics that take too long to be measured after every epoch, unless the spec names them."""
    by_threshold: ClassVar[frozenset[str]] = frozenset()
    """Metrics that depend on thresholds, which are chosen after an epoch."""

    titles: ClassVar[Mapping[str, str]] = {}
    """Metrics that mean something else than for other tasks, as reports name them."""

    usual_loss: ClassVar[type[Loss]] = CrossEntropy
    """The loss, unless the spec names one."""
    unit: ClassVar[str] = "image"
    """What is counted in a confusion matrix."""
    dense: ClassVar[bool] = False
    """Whether answers are images: too large to be kept for all images of an evaluation."""

    nouns: ClassVar[tuple[str, str]] = ("class", "classes")
    """What one of `classes` is, and several."""
    decisive: ClassVar[str] = "f1"
    """The metric of a single class by which classes are sorted."""

    images: ClassVar[bool] = False
    """Whether answers are images in the ordinary sense, not masks of class numbers."""

    numbers: ClassVar[bool] = False
    """Whether answers are numbers in the units of the data, not classes."""

    recipe: ClassVar[TaskRecipe] = TaskRecipe()
    """What a new spec for it has."""

    classes: tuple[str, ...]
    """The names of the classes; of numbers, the names of the numbers."""
    own: tuple[Metric, ...] = field(default=(), kw_only=True, compare=False)
    """The metrics of plug-ins that are measured, too."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What else is needed to turn outputs into answers, for the metadata of weights."""
        return {}

    @property
    def guessing(self) -> float:
        """About the loss of a network that guesses: a loss that is far above it diverges."""
        return math.log(max(2, len(self.classes)))

    def outputs_for(self, loss: Loss) -> int:
        """The number of outputs that the network has."""
        return len(self.classes)

    def loss_for(self, loss: Loss) -> Loss:
        """The loss of a plan; if it is a default of another task, that which is usual for this."""
        return loss if self.word in loss.tasks or loss.written else self.usual_loss()

    @property
    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """The metrics of an evaluation, in their order."""

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """The same with those of plug-ins."""
        return *self.metrics, *(metric.word for metric in self.own)

    def measuring(self, metrics: Sequence[Metric]) -> Self:
        """The same task with those metrics of plug-ins that are for it."""
        return replace(self, own=tuple(one for one in metrics if self.word in one.tasks))

    def shown(self, wanted: Collection[str]) -> tuple[str, ...]:
        """Those of the metrics that a plan wants; all if it wants others."""
        return tuple(name for name in self.all_metrics if name in wanted) or self.metrics

    def wanted(self, metrics: Metrics) -> tuple[str, ...]:
        """The metrics that a spec names, or, if it names none, those that are usual."""
        return metrics.names if metrics.written else self.usual

    def takes_long(self, metrics: Collection[str]) -> bool:
        """Whether one of the metrics takes too long to be measured after every epoch."""
        return not self.thorough.isdisjoint(metrics)

    def compared(self, metrics: Collection[str]) -> str:
        """The metric by which results are compared: the best one, or, where it is not known, the
        first that is."""
        return self.best if self.best in metrics else next(iter(metrics), self.best)

    def depends_on_thresholds(self, metric: str) -> bool:
        """Whether a metric depends on thresholds, which are chosen after an epoch."""
        return metric in self.by_threshold

    @property
    def has_maps(self) -> bool:
        """Whether answers are images, or some of several answers are."""
        return self.dense

    @property
    def behind(self) -> Behind:
        """The maps that stand behind the rows of labels; none unless there are several outputs."""
        return NOTHING_BEHIND

    def validated(self, tally: Tally) -> Task:
        """The same task with what a validation finds out, such as thresholds."""
        return self

    @abstractmethod
    def loss(self, loss: Loss, weights: Tensor | None) -> LossFunction:
        """The loss that training minimizes; `weights` are those of classes."""

    @abstractmethod
    def tally(self, loss: Loss, device: torch.device) -> Tally:
        """Counts for an evaluation, without any images yet. `loss` is that of training; the loss
        of an evaluation has no label smoothing and no class weights."""

    def counts(self, loss: Loss, device: torch.device) -> Tally:
        """The same, which also measure the metrics of plug-ins."""
        return self.tally(loss, device).measuring(self.own, len(self.classes))

    def packed(self, outputs: Outputs) -> Tensor:
        """The outputs that answers follow from, as one tensor."""
        return outputs if isinstance(outputs, Tensor) else outputs[0]

    def mixable(self, labels: Tensor) -> Tensor:
        """Labels of which weighted means can be taken, for mixed images: shares of classes."""
        return labels.float() if labels.ndim == 2 else one_hot(labels, len(self.classes))

    @abstractmethod
    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The sum of the running metric over the images of a batch."""

    def quality(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """How good the answer to each image is, the larger the better: of a dense task, kept
        instead of the answers."""
        raise NotImplementedError

    def kept(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """What is kept of each image of an evaluation: the answers, or how good they are."""
        return self.quality(outputs, labels) if self.dense else self.answers(outputs)

    @abstractmethod
    def answers(self, outputs: Tensor) -> Tensor:
        """Outputs as answers, float32."""

    def exported(self, answers: Tensor) -> Mapping[str, Tensor]:
        """What a file of `cnn export --whole` outputs, by name, from answers."""
        return {"answers": answers}

    def truth(self, labels: Tensor) -> Tensor:
        """Labels as they compare with answers."""
        return labels

    @abstractmethod
    def outputs(self, answers: Tensor) -> Tensor:
        """Outputs that give these answers: of averaged answers, so that they can be evaluated."""

    @abstractmethod
    def averaged(self, outputs: Tensor) -> Tensor:
        """The outputs of an ensemble, from those of its networks (networks x images x …)."""
