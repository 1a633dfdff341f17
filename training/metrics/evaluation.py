"""Evaluates a network on a part of its data: validation after each epoch, and `cnn evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.plan.loss import Loss
from ..data.loader.batches import Batches
from ..data.open import Opened
from ..optim.losses import plain_loss
from ..optim.precision import FULL, Precision
from ..runtime.eval_mode import evaluating
from ..runtime.memory_errors import with_fewer
from ..trainer.callbacks import Callback
from .confusion import Tally
from .outcome import Outcome

Merge = Callable[[Sequence[Tensor]], None]
"""Sums the counts of several processes, in place."""


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
    """Metrics, confusion matrix and probabilities of a module that returns logits; with smaller
    batches if these do not fit into memory. The modes of its layers, training or evaluation, are
    restored afterwards. For an ensemble, the counts of each of its networks are added to
    `members`."""
    loss = loss or opened.plan.train.loss

    def counted(size: int) -> tuple[Tally, Tensor, list[Tally]]:
        kept, own = Probabilities(), [tally_for(opened, loss) for _ in members]
        batches = opened.evaluation(part, batch=size)
        try:
            tally = count(
                module, opened, batches, loss, precision, callback, part, kept, members=own
            )
        finally:
            batches.close()
        return tally, kept.all(), own

    size = opened.plan.train.batch.size if batch is None else batch
    note = callback.note if callback is not None else lambda line: None
    tally, probabilities, own = with_fewer(counted, size, note)
    for member, counts in zip(members, own, strict=True):
        member.add_counts(counts)
    return _outcome(part, tally, probabilities, _labels(opened, part), opened.dataset.classes)


def count(
    module: nn.Module,
    opened: Opened,
    batches: Batches,
    loss: Loss,
    precision: Precision = FULL,
    callback: Callback | None = None,
    part: str = "val",
    kept: Probabilities | None = None,
    merge: Merge | None = None,
    forward: Callable[[Tensor], Any] | None = None,
    members: Sequence[Tally] = (),
) -> Tally:
    """The counts of an evaluation; the probabilities are added to `kept`, if it is given. `forward`
    is the module compiled."""
    multi_label = opened.dataset.multi_label
    tally = tally_for(opened, loss)
    context = precision.autocast(opened.device)
    with evaluating(module), torch.inference_mode(), context or nullcontext():
        for index, (images, labels, _) in enumerate(batches()):
            logits = (forward or module)(opened.preparation.prepare(precision.laid_out(images)))
            tally.add(logits, labels)
            for member, answers in zip(members, getattr(module, "answers", ()), strict=False):
                member.add(answers, labels)
            if kept is not None:
                kept.add(probabilities_of(logits, multi_label))
            if callback is not None:
                callback.evaluating(part, index + 1, len(batches))
    if merge is not None:
        merge(tally.counters())
    return tally


def tally_for(opened: Opened, loss: Loss) -> Tally:
    """A tally for the classes of the data, without any images yet."""
    return Tally(
        len(opened.dataset.classes),
        multi_label=opened.dataset.multi_label,
        loss=plain_loss(loss),
        device=opened.device,
    )


class Probabilities:
    """Collects probabilities on the device, and copies them to main memory in few large pieces: for
    each copy, the program waits until the device has done all its work."""

    LARGE = 2**24
    """The size of a piece in numbers: 64 megabytes."""

    def __init__(self) -> None:
        self._on_device: list[Tensor] = []
        self._copied: list[Tensor] = []

    def add(self, probabilities: Tensor) -> None:
        self._on_device.append(probabilities)
        if sum(each.numel() for each in self._on_device) >= self.LARGE:
            self._copy()

    def all(self) -> Tensor:
        """All probabilities, images x classes, on the CPU."""
        self._copy()
        return torch.cat(self._copied)

    def _copy(self) -> None:
        if self._on_device:
            self._copied.append(torch.cat(self._on_device).cpu())
            self._on_device.clear()


def probabilities_of(logits: Tensor, multi_label: bool) -> Tensor:
    """Probabilities as float32: the sigmoid of logits for multi-label data, else the softmax."""
    return logits.float().sigmoid() if multi_label else logits.float().softmax(1)


def outcome_of(
    part: str,
    probabilities: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    multi_label: bool,
    loss: Loss,
) -> Outcome:
    """The outcome for given probabilities, as of test-time augmentation or an ensemble."""
    least = torch.finfo(torch.float32).tiny
    known = probabilities.float().clamp(min=least)
    if multi_label:
        logits = known.log() - (1 - probabilities.float()).clamp(min=least).log()
    else:
        logits = known.log()
    tally = Tally(
        len(classes), multi_label=multi_label, loss=plain_loss(loss), device=torch.device("cpu")
    )
    tally.add(logits, labels)
    return _outcome(part, tally, probabilities, labels, classes)


def _outcome(
    part: str, tally: Tally, probabilities: Tensor, labels: Tensor, classes: Sequence[str]
) -> Outcome:
    return Outcome(
        part, tally.metrics(), tally.per_class(classes), tally.confusion(), probabilities, labels
    )


def _labels(opened: Opened, part: str) -> Tensor:
    return opened.stores[part].labels.cpu()
