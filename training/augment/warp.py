"""Warps images: one bilinear interpolation applies all transforms of a pass.

Transforms are followed backwards, from the output of the pass to its input, by multiplying their
matrices. Pixels that leave the image in one transform do not come back in the next: the border of
each transform has the same effect as if the transforms were applied one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from ..runtime.to_device import to_device
from .entries import Entry, column, constant
from .homography import IDENTITY, Matrix, Size, linear, product
from .transforms import Border, Transform

Fill = tuple[float, ...]
"""Levels from 0 to 255: one for all channels, or one for each."""

_PADDING: dict[Border, Literal["zeros", "border", "reflection"]] = {
    "constant": "zeros", "nearest": "border", "reflect": "reflection", "mirror": "border",
    "part": "border", "inside": "border",
}  # fmt: skip
"""Padding modes of `grid_sample`, whose reflection repeats the last pixel."""


class Segment(NamedTuple):
    """A part of the inverse map, up to a border at which coordinates have to be changed."""

    rows: Tensor
    """N x 2K x 3: x and y at the K borders within the segment, and last those at its end."""
    below: Tensor | None
    """N x K x 3: the denominators of x and y; None if all are 1."""
    halves: tuple[float, ...]
    """The distance of each border from the center, in x and y."""
    end: Transform | None
    """The transform beyond whose border coordinates are changed; None at the input, where pixels
    are interpolated."""


class InverseMap:
    """The map from output pixels to input pixels, computed once for a batch."""

    def __init__(
        self,
        transforms: Sequence[Transform],
        like: Tensor,
        out: Size,
        device: torch.device | None = None,
    ) -> None:
        """`like` is a tensor with one entry for each image, on the device of the transforms; `out`
        is the size of the output. `device` is that of the images, if it is another one."""
        device = device or like.device
        y, x = (
            torch.arange(side, device=device, dtype=torch.float32).sub_((side - 1) / 2)
            for side in out
        )
        self.x, self.y = x.view(1, 1, 1, -1), y.view(1, 1, -1, 1)
        """The centers of the output pixels."""
        self.segments: list[Segment] = []
        self.border: Border = "inside"
        """The pixels beyond the border of the input."""
        matrix, projective = IDENTITY, False
        legs: list[Matrix] = []
        halves: list[float] = []

        def stacked(rows: Sequence[Sequence[Entry]]) -> Tensor:
            return to_device(_stacked(rows, like), device)

        def segment(leg: Matrix, end: Transform | None) -> None:
            matrices = [*legs, leg]
            self.segments.append(
                Segment(
                    stacked([matrix[at : at + 3] for matrix in matrices for at in (0, 3)]),
                    stacked([matrix[6:] for matrix in matrices]) if projective else None,
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
            if transform.border not in ("part", "mirror") and all(
                one.bijective for one in transforms[:index]
            ):
                self.border = transform.border  # the interpolation itself handles this border
            elif transform.border == "constant":
                legs.append(matrix)
                halves += [transform.size[1] / 2, transform.size[0] / 2]
            else:  # coordinates are changed here: a new segment starts
                segment(matrix, transform)
                matrix, projective = IDENTITY, False
                legs, halves = [], []
        height, width = transforms[0].size
        segment(product(linear(2 / width, 0.0, 0.0, 2 / height), matrix), None)


def _stacked(rows: Sequence[Sequence[Entry]], like: Tensor) -> Tensor:
    """The rows of matrices as one tensor, N x rows x 3."""
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
    """Warps some images of a batch (float32) by bilinear interpolation. `displacement` (N x 2 x H x
    W: x and y, in pixels) is applied after all transforms."""
    grid, cover = _source_grid(inverse, piece, displacement)
    level = None
    if any(fill) and (inverse.border == "constant" or cover is not None):
        level = constant(fill, images.device).view(1, -1, 1, 1)
        images = images - level
    warped = F.grid_sample(images, grid, "bilinear", _PADDING[inverse.border], align_corners=False)
    if cover is not None:
        warped = warped.mul_(cover)
    return warped if level is None else warped.add_(level)


def warp_masks(
    masks: Tensor, inverse: InverseMap, piece: slice, displacement: Tensor | None = None
) -> Tensor:
    """Warps masks (N x 1 x H x W, class numbers) as `warp` does their images, with the nearest
    pixel; pixels from outside the image have no label."""
    grid, cover = _source_grid(inverse, piece, displacement)
    shifted = masks.to(torch.float32) - UNLABELLED  # beyond the border, `grid_sample` fills in 0
    padding = _PADDING[inverse.border]
    warped = F.grid_sample(shifted, grid, "nearest", padding, align_corners=False)
    if cover is not None:
        warped = torch.where(cover < 0.5, 0.0, warped)
    return (warped + UNLABELLED).to(masks.dtype)


def _source_grid(
    inverse: InverseMap, piece: slice, displacement: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """The source of each output pixel, N x H x W x 2, from -1 to 1 as `grid_sample` takes it; and
    how much of each pixel is image and not fill, N x 1 x H x W (None if no border on the way
    decides that). Half a pixel inside a border, a bilinear interpolation uses image pixels only."""
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
            # All x, then all y: `grid_sample` reads them faster in this layout.
            return places[:, -2:].permute(0, 2, 3, 1), cover
        x, y = _kept_inside(places[:, -2:-1], places[:, -1:], segment.end, piece)
    raise AssertionError("the last segment ends where pixels are interpolated")


def _applied(rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Matrix rows applied to a grid of places, N x rows x H x W; the sum of a row and a column is
    broadcast."""
    a, b, c = rows[..., None, None].unbind(2)
    return a * x + (b * y + c)


def _within(from_middle: Tensor, halves: tuple[float, ...]) -> Tensor:
    """How much of each pixel is within all borders; overwrites `from_middle`."""
    far, farthest = from_middle.abs_(), max(halves)
    if min(halves) < farthest:  # counted from the border that is farthest from the middle
        beyond = tuple(farthest - half for half in halves)
        far.add_(constant(beyond, far.device).view(1, -1, 1, 1))
    return far.amax(1, keepdim=True).neg_().add_(farthest + 0.5).clamp_(0, 1)


def _kept_inside(x: Tensor, y: Tensor, transform: Transform, piece: slice) -> tuple[Tensor, Tensor]:
    """Moves places beyond the border to the place inside that has the same pixel."""
    height, width = transform.size
    if transform.border == "reflect":
        return _reflected(x, width), _reflected(y, height)
    if transform.border == "mirror":
        return mirrored(x, width), mirrored(y, height)
    if transform.part is None:
        far, down = (width - 1) / 2, (height - 1) / 2
        return x.clamp_(-far, far), y.clamp_(-down, down)
    left, top, right, bottom = transform.part[piece].view(-1, 4, 1, 1, 1).unbind(1)
    middle, deep = width / 2, height / 2
    x = torch.minimum(torch.maximum(x, left - middle + 0.5), right - middle - 0.5)
    return x, torch.minimum(torch.maximum(y, top - deep + 0.5), bottom - deep - 0.5)


def _reflected(place: Tensor, side: int) -> Tensor:
    """Reflects places at both borders."""
    folded = (place + side / 2).abs() % (2 * side)
    return side / 2 - (folded - side).abs()


def mirrored(place: Tensor, side: int) -> Tensor:
    """Reflects places at the centers of the first and the last pixel, which are not repeated."""
    if side == 1:
        return torch.zeros_like(place)
    last = side - 1
    folded = (place + last / 2).abs() % (2 * last)
    return last / 2 - (folded - last).abs()
