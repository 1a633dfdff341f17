"""The structural similarity of two images, SSIM (Wang et al., 2004): 1 if they are the same.

As its authors do, with a Gaussian window of 11 x 11 pixels and deviation 1.5, without the pixels at
the border whose window would leave the image; the mean over all windows and channels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
_LUMINANCE, _CONTRAST = 0.01**2, 0.03**2


def ssim(images: Tensor, others: Tensor) -> Tensor:
    """The SSIM of each pair of images (N x C x H x W, from 0 to 1). Of images that are smaller than
    the window, the window is as large as they are."""
    count, channels, height, width = images.shape
    rows, columns = (_kernel(side, images) for side in (height, width))
    products = torch.cat([images, others, images * images, others * others, images * others], 1)
    planes = products.reshape(5 * count * channels, 1, height, width)
    blurred = F.conv2d(F.conv2d(planes, rows.view(1, 1, -1, 1)), columns.view(1, 1, 1, -1))
    mean, other, square, other_square, both = blurred.view(
        count, 5, channels, *blurred.shape[2:]
    ).unbind(1)
    variance, other_variance = square - mean**2, other_square - other**2
    covariance = both - mean * other
    alike = (2 * mean * other + _LUMINANCE) / (mean**2 + other**2 + _LUMINANCE)
    structure = (2 * covariance + _CONTRAST) / (variance + other_variance + _CONTRAST)
    return (alike * structure).flatten(1).mean(1)


def _kernel(side: int, like: Tensor) -> Tensor:
    """The weights of the window along one axis."""
    size = min(WINDOW, side - 1 + side % 2)
    at = torch.arange(size, device=like.device, dtype=like.dtype) - (size - 1) / 2
    weights = torch.exp(-((at / SIGMA) ** 2) / 2)
    kernel: Tensor = weights / weights.sum()
    return kernel
