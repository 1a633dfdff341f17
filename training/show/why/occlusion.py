"""Occlusion: how much the score of a class falls if a part of the image is hidden (Zeiler and
Fergus, arXiv:1311.2901).

A patch of one color moves over the image. The value of a pixel is the mean fall of the score over
all patches that cover it. One pass over the image serves all classes, since a network computes
their scores together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...data.loader.thread_pool import Progress, unwatched

_PARTS = 7
"""A patch is about a seventh of the image; it moves by half of its size."""


def patch_size(side: int) -> tuple[int, int]:
    """The size of the patch along an axis, and the step by which it moves."""
    size = max(1, round(side / _PARTS))
    return size, max(1, size // 2)


def positions(side: int, size: int, step: int) -> list[int]:
    """The first rows of all patches; the last patch ends where the image ends."""
    starts = list(range(0, side - size + 1, step))
    return starts if starts[-1] == side - size else [*starts, side - size]


def occlusion(
    score: Callable[[Tensor], Tensor],
    image: Tensor,
    fill: Tensor,
    classes: Sequence[int],
    size: tuple[int, int],
    step: tuple[int, int],
    *,
    batch: int = 16,
    progress: Progress = unwatched,
) -> Tensor:
    """classes x height x width. `image` is channels x height x width; `fill` is the color that
    hides it, one number for each channel; `score` gives images x classes."""
    _, height, width = image.shape
    places = [
        (top, left)
        for top in positions(height, size[0], step[0])
        for left in positions(width, size[1], step[1])
    ]
    index = list(classes)
    total = torch.zeros(len(index), height, width)
    covered = torch.zeros(height, width)
    with torch.no_grad():
        whole = score(image[None])[0, index].cpu()
        for start in range(0, len(places), batch):
            progress("occlusion", start, len(places))
            some = places[start : start + batch]
            hidden = image.repeat(len(some), 1, 1, 1)
            for each, (top, left) in zip(hidden, some, strict=True):
                each[:, top : top + size[0], left : left + size[1]] = fill.view(-1, 1, 1)
            for fall, (top, left) in zip(whole - score(hidden)[:, index].cpu(), some, strict=True):
                total[:, top : top + size[0], left : left + size[1]] += fall.view(-1, 1, 1)
                covered[top : top + size[0], left : left + size[1]] += 1
    progress("occlusion", len(places), len(places))
    return total / covered
