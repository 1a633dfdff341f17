"""Compares images that a network answers with their targets: PSNR, SSIM and mean absolute error.

Of the answers as image files would have them: cut off at black and white, and rounded to 8 bits.
Each metric is the mean over images of all their pixels and channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ..optim.losses import LossFunction
from ..optim.ssim import ssim
from .tally import Tally

BEST = 100.0
"""The PSNR of an image that is answered without any error, in decibels."""


class ImageTally(Tally):
    """The counts where each answer is an image. `levels` turns outputs into images from 0 to 1."""

    further = 3

    def __init__(
        self,
        channels: Sequence[str],
        loss: LossFunction,
        device: torch.device,
        levels: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__(loss, device)
        self.channels = channels
        self.levels = levels
        self.errors = self.sums.new_zeros(2, len(channels))
        """Of each channel, the sums of its PSNR and of its mean absolute error."""

    def count(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        answers, targets = rounded(self.levels(outputs)), labels.float() / 255
        each = answers - targets
        self.errors += torch.stack(
            [decibels(each.square().mean((2, 3))).sum(0), each.abs().mean((2, 3)).sum(0)]
        ).to(self.errors)
        return (
            decibels(each.square().mean((1, 2, 3))).sum(),
            ssim(answers, targets).sum(),
            each.abs().mean((1, 2, 3)).sum(),
        )

    def counters(self) -> tuple[Tensor, ...]:
        return self.sums, self.errors, self.differing

    def metrics(self) -> dict[str, float]:
        count, *sums = self.sums.tolist()
        if not count:
            return {}
        names = ("loss", "psnr", "ssim", "mae")
        return {name: value / count for name, value in zip(names, sums, strict=True)}

    def per_class(self) -> dict[str, Mapping[str, float]]:
        """The figures of each channel."""
        count = float(self.sums[0])
        psnr, mae = (self.errors.cpu() / max(1.0, count)).tolist()
        return {
            name: {"images": count, "psnr": psnr[index], "mae": mae[index]}
            for index, name in enumerate(self.channels)
        }


def rounded(images: Tensor) -> Tensor:
    """Images from 0 to 1 as 8 bits hold them."""
    return images.float().clamp(0, 1).mul(255).round().div(255)


def psnr(images: Tensor, targets: Tensor) -> Tensor:
    """The PSNR of each image (N x C x H x W, from 0 to 1), in decibels."""
    return decibels((images.float() - targets.float()).square().flatten(1).mean(1))


def decibels(squared_error: Tensor) -> Tensor:
    return -10 * squared_error.clamp(min=10 ** (-BEST / 10)).log10()
