"""Evaluates a network on a part of its data: validation after each epoch, and `cnn evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from math import isnan
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...compiler.plan.loss import Loss
from ..data.loader.batches import Batches
from ..data.opened import Opened
from ..optim.precision import FULL, Precision
from ..runtime.eval_mode import evaluating
from ..runtime.memory_errors import with_fewer
from ..tasks.task import Task
from ..trainer.callbacks import Callback
from .outcome import Outcome
from .tally import Tally
from .tiled_evaluation import count_tiled


def evaluate(
    module: nn.Module,
    opened: Opened,
    part: str = "val",
    *,
    loss: Loss | None = None,
    precision: Precision = FULL,
    batch: int | None = None,
    callback: Callback | None = None,
    members: Sequence[Tally] = (),
) -> Outcome:
    """Metrics, confusion matrix and answers of a module that returns outputs: see `measure`."""
    measured = measure(
        module, opened, part,
        loss=loss, precision=precision, batch=batch, callback=callback, members=members,
    )  # fmt: skip
    return measured.outcome(part, opened.stores[part].labels.cpu())


class Measured(NamedTuple):
    """What an evaluation has counted."""

    tally: Tally
    answers: Tensor
    """On the CPU."""
    task: Task

    def outcome(self, part: str, labels: Tensor) -> Outcome:
        return _outcome(part, self.tally, self.answers, labels, self.task)


def measure(
    module: nn.Module,
    opened: Opened,
    part: str,
    *,
    loss: Loss | None = None,
    precision: Precision = FULL,
    batch: int | None = None,
    callback: Callback | None = None,
    members: Sequence[Tally] = (),
) -> Measured:
    """The counts and answers of a module that returns outputs; with smaller batches if these do
    not fit into memory. The modes of its layers, training or evaluation, are restored afterwards.
    For an ensemble, the counts of each of its networks are added to `members`."""
    loss, task = loss or opened.loss, opened.task

    def counted(size: int) -> tuple[Tally, Tensor, list[Tally]]:
        kept = Answers()
        own = [task.counts(loss, opened.device).thorough() for _ in members]
        batches = opened.evaluation(part, batch=size)
        try:
            tally = count(
                module,
                opened,
                batches,
                loss,
                precision,
                callback,
                part,
                kept,
                members=own,
                thorough=True,
            )
        finally:
            batches.close()
        return tally, kept.all(), own

    size = opened.plan.train.batch.size if batch is None else batch
    note = callback.note if callback is not None else lambda line: None
    tally, answers, own = with_fewer(counted, size, note)
    for member, counts in zip(members, own, strict=True):
        member.add_counts(counts)
    return Measured(tally, answers, task)


def count(
    module: nn.Module,
    opened: Opened,
    batches: Batches,
    loss: Loss,
    precision: Precision = FULL,
    callback: Callback | None = None,
    part: str = "val",
    kept: Answers | None = None,
    forward: Callable[[Tensor], Any] | None = None,
    members: Sequence[Tally] = (),
    thorough: bool = False,
) -> Tally:
    """The counts of an evaluation; the answers are added to `kept`, if it is given. `forward` is
    the module compiled."""
    task = opened.task
    tally = task.counts(loss, opened.device)
    if thorough:
        tally.thorough()
    context = precision.autocast(opened.device)

    def answer(images: Tensor) -> Tensor:
        prepared = opened.preparation.prepare(precision.laid_out(images))
        return task.packed((forward or module)(prepared))

    with evaluating(module), torch.inference_mode(), context or nullcontext():
        for index, (images, labels, _) in enumerate(batches()):
            if opened.tiling is not None:
                each = partial(joined, answer, module) if members else answer
                tallies = [tally, *members]
                quality = count_tiled(each, images, labels, opened.tiling, tallies)
                if kept is not None:
                    kept.add(quality)
                if callback is not None:
                    callback.evaluating(part, index + 1, len(batches))
                continue
            outputs = answer(images)
            tally.add(outputs, labels)
            for member, answers in zip(members, getattr(module, "answers", ()), strict=False):
                member.add(answers, labels)
            if kept is not None:
                kept.add(task.kept(outputs, labels))
            if callback is not None:
                callback.evaluating(part, index + 1, len(batches))
    return tally


def joined(answer: Callable[[Tensor], Tensor], module: nn.Module, images: Tensor) -> Tensor:
    """The outputs of an ensemble and of each of its networks, side by side."""
    outputs = answer(images)
    return torch.cat([outputs, *getattr(module, "answers", ())], 1)


class Answers:
    """Collects answers on the device, and copies them to main memory in few large pieces: for each
    copy, the program waits until the device has done all its work."""

    LARGE = 2**24
    """The size of a piece in numbers: 64 megabytes."""

    def __init__(self) -> None:
        self._on_device: list[Tensor] = []
        self._copied: list[Tensor] = []

    def add(self, answers: Tensor) -> None:
        self._on_device.append(answers)
        if sum(each.numel() for each in self._on_device) >= self.LARGE:
            self._copy()

    def all(self) -> Tensor:
        """All answers, on the CPU."""
        self._copy()
        return torch.cat(self._copied)

    def _copy(self) -> None:
        if self._on_device:
            self._copied.append(torch.cat(self._on_device).cpu())
            self._on_device.clear()


def outcome_of(part: str, answers: Tensor, labels: Tensor, task: Task, loss: Loss) -> Outcome:
    """The outcome for given answers, as of test-time augmentation or an ensemble."""
    tally = task.counts(loss, torch.device("cpu")).thorough()
    tally.add(task.outputs(answers), labels)
    outcome = _outcome(part, tally, answers, labels, task)
    return without_likelihood(outcome) if bool(answers.isfinite().all()) else outcome


def without_likelihood(outcome: Outcome) -> Outcome:
    """An outcome of answers that were averaged, for instance over views, where some have no loss.

    Averaged numbers have no likelihood: `gaussian_nll` needs their variances, too."""
    known = {
        name: value
        for name, value in outcome.metrics.items()
        if not (isnan(value) and name.rpartition(".")[2] == "loss")
    }
    outputs = {name: without_likelihood(own) for name, own in outcome.outputs.items()}
    return outcome._replace(metrics=known, outputs=outputs)


def _outcome(part: str, tally: Tally, answers: Tensor, labels: Tensor, task: Task) -> Outcome:
    truth = task.truth(labels)
    outcome = Outcome(part, tally.results(), tally.per_class(), tally.confusion(), answers, truth)
    return outcome._replace(outputs=tally.outcomes(part, answers, truth))
