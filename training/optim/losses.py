"""Loss functions (`loss cross_entropy smoothing=0.1`) of logits and labels.

Labels are class indices (int64), or soft or multi-hot labels (float32, images x classes), as from
mixup or multi-label data; NaN is a label that is not known, and counts for nothing. A loss is the
mean over images; `bce` is also the mean over classes. With class weights, the sum is still divided
by the number of images, so that the mean over partial batches equals the mean over the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.loss import Asymmetric, Bce, CrossEntropy, Focal, Loss

LossFunction = Callable[[Tensor, Tensor], Tensor]


def loss_function(loss: Loss, weights: Tensor | None = None) -> LossFunction:
    """The loss of a plan; `weights` are class weights."""
    match loss:
        case CrossEntropy():
            return _cross_entropy(loss.smoothing, weights)
        case Bce():
            return _bce(loss.smoothing, weights)
        case Focal():
            return _focal(loss.gamma, weights)
        case Asymmetric():
            return _asymmetric(loss, weights)
    return loss.function(weights)


def plain_loss(loss: Loss) -> LossFunction:
    """The loss for evaluation, without label smoothing and class weights."""
    if loss.own:
        return loss.function(None)
    return _bce(0.0, None) if loss.several_labels else _cross_entropy(0.0, None)


def with_aux(function: LossFunction, weights: Sequence[float]) -> Callable[..., Tensor]:
    """The loss of a network with auxiliary heads, whose output in training is a tuple: the logits,
    then those of each head."""
    if not weights:
        return function

    def whole(outputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        total = function(outputs[0], labels)
        for output, weight in zip(outputs[1:], weights, strict=True):
            total = total + weight * function(output, labels)
        return total

    return whole


def mean_one(weights: Tensor | None, counts: Sequence[int]) -> Tensor | None:
    """Class weights scaled to a mean of 1 over the training images, so that [1, 2] and [10, 20]
    give the same effective learning rate."""
    if weights is None:
        return None
    images = torch.tensor(counts, dtype=torch.float64)
    mean = (weights.double() * images).sum() / images.sum()
    return (weights / mean).float() if mean > 0 else weights


def _cross_entropy(smoothing: float, weights: Tensor | None) -> LossFunction:
    if weights is None:

        def mean(logits: Tensor, labels: Tensor) -> Tensor:
            return F.cross_entropy(logits, labels, label_smoothing=smoothing)

        return mean

    def weighted(logits: Tensor, labels: Tensor) -> Tensor:
        total = F.cross_entropy(
            logits, labels, weight=weights, label_smoothing=smoothing, reduction="sum"
        )
        return total / len(logits)

    return weighted


def _bce(smoothing: float, weights: Tensor | None) -> LossFunction:
    def mean(logits: Tensor, labels: Tensor) -> Tensor:
        targets, counts = known(shares(labels, logits))
        if smoothing:
            targets = targets * (1 - smoothing) + smoothing / 2
        weight = counts if weights is None else weights * counts
        return F.binary_cross_entropy_with_logits(logits, targets, weight=weight)

    return mean


def _asymmetric(loss: Asymmetric, weights: Tensor | None) -> LossFunction:
    def mean(logits: Tensor, labels: Tensor) -> Tensor:
        targets, counts = known(shares(labels, logits))
        shares_of = logits.sigmoid()
        lowered = (shares_of - loss.shift).clamp(min=0)
        present = targets * (1 - shares_of) ** loss.present * F.logsigmoid(logits)
        absent = (1 - targets) * lowered**loss.absent * (1 - lowered).clamp(min=_TINY).log()
        each = -(present + absent)
        each = each * (counts if weights is None else weights * counts)
        return each.mean()

    return mean


_TINY = 1e-8


def _focal(gamma: float, weights: Tensor | None) -> LossFunction:
    def mean(logits: Tensor, labels: Tensor) -> Tensor:
        log_shares = F.log_softmax(logits, dim=1)
        each = known(shares(labels, log_shares))[0] * (1 - log_shares.exp()) ** gamma * -log_shares
        if weights is not None:
            each = each * weights
        return each.sum() / len(logits)

    return mean


def known(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Targets with 0 in place of NaN, of which nothing is known; and by how much each counts: the
    unknown for nothing, and the others of the image for as much as all together, so that the mean
    over partial batches equals that over the whole batch."""
    unknown = targets.isnan()
    there = (~unknown).to(targets.dtype)
    counts = there * (targets.shape[1] / there.sum(1, keepdim=True).clamp(min=1))
    return torch.where(unknown, 0.0, targets), counts


def shares(labels: Tensor, like: Tensor) -> Tensor:
    """Labels as one-hot or soft labels."""
    if labels.ndim == 2:
        return labels.to(like.dtype)
    return one_hot(labels, like.shape[1], like.dtype)


def one_hot(labels: Tensor, classes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Labels as rows of zeros and a one, without the check by `F.one_hot` of what the largest label
    is, for which it reads the labels back from most devices."""
    zeros = torch.zeros(len(labels), classes, dtype=dtype, device=labels.device)
    return zeros.scatter_(1, labels[:, None], 1)
