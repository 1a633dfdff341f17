"""Passes that only flip and crop: pixels are copied without interpolation, axis by axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from .entries import column, constant
from .homography import Size
from .transforms import Transform
from .warp import Fill, mirrored


class FlipAndCrop:
    """The source row and the source column of each output row and column, for a batch."""

    def __init__(
        self, transforms: Sequence[Transform], like: Tensor, out: Size, fill: Fill
    ) -> None:
        self._out = out
        self._fill = fill
        self._rows, self._in_rows = _source(transforms, like, out[0], axis=1)
        self._columns, self._in_columns = _source(transforms, like, out[1], axis=0)

    def __call__(self, images: Tensor, piece: slice) -> Tensor:
        """Flips and crops images of any type, which they keep."""
        return self._copied(images, piece, self._fill)

    def masks(self, masks: Tensor, piece: slice) -> Tensor:
        """The same for the masks of the images; what comes from outside them has no label."""
        return self._copied(masks, piece, (UNLABELLED,))

    def answers(self, images: Tensor, piece: slice) -> Tensor:
        """The same for images that are answered beside other things, with black around them."""
        return self._copied(images, piece, (0.0,))

    def _copied(self, images: Tensor, piece: slice, fill: Fill) -> Tensor:
        rows, columns = self._rows[piece], self._columns[piece]
        flat = (rows.unsqueeze(2) * images.shape[-1] + columns.unsqueeze(1)).flatten(1)
        pixels = images.flatten(2).gather(2, flat.unsqueeze(1).expand(-1, images.shape[1], -1))
        pixels = pixels.view(*images.shape[:2], *self._out)
        if self._in_rows is None or self._in_columns is None:
            return pixels
        inside = self._in_rows[piece].unsqueeze(2) & self._in_columns[piece].unsqueeze(1)
        level = constant(fill, images.device).to(images.dtype).view(1, -1, 1, 1)
        return torch.where(inside.unsqueeze(1), pixels, level)


def _source(
    transforms: Sequence[Transform], like: Tensor, length: int, axis: int
) -> tuple[Tensor, Tensor | None]:
    """For each image, the source of each output row (or column), and whether that is inside the
    image."""
    at = torch.arange(length, device=like.device, dtype=torch.float32) - (length - 1) / 2
    at = at.expand(len(like), -1)
    inside: Tensor | None = None
    half = length / 2
    for transform in reversed(transforms):
        factor, offset = transform.back[4 * axis], transform.back[3 * axis + 2]
        at = at * column(factor, like).unsqueeze(1) + column(offset, like).unsqueeze(1)
        side = transform.size[1 - axis]
        half = side / 2
        if transform.border == "constant":
            here = (at > -half) & (at < half)
            inside = here if inside is None else inside & here
        elif transform.border == "reflect":
            folded = (at + half).abs() % (2 * side)
            at = half - (folded - side).abs()
        elif transform.border == "mirror":
            at = mirrored(at, side)
        if transform.border != "inside":
            at = at.clamp(0.5 - half, half - 0.5)
    return (at + (half - 0.5)).round_().long(), inside
