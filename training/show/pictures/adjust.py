"""Pictures as tensors (uint8, channels x height x width): resized, framed, put in rows, boxed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..input_images import InputImage


def viewed(image: InputImage) -> Tensor:
    """An image as a picture of three channels, at the size of the network's input."""
    return in_color(image.input if image.pixels is None else image.pixels)


def in_color(pixels: Tensor) -> Tensor:
    """Pixels as a picture of three channels. Of two channels the first is shown, of more than
    three the first three; numbers that are not levels of gray are scaled to their range."""
    if pixels.dtype != torch.uint8:
        numbers = pixels.float()
        low, high = numbers.min(), numbers.max()
        pixels = ((numbers - low) / (high - low).clamp(min=1e-12) * 255).round().to(torch.uint8)
    if pixels.shape[0] not in (1, 3):
        pixels = pixels[:3] if pixels.shape[0] > 3 else pixels[:1]
    return pixels.cpu().expand(3, -1, -1)


def enlarged(picture: Tensor, side: int) -> Tensor:
    """A picture whose pixels are repeated, so that its longer side comes close to `side`."""
    times = max(1, round(side / max(picture.shape[-2:])))
    return picture.repeat_interleave(times, -2).repeat_interleave(times, -1)


def fitted(picture: Tensor, side: int) -> Tensor:
    """A picture whose longer side has this size: pixels are repeated or averaged."""
    height, width = picture.shape[-2:]
    scale = side / max(height, width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    given = picture[None].float()
    if scale >= 1:
        resized = F.interpolate(given, size, mode="nearest")
    else:
        resized = F.interpolate(given, size, mode="bilinear", align_corners=False, antialias=True)
    return resized[0].round().clamp(0, 255).to(torch.uint8)


def framed(picture: Tensor, level: int = 150) -> Tensor:
    """A picture with a thin frame."""
    return F.pad(picture, (1, 1, 1, 1), value=level)


def in_rows(pictures: Sequence[Tensor], columns: int, gap: int = 4, level: int = 255) -> Tensor:
    """Pictures of one size in rows, with a gap between them."""
    channels, height, width = pictures[0].shape
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    sheet = torch.full(
        (channels, rows * (height + gap) - gap, columns * (width + gap) - gap),
        level,
        dtype=torch.uint8,
    )
    for place, picture in enumerate(pictures):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet


def boxed(
    picture: Tensor, box: tuple[int, int, int, int], color: tuple[int, int, int], width: int = 2
) -> Tensor:
    """A picture of three channels with a box in it: first row, last row, first and last column."""
    top, bottom, left, right = box
    drawn = picture.clone()
    ink = torch.tensor(color, dtype=torch.uint8).view(3, 1, 1)
    drawn[:, top : bottom + 1, left : min(left + width, right + 1)] = ink
    drawn[:, top : bottom + 1, max(right + 1 - width, left) : right + 1] = ink
    drawn[:, top : min(top + width, bottom + 1), left : right + 1] = ink
    drawn[:, max(bottom + 1 - width, top) : bottom + 1, left : right + 1] = ink
    return drawn
