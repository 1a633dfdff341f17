"""Antialiased resizing, and random crops that are resized: pixels are averaged, not skipped."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment.passes import RESIZE
from ...compiler.plan.augment.resizing import Crop, Resize
from ...compiler.plan.fusion import Step
from .per_image import BoundPass, Moving
from .registry import Resources, implements
from .transforms import PART_DRAWS, parts


@implements(Resize, RESIZE)
class AreaResize:
    """Resizes all images to the same size."""

    def __init__(self, directive: Resize, step: Step, resources: Resources) -> None:
        self._size, self._mode = step.output_size, directive.mode
        self._clips = resources.clips

    def __call__(self, drawn: Tensor) -> Moving:
        return Moving(
            lambda images, _: _resized(images, self._size, self._mode, self._clips),
            lambda masks, _: _resized(masks, self._size, "nearest"),
            lambda answers, _: _resized(answers.float(), self._size, self._mode),
        )


@implements(Crop, RESIZE)
class AreaCrop:
    """Cuts a random part out of each image, and resizes all parts to the same size."""

    def __init__(self, directive: Crop, step: Step, resources: Resources) -> None:
        self._directive, self._step = directive, step
        self._at = resources.layout.reserve(step.number, 1, PART_DRAWS)

    def __call__(self, drawn: Tensor) -> Moving:
        size = self._step.output_size
        boxes = parts(drawn[self._at], self._directive, self._step.input_size)
        cut = self._of_images(boxes, size)
        return Moving(
            cut,
            lambda masks, piece: nearest(masks, boxes[piece], size),
            lambda answers, piece: cut(answers.float(), piece),
        )

    def _of_images(self, boxes: Tensor, size: tuple[int, int]) -> BoundPass:
        if boxes.device.type != "cpu":  # reading the boxes would make the program wait for a GPU
            return lambda images, piece: cut_by_matrices(images, boxes[piece], size)
        places = boxes.int().tolist()

        def crop(images: Tensor, piece: slice) -> Tensor:
            resized = [
                _resized(one[:, top : top + height, left : left + width][None], size, "bilinear")
                for one, (left, top, width, height) in zip(images, places[piece], strict=True)
            ]
            return torch.cat(resized)

        return crop


def cut_by_matrices(images: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Cuts a box (left, top, width, height) out of each image and resizes it, for all images at
    once: as a product with a matrix of weights along each axis."""
    left, top, width, height = boxes.unbind(1)
    rows = _weights(top, height, images.shape[-2], size[0])
    columns = _weights(left, width, images.shape[-1], size[1])
    return rows.unsqueeze(1) @ images @ columns.mT.unsqueeze(1)


def nearest(masks: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The same for masks (N x masks x H x W): each pixel is the nearest one."""
    left, top, width, height = boxes.unbind(1)
    rows = _nearest(top, height, size[0], masks.shape[-2])
    columns = _nearest(left, width, size[1], masks.shape[-1])
    places = (rows.unsqueeze(2) * masks.shape[-1] + columns.unsqueeze(1)).flatten(1)
    of_each = places.unsqueeze(1).expand(-1, masks.shape[1], -1)
    return masks.flatten(2).gather(2, of_each).view(*masks.shape[:2], *size)


def _nearest(start: Tensor, length: Tensor, out: int, side: int) -> Tensor:
    """The source of each pixel of the result, N x out."""
    centers = torch.arange(out, device=start.device, dtype=torch.float32) + 0.5
    places = start.view(-1, 1) + (length / out).view(-1, 1) * centers
    return places.floor().long().clamp_(0, side - 1)


def _weights(start: Tensor, length: Tensor, side: int, out: int) -> Tensor:
    """The weight of each pixel in each pixel of the result, N x out x side: bilinear interpolation,
    antialiased, as in torch: a triangle that is as wide as the pixels that become one."""
    start, length = start.view(-1, 1, 1), length.view(-1, 1, 1)
    scale = length / out
    pixel = torch.arange(side, device=start.device, dtype=torch.float32) + 0.5
    center = start + scale * (torch.arange(out, device=start.device).view(1, -1, 1) + 0.5)
    weights = (1 - (pixel - center).abs() / scale.clamp(min=1)).clamp_(min=0)
    weights = weights * ((pixel > start) & (pixel < start + length))
    return weights / weights.sum(2, keepdim=True)


def _resized(images: Tensor, size: tuple[int, int], mode: str, clips: bool = True) -> Tensor:
    if mode == "nearest":
        return F.interpolate(images, size, mode="nearest-exact")
    resized = F.interpolate(images, size, mode=mode, align_corners=False, antialias=True)
    return resized.clamp_(0, 255) if mode == "bicubic" and clips else resized
