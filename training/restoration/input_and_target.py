"""The input of the network and its target, from the images that are stored.

Stored is an image of the size of the target, and where the data has pairs, the target follows as
further channels; there, an input that is smaller is stored with each of its pixels repeated. So
whatever moves an image moves its target along. Without pairs the image itself is the target, and
the input is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.evaluate import CentreCrop, Resize
from ...compiler.plan.plan import TrainPlan
from ..data.images.color_modes import in_channels
from ..data.images.preprocessing import Preparation
from ..tasks.answer import Scale
from .degrade import EVALUATION, Degrade, in_gray, scaled

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class InputAndTarget:
    """How a batch of stored images becomes inputs and targets."""

    channels: int
    """Those of the input of the network."""
    target_channels: int
    pairs: bool
    """Whether targets are stored as further channels."""
    enlarges: int
    """How many times larger targets are than inputs."""
    degrade: Degrade

    @staticmethod
    def of(plan: TrainPlan, *, pairs: bool) -> InputAndTarget:
        degrade = Degrade(plan.train.degrade, plan.train.seed.value)
        return InputAndTarget(plan.input[0], plan.outputs[0], pairs, plan.enlarges, degrade)

    @property
    def stored_channels(self) -> int:
        """The channels of a stored image, without those of its target."""
        return self.channels if self.pairs else max(self.channels, self.target_channels)

    def split(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Stored images without their targets, and their targets: uint8."""
        if self.pairs:
            return images[:, : -self.target_channels], images[:, -self.target_channels :]
        return images, in_channels(images, self.target_channels)

    def input(self, images: Tensor, indices: Tensor, epoch: int) -> Tensor:
        """The input of the network, uint8, from images without their targets (from 0 to 255): made
        worse, and of the size and with the channels of the network's input."""
        size = images.shape[-2] // self.enlarges, images.shape[-1] // self.enlarges
        levels = images.to(torch.float32)
        if self.pairs and self.enlarges > 1:  # its pixels were repeated
            levels = F.avg_pool2d(levels, self.enlarges)
        levels = scaled(self.degrade(levels, indices, epoch), size)
        if levels.shape[1] != self.channels:
            gray = in_gray(levels) if levels.shape[1] > 1 else levels
            levels = gray.expand(-1, self.channels, -1, -1)
        return levels.round().clamp(0, 255).to(torch.uint8)

    def evaluated(self, images: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs and targets of stored images, the same each time."""
        pixels, targets = self.split(images)
        return self.input(pixels, indices, EVALUATION), targets


def as_stored(plan: TrainPlan, channels: int) -> TrainPlan:
    """The plan for images of the size of the target, which is larger than the input if the network
    enlarges images."""
    factor, evaluate = plan.enlarges, plan.evaluate
    augment = plan.augment
    if factor > 1:
        assert isinstance(evaluate.resize, Resize)
        assert isinstance(evaluate.crop, CentreCrop)
        augment = tuple(one.enlarged(factor) for one in augment)
        evaluate = replace(
            evaluate,
            resize=evaluate.resize.enlarged(factor),
            crop=evaluate.crop.enlarged(factor),
        )
    size = tuple(factor * side for side in plan.input[1:])
    return replace(plan, input=(channels, *size), augment=augment, evaluate=evaluate)


def scale_of(preparation: Preparation, channels: int) -> Scale:
    """The mean and standard deviation (of levels from 0 to 1) that normalize answers: those of the
    input. Where answers have another number of channels, all of them get the average."""
    white = 255 * preparation.scale
    numbers = [
        tuple(each / white for each in numbers) for numbers in (preparation.mean, preparation.std)
    ]
    if channels != preparation.channels:
        numbers = [(sum(each) / len(each),) for each in numbers]
    return Scale(*((each[0],) if len({*each}) == 1 else each for each in numbers))
