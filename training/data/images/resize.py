"""Resize and center crop: brings an image of any size to the input size of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ....compiler.plan.data import UNLABELLED
from ....compiler.plan.evaluate import CentreCrop, Resize
from ....compiler.plan.fusion import crop_when_read, resize_when_read, size_when_read
from ....compiler.plan.plan import TrainPlan
from .image_file import BadImage

Size = tuple[int, int]
"""Height and width."""

MAX_PIXELS = 10**8
"""A limit for the image between resize and crop: a very long and thin image would become huge."""


KEPT = 0
"""In place of the size of a resize: images keep theirs, and only the crop makes them smaller."""


@dataclass(frozen=True)
class Fit:
    """Resize, then center crop.

    The shorter side is resized to `resize`, and the longer one in proportion, rounded down; or both
    sides to a pair of sizes. Images that shrink are antialiased as in Pillow and torchvision: the
    result is the same to within one level of 255, or two for images of noise. The width is resized
    before the height, and each pass is rounded to bytes. The offset of the crop (half the margin)
    is rounded to even, as in torchvision.
    """

    resize: int | Size
    mode: str
    crop: Size
    fills: bool = False
    """Whether images that are smaller than the crop are filled up, instead of being refused."""

    def __call__(self, images: Tensor, *, masks: int = 0) -> Tensor:
        """Images (uint8, ... x C x H x W) at the size of the crop; raises BadImage if they are too
        long and thin. The last channels may be masks, whose numbers are not mixed."""
        images = self.whole(images, masks=masks)
        if self.fills:
            images = padded(images, self.crop, masks)
        top, left = self.offset(images.shape[-2], images.shape[-1])
        return images[..., top : top + self.crop[0], left : left + self.crop[1]]

    def offset(self, height: int, width: int) -> Size:
        """Where the crop of an image of this size begins."""
        return round((height - self.crop[0]) / 2), round((width - self.crop[1]) / 2)

    def whole(self, images: Tensor, *, masks: int = 0) -> Tensor:
        """Images before the crop; raises BadImage."""
        self.must_be_bounded(images.shape[-2], images.shape[-1])
        size = self.resized(images.shape[-2], images.shape[-1])
        return images if size == images.shape[-2:] else resized(images, size, self.mode, masks)

    def must_be_bounded(self, height: int, width: int) -> None:
        """Raises BadImage for a size that would become too large, or that is too small for the crop
        of images that keep their size."""
        size = self.resized(height, width)
        small = self.resize == KEPT and not self.fills
        if small and (height < self.crop[0] or width < self.crop[1]):
            raise BadImage(
                f"{width:,} x {height:,} pixels, fewer than the {self.crop[1]} x {self.crop[0]}"
                " that the network sees"
            )
        if size[0] * size[1] > MAX_PIXELS:
            raise BadImage(
                f"{width:,} x {height:,} pixels, which would be enlarged to {size[1]:,} x "
                f"{size[0]:,}"
            )

    def resized(self, height: int, width: int) -> Size:
        """Height and width before the crop."""
        if isinstance(self.resize, tuple):
            return self.resize
        if self.resize == KEPT:
            return height, width
        if height <= width:
            return self.resize, int(self.resize * width / height)
        return int(self.resize * height / width), self.resize

    def leaves(self, height: int, width: int) -> bool:
        """Whether images of this size are not changed."""
        return self.resized(height, width) == (height, width) == self.crop

    def lines(self) -> tuple[str, str]:
        """Resize and crop as lines of the `evaluate` section of a spec."""
        return str(self.directive), str(CentreCrop(side=self.crop))

    @property
    def directive(self) -> Resize:
        """The resize of a spec."""
        return Resize(side="none" if self.resize == KEPT else self.resize, mode=self.mode)


def larger(one: Fit, other: Fit) -> Fit:
    """That of two which makes images larger."""
    return max(one, other, key=lambda fit: math.prod(fit.resized(1000, 1000)))


def resized(images: Tensor, size: Size, mode: str, masks: int = 0) -> Tensor:
    """Images, or one image, of another size: antialiased, as bytes if they are bytes. Of the last
    channels, if they are masks, each pixel is the nearest one."""
    if masks and mode != "nearest":
        pixels = resized(images[..., :-masks, :, :], size, mode)
        return torch.cat([pixels, resized(images[..., -masks:, :, :], size, "nearest")], -3)
    whole = images if images.ndim == 4 else images.unsqueeze(0)
    if mode == "nearest":
        result = F.interpolate(whole, size, mode="nearest-exact")
    else:
        result = F.interpolate(whole, size, mode=mode, align_corners=False, antialias=True)
    return result if images.ndim == 4 else result.squeeze(0)


def padded(images: Tensor, least: Size, masks: int = 0) -> Tensor:
    """Images (... x C x H x W) of at least this size: their last pixels are repeated at the
    right and lower edges, where masks, the last channels, have no label."""
    height, width = images.shape[-2:]
    down, right = max(0, least[0] - height), max(0, least[1] - width)
    if not down and not right:
        return images
    whole = images if images.ndim == 4 else images.unsqueeze(0)
    larger = F.pad(whole.float(), (0, right, 0, down), mode="replicate").to(images.dtype)
    if masks:
        larger[:, -masks:, height:] = UNLABELLED
        larger[:, -masks:, :, width:] = UNLABELLED
    return larger if images.ndim == 4 else larger.squeeze(0)


def evaluation_fit(plan: TrainPlan) -> Fit:
    """The resize and crop of `evaluate { resize …, crop … }`."""
    resize, crop = plan.evaluate.resize, plan.evaluate.crop
    assert resize is not None
    assert crop is not None
    return Fit(_side(resize), resize.mode, crop.side, fills=plan.evaluate.tiles is not None)


def training_fit(plan: TrainPlan) -> Fit:
    """The resize and crop of training images before augmentation. They are those of evaluation; if
    the augmentation crops images itself, it gets the whole resized image, as a square. Random crops
    that are done when images are read (`augment/random_crop.py`) take their place."""
    resize = None if crop_when_read(plan) else resize_when_read(plan)
    if resize is None:
        return evaluation_fit(plan)
    return Fit(_side(resize), resize.mode, size_when_read(plan))


def _side(resize: Resize) -> int | Size:
    return KEPT if resize.keeps else resize.side
