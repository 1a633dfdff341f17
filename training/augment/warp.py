"""One interpolation for all transforms of a pass: where each output pixel comes from.

Transforms are followed backwards, from the output to the input of the pass: as matrices, which are
multiplied, as long as nothing is beyond a border. What has left the image in between does not come
back: the border of each transform counts, as if it had been done by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .entries import Entry, column, constant
from .homography import IDENTITY, Matrix, Size, linear, product
from .transforms import Border, Transform

Fill = tuple[float, ...]
"""Levels from 0 to 255, one or one for each channel."""

_PADDING: dict[Border, Literal["zeros", "border", "reflection"]] = {
    "constant": "zeros", "nearest": "border", "reflect": "reflection", "part": "border",
    "inside": "border",
}  # fmt: skip
"""In the words of `grid_sample`, whose reflection has the last pixel twice."""


class Segment(NamedTuple):
    """A part of the way back, up to where coordinates have to be changed."""

    rows: Tensor
    """N x 2K x 3: x and y at K borders that count on the way, and at last those at its end."""
    below: Tensor | None
    """N x K x 3: what they are divided by, where that is not 1."""
    halves: tuple[float, ...]
    """How far borders are from the middle, x and y of each."""
    end: Transform | None
    """Beyond whose border coordinates are changed; None where pixels are interpolated."""


class InverseMap:
    """From the pixels of the output to those of the input; worked out once for a batch."""

    def __init__(self, transforms: Sequence[Transform], like: Tensor, out: Size) -> None:
        """`like`: anything of which there is one for each image. `out`: size of the output."""
        y, x = (
            torch.arange(side, device=like.device, dtype=torch.float32).sub_((side - 1) / 2)
            for side in out
        )
        self.x, self.y = x.view(1, 1, 1, -1), y.view(1, 1, -1, 1)
        """Of the output, the centres of pixels."""
        self.segments: list[Segment] = []
        self.border: Border = "inside"
        """What is beyond the input."""
        matrix, projective = IDENTITY, False
        legs: list[Matrix] = []
        halves: list[float] = []

        def segment(leg: Matrix, end: Transform | None) -> None:
            matrices = [*legs, leg]
            self.segments.append(
                Segment(
                    _stacked([matrix[at : at + 3] for matrix in matrices for at in (0, 3)], like),
                    _stacked([matrix[6:] for matrix in matrices], like) if projective else None,
                    tuple(halves),
                    end,
                )
            )

        for index in reversed(range(len(transforms))):
            transform = transforms[index]
            matrix = product(transform.back, matrix)
            projective |= transform.projective
            if transform.border == "inside":
                continue
            if transform.border != "part" and all(one.bijective for one in transforms[:index]):
                self.border = transform.border  # the interpolation sees to it
            elif transform.border == "constant":
                legs.append(matrix)
                halves += [transform.size[1] / 2, transform.size[0] / 2]
            else:  # coordinates are changed: on from there
                segment(matrix, transform)
                matrix, projective = IDENTITY, False
                legs, halves = [], []
        height, width = transforms[0].size
        segment(product(linear(2 / width, 0.0, 0.0, 2 / height), matrix), None)


def _stacked(rows: Sequence[Sequence[Entry]], like: Tensor) -> Tensor:
    """N x rows x 3."""
    entries = [entry for row in rows for entry in row]
    same = {entry: column(entry, like) for entry in entries if not isinstance(entry, Tensor)}
    stacked = torch.stack([e if isinstance(e, Tensor) else same[e] for e in entries])
    return stacked.view(len(rows), 3, -1).permute(2, 0, 1)


def warp(
    images: Tensor,
    inverse: InverseMap,
    piece: slice,
    fill: Fill = (0.0,),
    displacement: Tensor | None = None,
) -> Tensor:
    """Some images of a batch, float32, bilinear. `displacement` (N x 2 x H x W: x and y, in pixels)
    comes behind all transforms."""
    grid, cover = _source_grid(inverse, piece, displacement)
    level = None
    if any(fill) and (inverse.border == "constant" or cover is not None):
        level = constant(fill, images.device).view(1, -1, 1, 1)
        images = images - level
    found = F.grid_sample(images, grid, "bilinear", _PADDING[inverse.border], align_corners=False)
    if cover is not None:
        found = found.mul_(cover)
    return found if level is None else found.add_(level)


def _source_grid(
    inverse: InverseMap, piece: slice, displacement: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Where each pixel of the output comes from, N x H x W x 2, as `grid_sample` takes it: from -1
    to 1. And how much of it is image and not fill, N x 1 x H x W, where borders on the way decide
    that: half a pixel within, a bilinear interpolation meets nothing but image."""
    x, y = inverse.x, inverse.y
    if displacement is not None:
        x, y = x + displacement[:, :1], y + displacement[:, 1:]
    cover: Tensor | None = None
    for segment in inverse.segments:
        places = _applied(segment.rows[piece], x, y)
        if segment.below is not None:
            below = _applied(segment.below[piece], x, y)
            pairs = places.view(len(places), -1, 2, *places.shape[2:])
            places = (pairs / below.unsqueeze(2)).flatten(1, 2)
        if segment.halves:
            here = _within(places[:, :-2], segment.halves)
            cover = here if cover is None else torch.minimum(cover, here)
        if segment.end is None:
            # All x, then all y: `grid_sample` is quicker to read them so.
            return places[:, -2:].permute(0, 2, 3, 1), cover
        x, y = _kept_inside(places[:, -2:-1], places[:, -1:], segment.end, piece)
    raise AssertionError("the last segment ends where pixels are interpolated")


def _applied(rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
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


def _kept_inside(x: Tensor, y: Tensor, transform: Transform, piece: slice) -> tuple[Tensor, Tensor]:
    """Places beyond the border brought back to where the same pixel is."""
    height, width = transform.size
    if transform.border == "reflect":
        return _mirrored(x, width), _mirrored(y, height)
    if transform.part is None:
        far, down = (width - 1) / 2, (height - 1) / 2
        return x.clamp_(-far, far), y.clamp_(-down, down)
    left, top, right, bottom = transform.part[piece].view(-1, 4, 1, 1, 1).unbind(1)
    middle, deep = width / 2, height / 2
    x = torch.minimum(torch.maximum(x, left - middle + 0.5), right - middle - 0.5)
    return x, torch.minimum(torch.maximum(y, top - deep + 0.5), bottom - deep - 0.5)


def _mirrored(place: Tensor, side: int) -> Tensor:
    """Back and forth between the borders."""
    folded = (place + side / 2).abs() % (2 * side)
    return side / 2 - (folded - side).abs()
