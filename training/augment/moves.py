"""Flips and cuts alone: pixels are taken over as they are, and each axis is by itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .homography import Size
from .turns import Turn
from .warp import Fill


def move(images: Tensor, turns: Sequence[Turn], out: Size, fill: Fill = (0.0,)) -> Tensor:
    """Images of any type to images of the same type and of size `out`."""
    rows, row_is_image = _followed(turns, out[0], axis=1)
    columns, column_is_image = _followed(turns, out[1], axis=0)
    width = images.shape[-1]
    flat = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1)
    found = images.flatten(2).gather(2, flat.unsqueeze(1).expand(-1, images.shape[1], -1))
    found = found.view(*images.shape[:2], *out)
    if row_is_image is None or column_is_image is None:
        return found
    inside = row_is_image.unsqueeze(2) & column_is_image.unsqueeze(1)
    level = torch.tensor(fill, device=images.device).to(images.dtype).view(1, -1, 1, 1)
    return torch.where(inside.unsqueeze(1), found, level)


def _followed(turns: Sequence[Turn], length: int, axis: int) -> tuple[Tensor, Tensor | None]:
    """Of each image, from which row or column each one comes, and whether it is one at all."""
    at = torch.arange(length, device=turns[0].back.device, dtype=torch.float32).add_(0.5)
    at = at.expand(len(turns[0].back), -1)
    inside: Tensor | None = None
    for turn in reversed(turns):
        factor, offset = turn.back[:, axis, axis], turn.back[:, axis, 2]
        at = at * factor.unsqueeze(1) + offset.unsqueeze(1)
        side = turn.size[1 - axis]
        if turn.rule == "constant":
            here = (at > 0) & (at < side)
            inside = here if inside is None else inside & here
        elif turn.rule == "reflect":
            folded = at.abs() % (2 * side)
            at = side - (folded - side).abs()
        if turn.rule != "free":
            at = at.clamp(0.5, side - 0.5)
    return (at - 0.5).round_().long(), inside
