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

from .entries import Entry, column, constant
from .homography import IDENTITY, Matrix, Size, linear, product
from .transforms import Rule, Turn

Fill = tuple[float, ...]
"""Levels from 0 to 255, one or one for each channel."""

_PADDING: dict[Rule, Literal["zeros", "border", "reflection"]] = {
    "constant": "zeros", "nearest": "border", "reflect": "reflection", "part": "border",
    "free": "border",
}  # fmt: skip
"""In the words of `grid_sample`, whose reflection has the last pixel twice."""


class Stretch(NamedTuple):
    """A part of the way back, to where places have to be changed."""

    rows: Tensor
    """N x 2K x 3: x and y of K borders that count on the way, and at last those of its end."""
    below: Tensor | None
    """N x K x 3: what they are divided by, where that is not 1."""
    halves: tuple[float, ...]
    """How far borders are from the middle, x and y of each."""
    end: Turn | None
    """Beyond whose border places are changed; None where pixels are looked at."""


class Way:
    """From the pixels that are made to those that arrive; worked out once for a batch."""

    def __init__(self, turns: Sequence[Turn], like: Tensor, out: Size) -> None:
        """`like`: anything of which there is one for each image. `out`: what is made."""
        y, x = (
            torch.arange(side, device=like.device, dtype=torch.float32).sub_((side - 1) / 2)
            for side in out
        )
        self.x, self.y = x.view(1, 1, 1, -1), y.view(1, 1, -1, 1)
        """Of what is made, the middles of pixels."""
        self.stretches: list[Stretch] = []
        self.border: Rule = "free"
        """What is beyond what arrives."""
        matrix, projective = IDENTITY, False
        legs: list[Matrix] = []
        halves: list[float] = []

        def stretch(leg: Matrix, end: Turn | None) -> None:
            matrices = [*legs, leg]
            self.stretches.append(
                Stretch(
                    _stacked([matrix[at : at + 3] for matrix in matrices for at in (0, 3)], like),
                    _stacked([matrix[6:] for matrix in matrices], like) if projective else None,
                    tuple(halves),
                    end,
                )
            )

        for index in reversed(range(len(turns))):
            turn = turns[index]
            matrix = product(turn.back, matrix)
            projective |= turn.projective
            if turn.rule == "free":
                continue
            if turn.rule != "part" and all(one.bijective for one in turns[:index]):
                self.border = turn.rule  # the resampling sees to it
            elif turn.rule == "constant":
                legs.append(matrix)
                halves += [turn.size[1] / 2, turn.size[0] / 2]
            else:  # places are changed: on from there
                stretch(matrix, turn)
                matrix, projective = IDENTITY, False
                legs, halves = [], []
        height, width = turns[0].size
        stretch(product(linear(2 / width, 0.0, 0.0, 2 / height), matrix), None)


def _stacked(rows: Sequence[Sequence[Entry]], like: Tensor) -> Tensor:
    """N x rows x 3."""
    entries = [entry for row in rows for entry in row]
    same = {entry: column(entry, like) for entry in entries if not isinstance(entry, Tensor)}
    stacked = torch.stack([e if isinstance(e, Tensor) else same[e] for e in entries])
    return stacked.view(len(rows), 3, -1).permute(2, 0, 1)


def warp(
    images: Tensor,
    way: Way,
    piece: slice,
    fill: Fill = (0.0,),
    displacement: Tensor | None = None,
) -> Tensor:
    """Some images of a batch, float32, bilinear. `displacement` (N x 2 x H x W: x and y, in pixels)
    comes behind all turns."""
    grid, cover = _followed(way, piece, displacement)
    level = None
    if any(fill) and (way.border == "constant" or cover is not None):
        level = constant(fill, images.device).view(1, -1, 1, 1)
        images = images - level
    found = F.grid_sample(images, grid, "bilinear", _PADDING[way.border], align_corners=False)
    if cover is not None:
        found = found.mul_(cover)
    return found if level is None else found.add_(level)


def _followed(way: Way, piece: slice, displacement: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Where each pixel of what is made comes from, N x H x W x 2, as `grid_sample` takes it: from
    -1 to 1. And how much of it is image and not fill, N x 1 x H x W, where borders on the way
    decide that: half a pixel within, a bilinear look finds nothing but image."""
    x, y = way.x, way.y
    if displacement is not None:
        x, y = x + displacement[:, :1], y + displacement[:, 1:]
    cover: Tensor | None = None
    for stretch in way.stretches:
        places = _led(stretch.rows[piece], x, y)
        if stretch.below is not None:
            below = _led(stretch.below[piece], x, y)
            pairs = places.view(len(places), -1, 2, *places.shape[2:])
            places = (pairs / below.unsqueeze(2)).flatten(1, 2)
        if stretch.halves:
            here = _within(places[:, :-2], stretch.halves)
            cover = here if cover is None else torch.minimum(cover, here)
        if stretch.end is None:
            # All x, then all y: `grid_sample` is quicker to read them so.
            return places[:, -2:].permute(0, 2, 3, 1), cover
        x, y = _kept_within(places[:, -2:-1], places[:, -1:], stretch.end, piece)
    raise AssertionError("the last stretch ends where pixels are looked at")


def _led(rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """N x rows x H x W; of places in a grid, two short rows are added up."""
    a, b, c = rows[..., None, None].unbind(2)
    return a * x + (b * y + c)


def _within(from_middle: Tensor, halves: tuple[float, ...]) -> Tensor:
    """How much of a pixel is within all borders; the places are used up."""
    far, farthest = from_middle.abs_(), max(halves)
    if min(halves) < farthest:  # counted from the border that is farthest from the middle
        beyond = tuple(farthest - half for half in halves)
        far.add_(constant(beyond, far.device).view(1, -1, 1, 1))
    return far.amax(1, keepdim=True).neg_().add_(farthest + 0.5).clamp_(0, 1)


def _kept_within(x: Tensor, y: Tensor, turn: Turn, piece: slice) -> tuple[Tensor, Tensor]:
    """Places beyond the border brought back to where the same is to be seen."""
    height, width = turn.size
    if turn.rule == "reflect":
        return _mirrored(x, width), _mirrored(y, height)
    if turn.part is None:
        far, down = (width - 1) / 2, (height - 1) / 2
        return x.clamp_(-far, far), y.clamp_(-down, down)
    left, top, right, bottom = turn.part[piece].view(-1, 4, 1, 1, 1).unbind(1)
    middle, deep = width / 2, height / 2
    x = torch.minimum(torch.maximum(x, left - middle + 0.5), right - middle - 0.5)
    return x, torch.minimum(torch.maximum(y, top - deep + 0.5), bottom - deep - 0.5)


def _mirrored(place: Tensor, side: int) -> Tensor:
    """Back and forth between the borders."""
    folded = (place + side / 2).abs() % (2 * side)
    return side / 2 - (folded - side).abs()
