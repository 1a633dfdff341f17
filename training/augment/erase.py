"""Random erasing: fills a random rectangle of an image with a color or noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...compiler.plan.augment.passes import ERASE
from ...compiler.plan.augment.pixels import Erase
from ...compiler.plan.fusion import Step
from .entries import constant
from .noise_table import SMALL
from .per_image import BoundPass
from .random_numbers import whole, within
from .registry import Resources, implements

_TRIES = 10


@implements(Erase, ERASE)
class EraseRectangle:
    """Erases a rectangle of each image, drawn as torchvision's RandomErasing does."""

    def __init__(self, directive: Erase, step: Step, resources: Resources) -> None:
        self._directive = directive
        self._table = resources.normal
        self._size = step.input_size
        normalization = resources.normalization
        self._factor, self._offset = (tuple(numbers.tolist()) for numbers in normalization)
        fill = self._directive.fill
        self._level = (0.0,) if isinstance(fill, str) else fill
        self._small = len(normalization[0]) * math.prod(self._size) < SMALL
        self._at = resources.layout.reserve(step.number, 0, 2 * _TRIES + 4)

    def __call__(self, drawn: Tensor) -> BoundPass:
        numbers = drawn[self._at]
        boxes, place = self.boxes(numbers), numbers[-1]
        if self._small or drawn.device.type != "cpu":
            return self._at_once(boxes, place)
        corners = boxes.int().tolist()

        def erased(images: Tensor, piece: slice) -> Tensor:
            if images.requires_grad:
                return self._at_once(boxes, place)(images, piece)
            content = self._content(images, place[piece]).expand(images.shape)
            for index, (left, top, width, height) in enumerate(corners[piece]):
                if width:
                    box = (index, ..., slice(top, top + height), slice(left, left + width))
                    images[box] = content[box]
            return images

        return erased

    def _at_once(self, boxes: Tensor, place: Tensor) -> BoundPass:
        left, top, width, height = boxes.unbind(1)
        columns = _between(left, width, self._size[1]).unsqueeze(1)
        rows = _between(top, height, self._size[0]).unsqueeze(2)

        def erased(images: Tensor, piece: slice) -> Tensor:
            box = (rows[piece] * columns[piece]).unsqueeze(1)
            content = self._content(images, place[piece])
            return torch.lerp(images, content, box, out=None if images.requires_grad else images)

        return erased

    def boxes(self, numbers: Tensor) -> Tensor:
        """Rectangles, N x 4: left, top, width, height; the last two are 0 if an image is not
        changed. An area and a ratio that do not fit are drawn again, up to ten times; then the
        image is not changed."""
        chosen = numbers[0] < self._directive.p
        sides = self._sides(numbers) * chosen
        corners = whole(
            numbers[-3:-1], 0, constant(self._size[::-1], sides.device).view(2, 1) - sides
        )
        return torch.cat([corners, sides]).t()

    def _sides(self, numbers: Tensor) -> Tensor:
        """2 x N: width and height, 0 if no rectangle fits."""
        directive, (rows, columns) = self._directive, self._size
        low, high = map(math.log, directive.ratio)
        side = (within(numbers[1 : 1 + _TRIES], *directive.scale) * (rows * columns)).sqrt()
        slant = within(numbers[1 + _TRIES : 1 + 2 * _TRIES], low / 2, high / 2).exp()
        sides = torch.stack([side * slant, side / slant], 1).round_()
        fits = (sides < constant((columns, rows), sides.device).view(2, 1)).all(1)
        first = fits.to(torch.uint8).argmax(0).expand(1, 2, -1)
        return sides.gather(0, first)[0] * fits.any(0)

    def _content(self, images: Tensor, place: Tensor) -> Tensor:
        if self._directive.fill != "noise":
            return constant(self._level, images.device).view(1, -1, 1, 1)
        noise = self._table.rows(place, images[0].numel()).view(images.shape)
        factor, offset = (
            constant(each, images.device).view(1, -1, 1, 1) for each in (self._factor, self._offset)
        )
        return (noise - offset) / factor


def _between(start: Tensor, length: Tensor, side: int) -> Tensor:
    """N x side: 1.0 from `start` to `start + length`, and 0.0 elsewhere."""
    at = torch.arange(side, device=start.device)
    first = start.unsqueeze(1)
    return ((at >= first) & (at < first + length.unsqueeze(1))).float()
