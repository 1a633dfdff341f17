"""Several answers at once: a task for each output of the network, trained by a sum of losses.

    output age: fc 1        loss age mae weight=0.1
    output sex: fc 2        loss sex cross_entropy

Labels of an image stand in one row, and so do outputs and answers: those of the first output, then
those of the second. A label that is NaN is missing, and counts for nothing.

An output may be a map, for a mask or an image: its label stands behind the row (rows_with_maps.py),
where the row itself says whether the image has it, and of its answers only the quality is kept.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan, prod
from typing import ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.loss import Loss
from ...compiler.plan.own_metric import Metric
from ...compiler.plan.train import Metrics
from ..metrics.outcome import Outcome
from ..metrics.tally import Tally
from ..optim.losses import LossFunction, one_hot
from .answer import Answer, Scale
from .classification import Classification
from .image_to_image import ImageToImage
from .multi_label import MultiLabel
from .rows_with_maps import Behind, without_maps
from .task import Outputs, Task


def parts_of(answers: Sequence[Answer], labels: Tensor) -> Sequence[Tensor]:
    """The columns of each output in rows of labels."""
    return torch.split(labels, [answer.labels for answer in answers], 1)


@dataclass(frozen=True)
class One:
    """One of several answers: its task, and where it stands in the rows."""

    answer: Answer
    task: Task
    loss: Loss | None
    """None if the network is not trained or evaluated, and the weights do not know it."""
    weights: Tensor | None = None
    """Weights of classes in the loss."""

    @property
    def name(self) -> str:
        return self.answer.output

    @property
    def known_loss(self) -> Loss:
        assert self.loss is not None
        return self.loss

    def validated(self, tally: Tally) -> One:
        """The same with what is chosen on the validation set."""
        task = self.task.validated(tally)
        if not isinstance(task, MultiLabel):
            return replace(self, task=task)
        return replace(self, task=task, answer=self.answer._replace(thresholds=task.thresholds))

    def meaning(self, outputs: Tensor) -> Tensor:
        """What outputs stand for: probabilities, also of each pixel, numbers in their units, or
        levels from 0 to 1."""
        if isinstance(self.task, ImageToImage):
            return self.task.levels(outputs).clamp(0, 1)
        return outputs.softmax(1) if self.answer.is_mask else self.task.answers(outputs)

    def known(self, labels: Tensor) -> Tensor:
        """The rows that have a label."""
        return ~labels.isnan().all(1)

    def read(self, labels: Tensor) -> Tensor:
        """Labels of known rows as the task takes them: a class is a whole number, unless images
        were mixed and labels are shares of classes."""
        if self.answer.is_mask:
            return labels[:, 0].to(torch.uint8)
        if self.task.word == Classification.word and labels.shape[1] == 1:
            return labels[:, 0].long()
        return labels


class Labeled(NamedTuple):
    """The labels of one output."""

    one: One
    row: Tensor
    """Its columns in the rows: NaN where the label is missing."""
    labels: Tensor
    """The same, or, of a map, the maps: images x channels x height x width."""

    @property
    def known(self) -> Tensor:
        """The indices of the images that have the label."""
        return self.one.known(self.row).nonzero().squeeze(1)


@dataclass(frozen=True)
class MultiTask(Task):
    """A task for each output of a network. `classes` are the names of the outputs."""

    word: ClassVar[str] = "multi_task"
    labels: ClassVar[str] = "several labels"
    best: ClassVar[str] = "loss"
    running: ClassVar[str] = "loss"

    each: tuple[One, ...] = ()

    @classmethod
    def of(cls, each: Sequence[One]) -> Self:
        return cls(tuple(one.name for one in each), tuple(each))

    @property
    def scales(self) -> Mapping[str, Scale]:
        """The scales of outputs that are numbers."""
        return {one.name: one.answer.scale for one in self.each if one.answer.scale.means}

    @property
    def has_maps(self) -> bool:
        return any(one.answer.is_map for one in self.each)

    @property
    def behind(self) -> Behind:
        answers = [one.answer for one in self.each]
        images = sum(answer.channels for answer in answers if answer.is_image)
        return Behind(images, sum(answer.is_mask for answer in answers))

    def channels_of(self, one: One) -> slice:
        """The channels of the map of an answer among the maps behind rows."""
        ahead = self.each if one.answer.is_mask else ()
        start = sum(other.answer.channels for other in ahead if other.answer.is_image)
        for other in self.each:
            if other.name == one.name:
                break
            start += other.answer.channels if other.answer.task == one.answer.task else 0
        return slice(start, start + one.answer.channels)

    @property
    def guessing(self) -> float:
        return sum(one.known_loss.weight * one.task.guessing for one in self.each)

    @property
    def facts(self) -> Mapping[str, str]:
        return {"answers": json.dumps([one.answer.as_json() for one in self.each])}

    @property
    def metrics(self) -> tuple[str, ...]:
        own = [f"{one.name}.{name}" for one in self.each for name in one.task.all_metrics]
        return ("loss", *own)

    def measuring(self, metrics: Sequence[Metric]) -> MultiTask:
        """With those of each output."""
        each = [replace(one, task=one.task.measuring(metrics)) for one in self.each]
        return MultiTask.of(each)

    def wanted(self, metrics: Metrics) -> tuple[str, ...]:
        """Those that a spec names, with or without an output; else the best of each output."""
        if not metrics.written:
            return ("loss", *(f"{one.name}.{one.task.best}" for one in self.each))
        return tuple(
            name
            for name in self.metrics
            if name in metrics.names or name.rpartition(".")[2] in metrics.names
        )

    def takes_long(self, metrics: Collection[str]) -> bool:
        return any(one.task.takes_long(self._of(one, metrics)) for one in self.each)

    def depends_on_thresholds(self, metric: str) -> bool:
        return any(
            one.task.depends_on_thresholds(own)
            for one in self.each
            for own in self._of(one, [metric])
        )

    @staticmethod
    def _of(one: One, metrics: Collection[str]) -> list[str]:
        """Which metrics of one output are meant, without its name."""
        prefix = f"{one.name}."
        return [name.removeprefix(prefix) for name in metrics if name.startswith(prefix)]

    def validated(self, tally: Tally) -> MultiTask:
        assert isinstance(tally, MultiTally)
        return MultiTask.of([
            one.validated(own) for one, own in zip(self.each, tally.each, strict=True)
        ])  # fmt: skip

    # ---- rows and their parts ----

    def packed(self, outputs: Outputs) -> Tensor:
        """The outputs of each image as one row."""
        if isinstance(outputs, Tensor):
            return outputs
        return torch.cat([each.flatten(1).float() for each in outputs], 1)

    def parts(self, outputs: Outputs) -> list[tuple[One, Tensor]]:
        """The outputs of each answer."""
        if not isinstance(outputs, Tensor):
            return [(one, own.float()) for one, own in zip(self.each, outputs, strict=True)]
        widths = [prod(one.answer.shape) for one in self.each]
        rows = zip(self.each, torch.split(outputs, widths, outputs.ndim - 1), strict=True)
        return [(one, own.view(*own.shape[:-1], *one.answer.shape)) for one, own in rows]

    def answered(self, answers: Tensor) -> Iterator[tuple[One, Tensor]]:
        """The answers of each output; of a map, its quality."""
        widths = [1 if one.answer.is_map else len(one.task.classes) for one in self.each]
        return zip(self.each, torch.split(answers, widths, answers.ndim - 1), strict=True)

    def rows(self, labels: Tensor) -> Iterator[tuple[One, Tensor]]:
        """The columns of each answer in rows of labels, without maps."""
        answers = [one.answer for one in self.each]
        if labels.shape[1] == sum(answer.labels for answer in answers):
            return zip(self.each, parts_of(answers, labels), strict=True)
        widths = [  # mixed: shares of classes
            one.answer.labels if one.answer.is_map else len(one.task.classes) for one in self.each
        ]
        return zip(self.each, torch.split(labels, widths, 1), strict=True)

    def labeled(self, labels: Tensor, outputs: Sequence[tuple[One, Tensor]]) -> list[Labeled]:
        """The labels of each answer; maps are as large as the `outputs` of their answer."""
        size = next((own.shape[2:] for one, own in outputs if one.answer.is_map), ())
        channels = self.behind.channels
        rows, maps = without_maps(labels, channels, size) if channels else (labels, labels)
        return [
            Labeled(one, row, maps[:, self.channels_of(one)] if one.answer.is_map else row)
            for one, row in self.rows(rows)
        ]

    def mixable(self, labels: Tensor) -> Tensor:
        rows = []
        for one, own in self.rows(labels):
            if one.task.word == Classification.word and own.shape[1] == 1:
                known = one.known(own)
                shares = one_hot(own[:, 0].nan_to_num(0.0).long(), len(one.task.classes))
                own = torch.where(known.unsqueeze(1), shares, torch.nan)
            rows.append(own)
        return torch.cat(rows, 1)

    # ---- training ----

    def loss(self, loss: Loss, weights: Tensor | None) -> LossFunction:
        return self.sum_of([one.task.loss(one.known_loss, one.weights) for one in self.each])

    def sum_of(self, functions: Sequence[LossFunction]) -> LossFunction:
        """The weighted sum of losses. Each is the mean over all images, of which those without the
        label count nothing: so the mean over parts of a batch is that over the batch."""

        def total(outputs: Outputs, labels: Tensor) -> Tensor:
            losses = []
            parts = self.parts(outputs)
            rows = zip(parts, self.labeled(labels, parts), functions, strict=True)
            for (one, own), wanted, function in rows:
                losses.append(one.known_loss.weight * self._known(function, own, wanted))
            return torch.stack(losses).sum()

        return total

    @staticmethod
    def _known(function: LossFunction, outputs: Tensor, wanted: Labeled) -> Tensor:
        one, labels = wanted.one, wanted.labels
        if one.answer.complete or one.answer.is_mask:  # a mask that is missing has no labels
            return function(outputs, one.read(labels))
        rows = wanted.known
        if not len(rows):
            return outputs.sum() * 0.0
        return function(outputs[rows], one.read(labels[rows])) * (len(rows) / len(labels))

    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return outputs.new_zeros(())

    # ---- evaluation ----

    def tally(self, loss: Loss, device: torch.device) -> Tally:
        return MultiTally(self, device)

    def kept(self, outputs: Tensor, labels: Tensor) -> Tensor:
        parts, rows = self.parts(outputs), []
        for (one, own), wanted in zip(parts, self.labeled(labels, parts), strict=True):
            if one.answer.is_map:
                quality = one.task.quality(own, one.read(wanted.labels))
                rows.append(torch.where(one.known(wanted.row), quality, nan).unsqueeze(1))
            else:
                rows.append(one.task.answers(own))
        return torch.cat(rows, 1)

    def answers(self, outputs: Tensor) -> Tensor:
        return torch.cat([one.task.answers(own) for one, own in self.parts(outputs)], 1)

    def truth(self, labels: Tensor) -> Tensor:
        plain = labels[:, : sum(one.answer.labels for one in self.each)]  # without maps
        return torch.cat([
            one.task.truth(own) if one.task.numbers else own for one, own in self.rows(plain)
        ], 1)  # fmt: skip

    def outputs(self, answers: Tensor) -> Tensor:
        rows = []
        for one, own in self.answered(answers):
            outputs = one.task.outputs(own)
            # Averaged numbers have no variance, for which a likelihood has outputs, too.
            unknown = one.answer.outputs - outputs.shape[1]
            rows.append(F.pad(outputs, (0, max(0, unknown)), value=torch.nan))
        return torch.cat(rows, 1)

    def averaged(self, outputs: Tensor) -> Tensor:
        return torch.cat([
            one.task.averaged(own).flatten(1) for one, own in self.parts(outputs)
        ], 1)  # fmt: skip


class MultiTally(Tally):
    """A tally for each output. An image without the label of an output counts nothing there."""

    def __init__(self, task: MultiTask, device: torch.device) -> None:
        self.task = task
        self.each = [one.task.counts(one.known_loss, device) for one in task.each]
        super().__init__(task.sum_of([tally.loss for tally in self.each]), device)

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        parts = self.task.parts(outputs)
        rows = zip(self.each, parts, self.task.labeled(labels, parts), strict=True)
        for tally, (one, own), wanted in rows:
            own_labels = wanted.labels
            if not one.answer.complete:
                known = wanted.known
                own, own_labels = own[known], own_labels[known]
            if len(own):
                tally.add(own, one.read(own_labels))
        return ()

    def sum_up(self, images: int) -> None:
        """Sets the whole loss to that of the outputs, which were counted one by one."""
        weights = [one.known_loss.weight for one in self.task.each]
        pairs = zip(weights, self.each, strict=True)
        self.sums[0] = images
        self.sums[1] = sum(weight * float(tally.sums[1]) for weight, tally in pairs)

    def thorough(self) -> Self:
        for tally in self.each:
            tally.thorough()
        return self

    def counters(self) -> tuple[Tensor, ...]:
        each = [counter for tally in self.each for counter in tally.all_counters()]
        return self.sums, self.differing, *each

    def metrics(self) -> dict[str, float]:
        """The whole loss, and the metrics of each output with its name before them."""
        count, loss = self.sums.tolist()
        if not count:
            return {}
        own = {
            f"{one.name}.{name}": value
            for one, tally in zip(self.task.each, self.each, strict=True)
            for name, value in (tally.results() or dict.fromkeys(one.task.all_metrics, nan)).items()
        }
        return {"loss": loss / count, **own}

    def outcomes(self, part: str, answers: Tensor, truth: Tensor) -> dict[str, Outcome]:
        """The outcome of each output, for the images that have its label."""
        rows = zip(self.each, self.task.answered(answers), self.task.rows(truth), strict=True)
        found = {}
        for tally, (one, own), (_, wanted) in rows:
            known = one.known(wanted).nonzero().squeeze(1)
            found[one.name] = Outcome(
                part,
                tally.results(),
                tally.per_class(),
                tally.confusion(),
                own[known, 0] if one.answer.is_map else own[known],
                one.read(wanted[known]),
                rows=known,
            )
        return found
