"""Losses of networks that answer with an image: of answers and targets from 0 to 1, N x C x H x W.

A loss is the mean over the pixels and channels of an image, then over images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...compiler.plan.loss import Loss
from ...compiler.plan.number_loss import Charbonnier, Mae, Mse, Ssim
from .losses import LossFunction
from .ssim import ssim


def image_loss(loss: Loss) -> LossFunction:
    """The loss of a plan for images."""
    match loss:
        case Mse():
            return _with_ssim(lambda images, targets: ((images - targets) ** 2).mean(), loss.ssim)
        case Mae():
            return _with_ssim(lambda images, targets: (images - targets).abs().mean(), loss.ssim)
        case Charbonnier():
            return _with_ssim(_charbonnier(loss.eps), loss.ssim)
        case Ssim():
            return _dissimilarity
    return loss.function(None)


def _charbonnier(eps: float) -> LossFunction:
    return lambda images, targets: ((images - targets) ** 2 + eps**2).sqrt().mean()


def _dissimilarity(images: Tensor, targets: Tensor) -> Tensor:
    """In full precision, also where the network computes in half: SSIM subtracts large numbers."""
    with torch.autocast(images.device.type, enabled=False):
        return 1 - ssim(images.float(), targets.float()).mean()


def _with_ssim(function: LossFunction, weight: float | None) -> LossFunction:
    if weight is None:
        return function
    return lambda images, targets: (
        function(images, targets) + weight * _dissimilarity(images, targets)
    )
