"""How an image of any size becomes as large as the network takes it."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ....compiler.plan.evaluate import CentreCrop, Resize
from ....compiler.plan.fusion import resize_when_read, size_when_read
from ....compiler.plan.plan import TrainPlan
from .image_file import BadImage

Size = tuple[int, int]
"""Height and width."""

MAX_PIXELS = 10**8
"""Of an image between resize and crop: what is very long and thin grows beyond all bounds."""


@dataclass(frozen=True)
class Fit:
    """Resize, then the middle.

    The shorter side is brought to `resize`, the longer one in proportion and rounded down, or both
    to a pair of sizes. Images that shrink are antialiased, as Pillow and torchvision do it, to
    within a level of 255, or two of noise; the width comes before the height, and each pass is
    rounded to bytes. Half of what the crop leaves over is rounded to even, as torchvision does.
    """

    resize: int | Size
    mode: str
    crop: Size

    def __call__(self, images: Tensor) -> Tensor:
        """uint8, ... x C x H x W, to the size of the crop; raises BadImage for what is too long."""
        self.must_be_bounded(images.shape[-2], images.shape[-1])
        size = self.resized(images.shape[-2], images.shape[-1])
        if size != images.shape[-2:]:
            images = _resized(images, size, self.mode)
        top, left = (round((have - want) / 2) for have, want in zip(size, self.crop, strict=True))
        return images[..., top : top + self.crop[0], left : left + self.crop[1]]

    def must_be_bounded(self, height: int, width: int) -> None:
        """Raises BadImage for a shape that grows too long."""
        size = self.resized(height, width)
        if size[0] * size[1] > MAX_PIXELS:
            raise BadImage(
                f"{width:,} x {height:,} pixels, which would be enlarged to {size[1]:,} x "
                f"{size[0]:,}"
            )

    def resized(self, height: int, width: int) -> Size:
        """Height and width before the crop."""
        if isinstance(self.resize, tuple):
            return self.resize
        if height <= width:
            return self.resize, int(self.resize * width / height)
        return int(self.resize * height / width), self.resize

    def leaves(self, height: int, width: int) -> bool:
        """Whether images of a size stay as they are."""
        return self.resized(height, width) == (height, width) == self.crop

    def lines(self) -> tuple[str, str]:
        """As the `evaluate` section of a spec says it."""
        return str(Resize(side=self.resize, mode=self.mode)), str(CentreCrop(side=self.crop))


def _resized(images: Tensor, size: Size, mode: str) -> Tensor:
    whole = images if images.ndim == 4 else images.unsqueeze(0)
    if mode == "nearest":
        made = F.interpolate(whole, size, mode="nearest-exact")
    else:
        made = F.interpolate(whole, size, mode=mode, align_corners=False, antialias=True)
    return made if images.ndim == 4 else made.squeeze(0)


def evaluation_fit(plan: TrainPlan) -> Fit:
    """What `evaluate { resize …, crop … }` says."""
    resize, crop = plan.evaluate.resize, plan.evaluate.crop
    assert resize is not None
    assert crop is not None
    return Fit(resize.side, resize.mode, crop.side)


def training_fit(plan: TrainPlan) -> Fit:
    """What images are before they are augmented: as in evaluation, but where the augmentation
    crops them it gets all that the resize leaves, as a square."""
    resize = resize_when_read(plan)
    if resize is None:
        return evaluation_fit(plan)
    return Fit(resize.side, resize.mode, size_when_read(plan))
