"""Whitens the first convolution (`init whitening`): its filters are the principal components of the
patches of training images, each divided by its standard deviation, and the negatives of them (Page,
2018, myrtle.ai/learn/how-to-train-your-resnet-8-bag-of-tricks). Its outputs are then uncorrelated
and all of about the same size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.opened import Opened

IMAGES = 5000
"""The number of training images that patches are taken from, spread evenly over all of them."""

EPS = 5e-4
"""Added to the variance of each component, so that noise is not blown up."""

_TOGETHER = 64


@torch.no_grad()
def whiten(convolution: nn.Module, data: Opened) -> None:
    """Sets the weights from the normalized training images; the bias begins at zero."""
    assert isinstance(convolution, nn.Conv2d)
    filters = principal_filters(data, convolution.weight.shape[-2:], len(convolution.weight) // 2)
    convolution.weight.copy_(torch.cat([filters, -filters]))
    if convolution.bias is not None:
        convolution.bias.zero_()


def keep_whitened(convolution: nn.Module) -> None:
    """Excludes the weights from training; the bias is trained."""
    assert isinstance(convolution, nn.Conv2d)
    convolution.weight.requires_grad_(False)


def principal_filters(data: Opened, kernel: tuple[int, ...], count: int) -> Tensor:
    """The components with the largest variance, each divided by its standard deviation: count x
    channels x height x width. As usual for this layer, the variance is that around zero."""
    many = len(data.stores["train"])
    chosen = [index * many // min(IMAGES, many) for index in range(min(IMAGES, many))]
    total: Tensor | None = None
    patches = 0
    for start in range(0, len(chosen), _TOGETHER):
        images = [data.image("train", index) for index in chosen[start : start + _TOGETHER]]
        pixels = data.preparation.prepare(torch.stack(images).cpu()).float()
        columns = F.unfold(pixels, kernel).transpose(1, 2).flatten(0, 1)
        products = (columns.T @ columns).double()
        total = products if total is None else total + products
        patches += len(columns)
    assert total is not None
    # In ascending order of the variance.
    variances, components = torch.linalg.eigh(total / patches)
    scaled = components / (variances.clamp(min=0) + EPS).sqrt()
    filters: Tensor = scaled.T.flip(0)[:count].reshape(count, -1, *kernel).float()
    return filters
