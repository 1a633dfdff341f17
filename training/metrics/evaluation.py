"""Evaluates a network on a part of its data: validation after each epoch, and `cnn evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from ...compiler.plan.loss import Loss
from ..data.loader.batches import Batches
from ..data.open import Opened
from ..optim.losses import plain_loss
from ..optim.precision import FULL, Precision
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
) -> Outcome:
    """Metrics, confusion matrix and probabilities of a module that returns logits. Its training or
    evaluation mode is restored afterwards."""
    kept: list[Tensor] = []
    batches = opened.evaluation(part, batch=batch)
    loss = loss or opened.plan.train.loss
    try:
        tally = count(module, opened, batches, loss, precision, callback, part, kept)
    finally:
        batches.close()
    return _outcome(part, tally, torch.cat(kept), _labels(opened, part), opened.dataset.classes)


def count(
    module: nn.Module,
    opened: Opened,
    batches: Batches,
    loss: Loss,
    precision: Precision = FULL,
    callback: Callback | None = None,
    part: str = "val",
    kept: list[Tensor] | None = None,
    merge: Merge | None = None,
) -> Tally:
    """The counts of an evaluation; the probabilities are appended to `kept`, if it is given."""
    multi_label = opened.dataset.multi_label
    tally = Tally(
        len(opened.dataset.classes),
        multi_label=multi_label,
        loss=plain_loss(loss),
        device=opened.device,
    )
    was_training = module.training
    module.eval()
    context = precision.autocast(opened.device)
    try:
        with torch.inference_mode(), context or nullcontext():
            for index, (images, labels, _) in enumerate(batches()):
                logits = module(opened.preparation.prepare(precision.laid_out(images)))
                tally.add(logits, labels)
                if kept is not None:
                    kept.append(probabilities_of(logits, multi_label).cpu())
                if callback is not None:
                    callback.evaluating(part, index + 1, len(batches))
    finally:
        module.train(was_training)
    if merge is not None:
        merge(tally.counters())
    return tally


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
