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
    x, y = places.xy()
    height, width = images.shape[-2:]
    grid = torch.stack([x * (2 / width) - 1, y * (2 / height) - 1], -1)
    level = _level(fill, images) if border == "constant" or places.cover is not None else None
    if level is not None:
        images = images - level
    found = F.grid_sample(
        images, grid.expand(len(images), *out, 2), "bilinear", _PADDING[border], align_corners=False
    )
    if places.cover is not None:
        found = found * places.cover.unsqueeze(1)
    return found if level is None else found + level


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
        self.cover: Tensor | None = None
        """How much of a pixel is image and not fill, where a step in between decides that."""
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
        x, y = self.xy()
        if turn.rule == "constant":
            inside = torch.minimum(_depth(x, width), _depth(y, height)).clamp_(0, 1)
            self.cover = inside if self.cover is None else self.cover * inside
            return
        if turn.rule == "part":
            assert turn.part is not None
            left, top, right, bottom = turn.part.view(-1, 4, 1, 1).unbind(1)
            x = torch.minimum(torch.maximum(x, left + 0.5), right - 0.5)
            y = torch.minimum(torch.maximum(y, top + 0.5), bottom - 0.5)
        elif turn.rule == "nearest":
            x, y = x.clamp(0.5, width - 0.5), y.clamp(0.5, height - 0.5)
        else:
            x, y = _mirrored(x, width), _mirrored(y, height)
        self._x, self._y, self._matrix, self._projective = x, y, None, False

    def xy(self) -> tuple[Tensor, Tensor]:
        """Each N or 1 x height or 1 x width or 1."""
        if self._matrix is None:
            return self._x, self._y
        m = self._matrix.view(-1, 9, 1, 1)
        x = m[:, 0] * self._x + (m[:, 1] * self._y + m[:, 2])
        y = m[:, 3] * self._x + (m[:, 4] * self._y + m[:, 5])
        if not self._projective:
            return x, y
        below = m[:, 6] * self._x + (m[:, 7] * self._y + m[:, 8])
        return x / below, y / below


def _depth(place: Tensor, side: int) -> Tensor:
    """How far within the image, 1 for half a pixel and more: what a bilinear look finds there."""
    return (side / 2 + 0.5) - (place - side / 2).abs()


def _mirrored(place: Tensor, side: int) -> Tensor:
    """Back and forth between the borders."""
    folded = place.abs() % (2 * side)
    return side - (folded - side).abs()
