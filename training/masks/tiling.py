"""Answers for images of any size, tile by tile: tiles overlap, and are blended.

    for top, rows in bands(answer, images, Tiling((256, 256))):
        ...                                         # images x classes x rows x width

Where tiles overlap, their outputs are averaged with weights that fall to zero at the edges of a
tile, so that no seams are seen. Rows are handed out as soon as no further tile covers them: so
memory is needed for one row of tiles, however many there are. Of a scan, rows are slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from math import ceil, pi, prod
from typing import NamedTuple

import torch
from torch import Tensor

from ...compiler.plan.plan import TrainPlan
from ...compiler.shapes import Shape

Answer = Callable[[Tensor], Tensor]
"""The outputs (images x classes x axes) for images of the size of a tile."""

OVERLAP = 0.25
"""The share of a tile that the next one covers too, at least, unless a spec says otherwise."""
TOGETHER = 8
"""The largest number of tiles that go through a network at a time."""


class Tiling(NamedTuple):
    """How an image is divided into tiles."""

    side: Shape
    """The size of a tile along each axis: height and width."""
    overlap: float = OVERLAP
    """The share of a tile that the next one covers too, at least."""

    @staticmethod
    def of(plan: TrainPlan) -> Tiling | None:
        """The tiles of a plan; None if it has none."""
        tiles = plan.evaluate.tiles
        return None if tiles is None else Tiling(tiles.side, tiles.overlap)

    def starts(self, size: Shape) -> tuple[list[int], ...]:
        """Along each axis, where the tiles start that cover an image, evenly spaced."""
        return tuple(self._along(*each) for each in zip(size, self.side, strict=True))

    def _along(self, length: int, tile: int) -> list[int]:
        if length <= tile:
            return [0]
        steps = ceil((length - tile) / max(1, int(tile * (1 - self.overlap))))
        return [round(number * (length - tile) / steps) for number in range(steps + 1)]


class Band(NamedTuple):
    """Some rows of the outputs for images, over the whole of the other axes."""

    top: int
    rows: Tensor
    """images x classes x rows x the other axes"""


def bands(
    answer: Answer, images: Tensor, tiling: Tiling, together: int = TOGETHER, times: int = 1
) -> Iterator[Band]:
    """The outputs for images of the same size (images x channels x axes), from top to bottom. They
    are `times` larger than the images, along each axis. A series is answered in one piece."""
    if images.ndim == SERIES:  # as a row of tiles, which go through the network together
        row = Tiling((1, *tiling.side), tiling.overlap)
        one_row = partial(_of_one_row, answer)
        for band in bands(one_row, images.unsqueeze(2), row, together, times):
            yield Band(0, band.rows.squeeze(2))
        return
    side = tiling.side
    height, *others = (times * each for each in images.shape[2:])
    images = at_least(images, side)
    tops, *across = tiling.starts(tuple(images.shape[2:]))
    corner = (0,) * len(side)
    if len(images) <= together and prod(map(len, (tops, *across))) == 1:
        yield Band(0, _part(answer(images), corner, (height, *others)))
        return
    total = weights = torch.empty(0)
    large = tuple(times * each for each in side)
    window = _window(large)
    for number, top in enumerate(tops):
        for places, outputs in _row(answer, images, top, across, side, together):
            if not total.numel():
                wide = (times * each for each in images.shape[3:])
                shape = (len(images), outputs.shape[1], large[0], *wide)
                total, weights = outputs.new_zeros(shape), outputs.new_zeros(shape[2:])
                window = window.to(outputs)
            for (image, starts), output in zip(places, outputs, strict=True):
                at = (0, *(times * each for each in starts))
                _part(total[image], at, large).add_(output * window)
                if image == 0:
                    _part(weights, at, large).add_(window)
        after = tops[number + 1] if number + 1 < len(tops) else images.shape[2]
        done, above = times * (after - top), times * top
        rows = total[:, :, :done] / weights[:done]
        yield Band(above, _part(rows, corner, (min(done, height - above), *others)))
        # The rows that the next tiles cover, too, move up.
        for sums, axis in ((total, 2), (weights, 0)):
            rest = sums.narrow(axis, done, sums.shape[axis] - done).clone()
            sums.zero_().narrow(axis, 0, rest.shape[axis]).copy_(rest)


def _part(images: Tensor, starts: Shape, size: Shape) -> Tensor:
    """The part of this size that starts there, along the last axes: a view."""
    first = images.ndim - len(size)
    for axis, (start, length) in enumerate(zip(starts, size, strict=True), first):
        images = images.narrow(axis, start, length)
    return images


SERIES = 3
"""The axes of a batch of series."""


def _of_one_row(answer: Answer, images: Tensor) -> Tensor:
    return answer(images.squeeze(2)).unsqueeze(2)


def at_least(images: Tensor, side: Shape) -> Tensor:
    """Images of at least this size: what is at their far edges is repeated."""
    for axis, least in enumerate(side, 2):
        have = images.shape[axis]
        if have < least:
            at = torch.arange(least, device=images.device).clamp(max=have - 1)
            images = images.index_select(axis, at)
    return images


def _row(
    answer: Answer,
    images: Tensor,
    top: int,
    across: list[list[int]],
    side: Shape,
    together: int,
) -> Iterator[tuple[list[tuple[int, tuple[int, ...]]], Tensor]]:
    """The outputs of a row of tiles, with the image of each and where it starts along the other
    axes."""
    tiles = [(image, starts) for image in range(len(images)) for starts in product(*across)]
    for first in range(0, len(tiles), together):
        places = tiles[first : first + together]
        pixels = [_part(images[image], (top, *starts), side) for image, starts in places]
        yield places, answer(torch.stack(pixels)).float()


def outputs_of(
    answer: Answer, images: Tensor, tiling: Tiling, together: int = TOGETHER, times: int = 1
) -> Tensor:
    """The outputs for whole images: images x classes x axes."""
    rows = [band.rows for band in bands(answer, images, tiling, together, times)]
    return rows[0] if len(rows) == 1 else torch.cat(rows, 2)


def _window(size: Shape) -> Tensor:
    """The weights of the pixels of a tile: largest in its middle, almost zero at its edges."""
    window = torch.ones(())
    for side in size:
        along = torch.sin((torch.arange(side) + 0.5) * pi / side).square().clamp(min=1e-3)
        window = window.unsqueeze(-1) * along
    return window
