"""One look at an image for all that moves its pixels: where each comes from, and what is beyond.

Steps are undone one after the other, from what they make back to what arrives: as matrices, which
are multiplied, as long as nothing is beyond a border. What has left the image in between does not
come back: the border of each step counts, as if it had been done by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

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


class Leg(NamedTuple):
    """A part of the way back, to where something is to be done about it."""

    matrix: Tensor
    """N or 1 x 9 x 1 x 1."""
    projective: bool


class Way:
    """From the pixels that are made to those that arrive; worked out once for a batch."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.legs: list[tuple[Leg, Turn]] = []
        """To borders that count; of a constant one, places are from the middle of the image."""
        self.border: Rule = "free"
        """What is beyond what arrives."""
        matrix: Tensor | None = None
        projective = False
        for index in reversed(range(len(turns))):
            turn = turns[index]
            matrix = turn.back if matrix is None else turn.back @ matrix
            projective |= turn.projective
            if turn.rule == "free":
                continue
            if turn.rule != "part" and all(one.bijective for one in turns[:index]):
                self.border = turn.rule  # the resampling sees to it
            elif turn.rule == "constant":
                middle = _middle(turn.size, matrix.device) @ matrix
                self.legs.append((_leg(middle, projective), turn))
            else:  # places are changed: on from there
                self.legs.append((_leg(matrix, projective), turn))
                matrix, projective = torch.eye(3, device=matrix.device).unsqueeze(0), False
        assert matrix is not None
        self.last = _leg(_to_grid(turns[0].size, matrix.device) @ matrix, projective)
        """Places as `grid_sample` takes them."""


def _leg(matrix: Tensor, projective: bool) -> Leg:
    return Leg(matrix.view(-1, 9, 1, 1), projective)


def _middle(size: Size, device: torch.device) -> Tensor:
    """The middle of an image is at 0."""
    height, width = size
    return torch.tensor([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]], device=device)


def _to_grid(size: Size, device: torch.device) -> Tensor:
    """From -1 to 1."""
    height, width = size
    return torch.tensor([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]], device=device)


def warp(
    images: Tensor,
    way: Way,
    piece: slice,
    out: Size,
    fill: Fill = (0.0,),
    displacement: Tensor | None = None,
) -> Tensor:
    """Some images of a batch, float32, to images of size `out`, bilinear. `displacement` (N x 2 x
    H x W: x and y, in pixels) comes behind all turns."""
    places = _Places(len(images), out, images.device, displacement)
    grid = places.follow(way, piece)
    cover = places.cover()
    level = None
    if any(fill) and (way.border == "constant" or cover is not None):
        level = images.new_tensor(fill).view(1, -1, 1, 1)
        images = images - level
    found = F.grid_sample(images, grid, "bilinear", _PADDING[way.border], align_corners=False)
    if cover is not None:
        found = found.mul_(cover.unsqueeze(1))
    return found if level is None else found.add_(level)


class _Places:
    """Where each pixel of what is made comes from."""

    def __init__(
        self, count: int, out: Size, device: torch.device, displacement: Tensor | None
    ) -> None:
        height, width = out
        self._shape = (count, height, width)
        self._x = torch.arange(width, device=device, dtype=torch.float32).add_(0.5).view(1, 1, -1)
        self._y = torch.arange(height, device=device, dtype=torch.float32).add_(0.5).view(1, -1, 1)
        self._far: Tensor | None = None
        """Of the borders in between, how far a pixel is beyond the one that is farthest within,
        counted from …"""
        self._from = 0.0
        if displacement is not None:
            self._x, self._y = self._x + displacement[:, 0], self._y + displacement[:, 1]

    def follow(self, way: Way, piece: slice) -> Tensor:
        """All the way back; N x H x W x 2, from -1 to 1."""
        for leg, turn in way.legs:
            x, y = self._led(leg, piece)
            if turn.rule == "constant":
                self._beyond(x, turn.size[1])
                self._beyond(y, turn.size[0])
            else:
                self._x, self._y = _kept_within(x, y, turn, piece)
        count, height, width = self._shape
        # All x, then all y: `grid_sample` is quicker to read them so.
        grid = torch.empty(count, 2, height, width, device=self._x.device)
        self._led(way.last, piece, (grid[:, 0], grid[:, 1]))
        return grid.permute(0, 2, 3, 1)

    def _led(
        self, leg: Leg, piece: slice, out: tuple[Tensor, Tensor] | tuple[None, None] = (None, None)
    ) -> tuple[Tensor, Tensor]:
        m = leg.matrix if len(leg.matrix) == 1 else leg.matrix[piece]
        # Of places in a grid, two short rows are added up; of others, two whole ones.
        x = torch.add(m[:, 0] * self._x, m[:, 1] * self._y + m[:, 2], out=out[0])
        y = torch.add(m[:, 3] * self._x, m[:, 4] * self._y + m[:, 5], out=out[1])
        if leg.projective:
            below = m[:, 6] * self._x + (m[:, 7] * self._y + m[:, 8])
            return x.div_(below), y.div_(below)
        return x, y

    def _beyond(self, from_middle: Tensor, side: int) -> None:
        far = from_middle.abs_()
        if self._far is None:
            self._far, self._from = far, side / 2
            return
        if side / 2 != self._from:
            far.sub_(side / 2 - self._from)
        torch.maximum(self._far, far, out=self._far)

    def cover(self) -> Tensor | None:
        """How much of a pixel is image and not fill, where a step in between decides that: half a
        pixel within the border, a bilinear look finds nothing but image."""
        return None if self._far is None else self._far.neg_().add_(self._from + 0.5).clamp_(0, 1)


def _kept_within(x: Tensor, y: Tensor, turn: Turn, piece: slice) -> tuple[Tensor, Tensor]:
    """Places beyond the border brought back to where the same is to be seen."""
    height, width = turn.size
    if turn.rule == "reflect":
        return _mirrored(x, width), _mirrored(y, height)
    if turn.part is None:
        return x.clamp_(0.5, width - 0.5), y.clamp_(0.5, height - 0.5)
    left, top, right, bottom = turn.part[piece].view(-1, 4, 1, 1).unbind(1)
    x = torch.minimum(torch.maximum(x, left + 0.5), right - 0.5)
    return x, torch.minimum(torch.maximum(y, top + 0.5), bottom - 0.5)


def _mirrored(place: Tensor, side: int) -> Tensor:
    """Back and forth between the borders."""
    folded = place.abs() % (2 * side)
    return side - (folded - side).abs()
