"""Losses of numbers: of standardized outputs and labels, images x numbers.

A label that is NaN is missing, and counts for nothing. A loss is the mean over the numbers that an
image has, then over images; so the mean over partial batches equals the mean over the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.loss import Loss
from ...compiler.plan.number_loss import GaussianNll, Huber, Mae, Mse
from .losses import LossFunction

_LEAST_VARIANCE = 1e-6


def number_loss(loss: Loss) -> LossFunction:
    """The loss of a plan for numbers."""
    match loss:
        case Mse():
            return _of_each(lambda outputs, labels: (outputs - labels) ** 2)
        case Mae():
            return _of_each(lambda outputs, labels: (outputs - labels).abs())
        case Huber():
            return _of_each(
                lambda outputs, labels: F.huber_loss(
                    outputs, labels, delta=loss.delta, reduction="none"
                )
            )
        case GaussianNll():
            return _of_each(_gaussian)
    return loss.function(None)


def _of_each(function: Callable[[Tensor, Tensor], Tensor]) -> LossFunction:
    def mean(outputs: Tensor, labels: Tensor) -> Tensor:
        known = ~labels.isnan()
        # NaN in an arm that is not taken would still reach the gradient.
        each = function(outputs, torch.where(known, labels, 0.0).to(outputs.dtype))
        each = torch.where(known, each, 0.0)
        return (each.sum(1) / known.sum(1).clamp(min=1)).mean()

    return mean


def _gaussian(outputs: Tensor, labels: Tensor) -> Tensor:
    """The negative log-likelihood, without its constant; NaN for averaged answers, which have no
    variance."""
    if outputs.shape == labels.shape:
        return torch.full_like(outputs, torch.nan)
    mean, variance = mean_and_variance(outputs)
    return 0.5 * (variance.log() + (mean - labels) ** 2 / variance)


def mean_and_variance(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """The two halves of the outputs for `gaussian_nll`."""
    mean, raw = outputs.chunk(2, dim=1)
    return mean, F.softplus(raw) + _LEAST_VARIANCE
