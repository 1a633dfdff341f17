"""One look at an image for all that moves its pixels: where each comes from, and what is beyond.

Steps are undone one after the other, from what they make back to what arrives: as matrices, which
are multiplied, as long as nothing is beyond a border. What has left the image in between does not
come back: the border of each step counts, as if it had been done by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from .homography import Size
from .turns import Rule, Turn

Fill = tuple[float, ...]
"""Levels from 0 to 255, one or one for each channel."""

_PADDING: dict[Rule, Literal["zeros", "border", "reflection"]] = {
    "constant": "zeros", "nearest": "border", "reflect": "reflection", "part": "border",
    "free": "border",
}  # fmt: skip
"""In the words of `grid_sample`, whose reflection has the last pixel twice."""


def warp(
    images: Tensor,
    turns: Sequence[Turn],
    out: Size,
    fill: Fill = (0.0,),
    displacement: Tensor | None = None,
) -> Tensor:
    """float32 images to float32 images of size `out`, bilinear. `displacement` (N x 2 x H x W:
    x and y, in pixels) comes behind all turns."""
    places = Places(len(images), out, images.device, displacement)
    border = places.follow(turns)
    grid = places.grid(images.shape[-2:])
    cover = places.cover()
    level = _level(fill, images) if border == "constant" or cover is not None else None
    if level is not None:
        images = images - level
    found = F.grid_sample(images, grid, "bilinear", _PADDING[border], align_corners=False)
    if cover is not None:
        found = found.mul_(cover.unsqueeze(1))
    return found if level is None else found.add_(level)


def _level(fill: Fill, images: Tensor) -> Tensor | None:
    """None for black."""
    return images.new_tensor(fill).view(1, -1, 1, 1) if any(fill) else None


class Places:
    """Where each pixel of what is made comes from, followed back step by step."""

    def __init__(
        self, count: int, out: Size, device: torch.device, displacement: Tensor | None
    ) -> None:
        height, width = out
        self._x = torch.arange(width, device=device, dtype=torch.float32).add_(0.5).view(1, 1, -1)
        self._y = torch.arange(height, device=device, dtype=torch.float32).add_(0.5).view(1, -1, 1)
        self._matrix: Tensor | None = None
        self._projective = False
        self._count = count
        self._out = out
        self._depth: Tensor | None = None
        """Of the borders in between, how far a pixel is behind the nearest one."""
        if displacement is not None:
            self._x, self._y = self._x + displacement[:, 0], self._y + displacement[:, 1]

    def follow(self, turns: Sequence[Turn]) -> Rule:
        """Back through all steps; returns what is beyond the border of what arrives."""
        border: Rule = "free"
        for index in reversed(range(len(turns))):
            turn = turns[index]
            self._back(turn)
            if turn.rule == "free":
                continue
            if turn.rule != "part" and all(one.bijective for one in turns[:index]):
                border = turn.rule  # the resampling sees to it
            else:
                self._bound(turn)
        return border

    def _back(self, turn: Turn) -> None:
        self._matrix = turn.back if self._matrix is None else turn.back @ self._matrix
        self._projective |= turn.projective

    def _bound(self, turn: Turn) -> None:
        height, width = turn.size
        if turn.rule == "constant":
            # At half a pixel within the border, a bilinear look finds nothing but image.
            for place, side in zip(self._xy(-width / 2, -height / 2), (width, height), strict=True):
                depth = place.abs_().neg_().add_(side / 2 + 0.5)
                if self._depth is None:
                    self._depth = depth
                else:
                    torch.minimum(self._depth, depth, out=self._depth)
            return
        x, y = self._xy()
        if turn.rule == "part":
            assert turn.part is not None
            left, top, right, bottom = turn.part.view(-1, 4, 1, 1).unbind(1)
            x = torch.minimum(torch.maximum(x, left + 0.5), right - 0.5)
            y = torch.minimum(torch.maximum(y, top + 0.5), bottom - 0.5)
        elif turn.rule == "nearest":
            x, y = x.clamp_(0.5, width - 0.5), y.clamp_(0.5, height - 0.5)
        else:
            x, y = _mirrored(x, width), _mirrored(y, height)
        self._x, self._y, self._matrix, self._projective = x, y, None, False

    def _xy(self, right: float = 0.0, down: float = 0.0) -> tuple[Tensor, Tensor]:
        """Where pixels come from, and so far beside it; each N x H x W."""
        if self._matrix is None:
            shape = (self._count, *self._out)
            x, y = self._x.expand(shape) + right, self._y.expand(shape) + down
            return x, y
        m = self._matrix.view(-1, 9, 1, 1)
        # Of places in a grid, two short rows are added up; of others, two whole ones.
        x = m[:, 0] * self._x + (m[:, 1] * self._y + m[:, 2])
        y = m[:, 3] * self._x + (m[:, 4] * self._y + m[:, 5])
        if self._projective:
            below = m[:, 6] * self._x + (m[:, 7] * self._y + m[:, 8])
            x, y = x.div_(below), y.div_(below)
        return (x.add_(right), y.add_(down)) if right or down else (x, y)

    def grid(self, size: Size) -> Tensor:
        """N x H x W x 2, as `grid_sample` takes it: from -1 to 1."""
        height, width = size
        x, y = self._xy()
        grid = x.new_empty(*x.shape, 2)
        torch.mul(x, 2 / width, out=grid[..., 0])
        torch.mul(y, 2 / height, out=grid[..., 1])
        return grid.sub_(1)

    def cover(self) -> Tensor | None:
        """How much of a pixel is image and not fill, where a step in between decides that."""
        return None if self._depth is None else self._depth.clamp_(0, 1)


def _mirrored(place: Tensor, side: int) -> Tensor:
    """Back and forth between the borders."""
    folded = place.abs() % (2 * side)
    return side - (folded - side).abs()
