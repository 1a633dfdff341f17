"""Image to image: the network answers with an image, as in denoising, super-resolution,
colorization and autoencoders."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...compiler.plan.loss import IMAGES, Loss
from ...compiler.plan.metric_names import PER_CLASS
from ...compiler.plan.number_loss import Mae
from ..metrics.image_tally import ImageTally, psnr, rounded
from ..metrics.tally import Tally
from ..optim.image_losses import image_loss
from ..optim.losses import LossFunction
from .task import Task
from .task_recipe import TaskRecipe


@dataclass(frozen=True)
class ImageToImage(Task):
    """An image for each image; its `classes` are the names of the channels.

    Labels are levels from 0 to 255 (N x C x H x W). Outputs are normalized like the input, so that
    a network can add what it changes to what it gets; after a last sigmoid, they are from 0 to 1.
    Answers are uint8.
    """

    word: ClassVar[str] = IMAGES
    labels: ClassVar[str] = "an image"
    best: ClassVar[str] = "psnr"
    running: ClassVar[str] = "psnr"
    usual: ClassVar[tuple[str, ...]] = ("loss", "psnr", "ssim", "mae")
    usual_loss: ClassVar[type[Loss]] = Mae
    dense: ClassVar[bool] = True
    nouns: ClassVar[tuple[str, str]] = ("channel", "channels")
    decisive: ClassVar[str] = "psnr"
    images: ClassVar[bool] = True
    recipe: ClassVar[TaskRecipe] = TaskRecipe(
        ends="",
        loss="loss l1",
        why_loss="The mean difference of levels: answers are sharper than with squares.",
        least_crop=None,
        balanced=False,
    )

    means: tuple[float, ...] = (0.0,)
    deviations: tuple[float, ...] = (1.0,)
    """By which outputs are normalized: one number, or one for each channel."""
    ends_in: str = ""
    """`sigmoid` if the network ends in one, which the trained module leaves out."""

    @property
    def facts(self) -> Mapping[str, str]:
        return {
            "means": json.dumps(self.means),
            "deviations": json.dumps(self.deviations),
            "ends_in": self.ends_in,
        }

    @property
    def metrics(self) -> tuple[str, ...]:
        return ("loss", "psnr", "ssim", "mae")

    def shown(self, wanted: Collection[str]) -> tuple[str, ...]:
        """Plans do not know what labels are: names of other metrics are those that are usual."""
        return super().shown(wanted) if {*wanted} <= {*self.metrics, PER_CLASS} else self.metrics

    def levels(self, outputs: Tensor) -> Tensor:
        """Outputs as levels from 0 to 1, which they may leave a little."""
        if self.ends_in == "sigmoid":
            return outputs.sigmoid()
        if self.means == (0.0,) and self.deviations == (1.0,):
            return outputs
        means, deviations = (
            torch.tensor(each, device=outputs.device, dtype=outputs.dtype).view(-1, 1, 1)
            for each in (self.means, self.deviations)
        )
        return outputs * deviations + means

    def loss(self, loss: Loss, weights: Tensor | None) -> LossFunction:
        function = image_loss(loss)
        return lambda outputs, labels: function(self.levels(outputs), labels.float() / 255)

    def tally(self, loss: Loss, device: torch.device) -> Tally:
        return ImageTally(self.classes, self.loss(loss, None), device, self.levels)

    def score(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return self.quality(outputs, labels).sum()

    def quality(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The PSNR of each image."""
        return psnr(rounded(self.levels(outputs)), labels.float() / 255)

    def answers(self, outputs: Tensor) -> Tensor:
        return self.levels(outputs.float()).clamp(0, 1).mul(255).round().to(torch.uint8)

    def outputs(self, answers: Tensor) -> Tensor:
        shares = answers.float() / 255
        if self.ends_in == "sigmoid":
            return shares.logit(eps=1e-6)
        means, deviations = (
            torch.tensor(each, device=shares.device).view(-1, 1, 1)
            for each in (self.means, self.deviations)
        )
        return (shares - means) / deviations

    def averaged(self, outputs: Tensor) -> Tensor:
        """Of outputs before a sigmoid, the mean of what it gives."""
        if self.ends_in == "sigmoid":
            return outputs.sigmoid().mean(0).logit(eps=1e-7)
        return outputs.mean(0)
