"""Answers for images of any size, tile by tile: tiles overlap, and are blended.

    for top, rows in bands(answer, images, Tiling((256, 256))):
        ...                                         # images x classes x rows x width

Where tiles overlap, their outputs are averaged with weights that fall to zero at the edges of a
tile, so that no seams are seen. Rows are handed out as soon as no further tile covers them: so
memory is needed for one row of tiles, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, pi
from typing import NamedTuple

import torch
from torch import Tensor

from ...compiler.plan.plan import TrainPlan
from ..data.images.resize import Size, padded

Answer = Callable[[Tensor], Tensor]
"""The outputs (images x classes x height x width) for images (uint8) of the size of a tile."""

OVERLAP = 0.25
"""The share of a tile that the next one covers too, at least, unless a spec says otherwise."""
TOGETHER = 8
"""The largest number of tiles that go through a network at a time."""


class Tiling(NamedTuple):
    """How an image is divided into tiles."""

    side: Size
    """Height and width of a tile."""
    overlap: float = OVERLAP
    """The share of a tile that the next one covers too, at least."""

    @staticmethod
    def of(plan: TrainPlan) -> Tiling | None:
        """The tiles of a plan; None if it has none."""
        tiles = plan.evaluate.tiles
        return None if tiles is None else Tiling(tiles.side, tiles.overlap)

    def starts(self, size: Size) -> tuple[list[int], list[int]]:
        """The upper and the left edges of the tiles that cover an image, evenly spaced."""
        rows, columns = (self._along(*each) for each in zip(size, self.side, strict=True))
        return rows, columns

    def _along(self, length: int, tile: int) -> list[int]:
        if length <= tile:
            return [0]
        steps = ceil((length - tile) / max(1, int(tile * (1 - self.overlap))))
        return [round(number * (length - tile) / steps) for number in range(steps + 1)]


class Band(NamedTuple):
    """Some rows of the outputs for images, over their whole width."""

    top: int
    rows: Tensor
    """images x classes x rows x width"""


def bands(
    answer: Answer, images: Tensor, tiling: Tiling, together: int = TOGETHER, times: int = 1
) -> Iterator[Band]:
    """The outputs for images of the same size (uint8, images x channels x height x width), from top
    to bottom. They are `times` larger than the images, along each side."""
    height, width = (times * each for each in images.shape[-2:])
    side = tiling.side
    images = padded(images, side)
    tops, lefts = tiling.starts((images.shape[-2], images.shape[-1]))
    if len(images) <= together and len(tops) == len(lefts) == 1:
        yield Band(0, answer(images)[..., :height, :width])
        return
    total = weights = torch.empty(0)
    tall, wide = (times * each for each in side)
    window = _window((tall, wide))
    for number, top in enumerate(tops):
        for places, outputs in _row(answer, images, top, lefts, side, together):
            if not total.numel():
                shape = (len(images), outputs.shape[1], tall, times * images.shape[-1])
                total, weights = outputs.new_zeros(shape), outputs.new_zeros(shape[2:])
                window = window.to(outputs)
            for (image, left), output in zip(places, outputs, strict=True):
                there = slice(times * left, times * left + wide)
                total[image, :, :, there] += output * window
                if image == 0:
                    weights[:, there] += window
        after = tops[number + 1] if number + 1 < len(tops) else images.shape[-2]
        done, above = times * (after - top), times * top
        yield Band(above, (total[:, :, :done] / weights[:done])[:, :, : height - above, :width])
        for sums in (total, weights):  # rows that the next tiles cover, too, move up
            rest = sums[..., done:, :].clone()
            sums.zero_()[..., : rest.shape[-2], :] = rest


def _row(
    answer: Answer, images: Tensor, top: int, lefts: list[int], side: Size, together: int
) -> Iterator[tuple[list[tuple[int, int]], Tensor]]:
    """The outputs of a row of tiles, with the image and the left edge of each."""
    tiles = [(image, left) for image in range(len(images)) for left in lefts]
    for start in range(0, len(tiles), together):
        places = tiles[start : start + together]
        pixels = [images[i, :, top : top + side[0], left : left + side[1]] for i, left in places]
        yield places, answer(torch.stack(pixels)).float()


def outputs_of(
    answer: Answer, images: Tensor, tiling: Tiling, together: int = TOGETHER, times: int = 1
) -> Tensor:
    """The outputs for whole images: images x classes x height x width."""
    rows = [band.rows for band in bands(answer, images, tiling, together, times)]
    return rows[0] if len(rows) == 1 else torch.cat(rows, 2)


def _window(size: Size) -> Tensor:
    """The weights of the pixels of a tile: largest in its middle, almost zero at its edges."""
    along = (torch.sin((torch.arange(side) + 0.5) * pi / side).square() for side in size)
    rows, columns = (each.clamp(min=1e-3) for each in along)
    return rows[:, None] * columns
