"""Losses of masks: of the logits of each pixel (N x classes x H x W) and its class (N x H x W).

A loss is the mean over the pixels of an image that have a label, then over images: so the mean over
partial batches equals the mean over the whole batch, and an image counts the same however little of
it is labeled. With class weights, the mean is still over the number of pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from ...compiler.plan.loss import CrossEntropy, Dice, Focal, Loss, Lovasz, Tversky

MaskLoss = Callable[[Tensor, Tensor], Tensor]


def mask_loss(loss: Loss, weights: Tensor | None = None) -> MaskLoss:
    """The loss of a plan for masks; `weights` are those of classes."""

    match loss:
        case CrossEntropy():
            return _with_dice(_cross_entropy(loss.smoothing, weights), loss.dice)
        case Focal():
            return _with_dice(_focal(loss.gamma, weights), loss.dice)
        case Dice():
            return _overlap(0.5, 0.5)
        case Tversky():
            return _overlap(loss.found, loss.missed)
        case Lovasz():
            return _lovasz
    return loss.function(weights)


def plain_mask_loss(loss: Loss) -> MaskLoss:
    """The loss for evaluation, without label smoothing and class weights."""
    return mask_loss(loss.replace(smoothing=0.0) if isinstance(loss, CrossEntropy) else loss)


def _with_dice(function: MaskLoss, weight: float | None) -> MaskLoss:
    if weight is None:
        return function
    dice = _overlap(0.5, 0.5)
    return lambda logits, masks: function(logits, masks) + weight * dice(logits, masks)


def _per_image(values: Tensor, labeled: Tensor) -> Tensor:
    """The mean over the labeled pixels of each image, then over images; an image without labels
    counts 0."""
    return (values * labeled).flatten(1).sum(1).div(labeled.flatten(1).sum(1).clamp(min=1)).mean()


def _cross_entropy(smoothing: float, weights: Tensor | None) -> MaskLoss:
    def mean(logits: Tensor, masks: Tensor) -> Tensor:
        each = F.cross_entropy(
            logits,
            masks.long(),
            weight=weights,
            ignore_index=UNLABELLED,
            label_smoothing=smoothing,
            reduction="none",
        )
        return _per_image(each, masks != UNLABELLED)

    return mean


def _focal(gamma: float, weights: Tensor | None) -> MaskLoss:
    def mean(logits: Tensor, masks: Tensor) -> Tensor:
        labeled = masks != UNLABELLED
        classes = torch.where(labeled, masks, 0).long().unsqueeze(1)
        log_shares = logits.log_softmax(1).gather(1, classes).squeeze(1)
        each = (1 - log_shares.exp()) ** gamma * -log_shares
        if weights is not None:
            each = each * weights[classes.squeeze(1)]
        return _per_image(each, labeled)

    return mean


def shares_of(logits: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """The probability of each class at each pixel, and whether it is the pixel's class: N x classes
    x pixels; both are 0 where there is no label."""
    labeled = (masks != UNLABELLED).flatten(1).unsqueeze(1)
    classes = torch.where(masks != UNLABELLED, masks, 0).long().flatten(1)
    shares = logits.softmax(1).flatten(2) * labeled
    truth = torch.zeros_like(shares).scatter_(1, classes.unsqueeze(1), 1.0) * labeled
    return shares, truth


def _overlap(false_positives: float, false_negatives: float) -> MaskLoss:
    """One minus the Tversky index of each class that an image has; the mean over these classes.
    With one half for both, it is the Dice coefficient."""

    def mean(logits: Tensor, masks: Tensor) -> Tensor:
        shares, truth = shares_of(logits, masks)
        both = (shares * truth).sum(2)
        extra, missed = shares.sum(2) - both, truth.sum(2) - both
        present = truth.sum(2) > 0
        index = both / (both + false_positives * extra + false_negatives * missed).clamp(min=1e-6)
        each = torch.where(present, 1 - index, 0.0)
        return (each.sum(1) / present.sum(1).clamp(min=1)).mean()

    return mean


def _lovasz(logits: Tensor, masks: Tensor) -> Tensor:
    """The Lovász extension of the Jaccard loss (Berman et al., arXiv:1705.08790), for the classes
    that an image has."""
    shares, truth = shares_of(logits, masks)
    labeled = (masks != UNLABELLED).flatten(1).unsqueeze(1)
    errors = (truth - shares).abs() * labeled
    errors, order = errors.sort(2, descending=True)
    truth = truth.gather(2, order)
    count = truth.sum(2, keepdim=True)
    intersection = count - truth.cumsum(2)
    union = count + ((1 - truth) * labeled.expand_as(truth).gather(2, order)).cumsum(2)
    jaccard = 1 - intersection / union.clamp(min=1)
    steps = torch.cat([jaccard[..., :1], jaccard[..., 1:] - jaccard[..., :-1]], 2)
    present = count.squeeze(2) > 0
    each = torch.where(present, (errors * steps).sum(2), 0.0)
    return (each.sum(1) / present.sum(1).clamp(min=1)).mean()
