"""Series and scans of a data set as pictures: a curve for each channel, slices side by side; with a
heatmap over them, if there is one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .heat_colors import OPACITY, heat_colors
from .series_picture import curve

_LANES = 6
"""The most channels of a series that are drawn, one below the other."""
_LANE, _TALL = 44, 96
"""The height of a curve, in pixels: of several, and of a single one."""
_SLICES = 4
"""The slices of a scan that are shown."""
_TIMES = 2
"""Curves are drawn so much larger, and reduced: their lines are then smooth."""
_GAP = 3
WARM, COLD = (255, 176, 102), (140, 186, 232)
"""The paper behind a series where a heatmap is hottest; and where it is most negative."""


def series_picture(sample: Tensor, width: int, heat: Tensor | None = None) -> Tensor:
    """A series (channels x length) as curves, uint8, 3 x height x `width`. `heat` (steps, from 0 or
    -1 to 1) colors the paper behind them; of the heat of a spectrogram, its mean over the bands."""
    lanes = sample[:_LANES].float()
    height = _LANE if len(lanes) > 1 else max(_TALL, width // 4)
    pictures = []
    for values in lanes:
        low, high = _ends(values)
        large = curve(values, (low, high), _TIMES * width, _TIMES * height, pen=2 * _TIMES)
        pictures.append(_reduced(large, (height, width)))
        pictures.append(torch.full((3, _GAP, width), 255, dtype=torch.uint8))
    picture = torch.cat(pictures[:-1], 1)
    return picture if heat is None else _colored(picture, heat)


def scan_picture(sample: Tensor, width: int, heat: Tensor | None = None) -> Tensor:
    """Slices of a scan (channels x depth x height x width), evenly spaced and side by side: uint8,
    3 x height x about `width`. With a heatmap (depth x height x width), the slice with most of it,
    beside the same with the heatmap."""
    shades = shades_of(sample)
    depth = sample.shape[1]
    if heat is None:
        count = min(_SLICES, depth)
        slices = [shades[:, (2 * place + 1) * depth // (2 * count)] for place in range(count)]
    else:
        large = F.interpolate(heat[None, None].float(), sample.shape[1:], mode="trilinear")[0, 0]
        at = int(large.flatten(1).sum(1).argmax())
        share = large[at].clamp(0, 1)
        gray = shades[:, at].mean(0, keepdim=True)
        slices = [
            shades[:, at],
            gray * (1 - OPACITY * share) + heat_colors(share) * OPACITY * share,
        ]
    each = max(1, (width - _GAP * (len(slices) - 1)) // len(slices))
    height = max(1, round(each * sample.shape[2] / sample.shape[3]))
    gap = torch.full((3, height, _GAP), 255.0)
    row = [
        piece
        for slice_ in slices
        for piece in (_resized(slice_, (height, each)), gap)
    ]  # fmt: skip
    return torch.cat(row[:-1], 2).round().clamp(0, 255).to(torch.uint8)


def shades_of(scan: Tensor) -> Tensor:
    """A scan (channels x depth x height x width) in shades from 0 to 255, from its least number to
    its largest, in three channels: of one that has neither one nor three, the first."""
    low, high = _ends(scan)
    shades = ((scan.float() - low) / (high - low) * 255).clamp(0, 255)
    return (shades if len(scan) == 3 else shades[:1].expand(3, -1, -1, -1)).nan_to_num(0.0)


def _ends(values: Tensor) -> tuple[float, float]:
    """The least and the largest finite value, which differ."""
    finite = values[values.isfinite()]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _reduced(picture: Tensor, size: tuple[int, int]) -> Tensor:
    return _resized(picture.float(), size).round().clamp(0, 255).to(torch.uint8)


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    smooth = min(picture.shape[-2:]) >= 64 or picture.shape[-1] > size[1]
    if not smooth:
        return F.interpolate(picture[None], size, mode="nearest-exact")[0]
    return F.interpolate(
        picture[None], size, mode="bilinear", align_corners=False, antialias=True
    )[0]  # fmt: skip


def _colored(picture: Tensor, heat: Tensor) -> Tensor:
    """A picture on paper that is warmer where the heat is, and colder where it is below zero."""
    width = picture.shape[-1]
    heat = heat if heat.ndim == 1 else heat.float().mean(0)
    share = F.interpolate(heat[None, None].float(), width, mode="linear")[0, 0].clamp(-1, 1)
    warm, cold = (torch.tensor(color, dtype=torch.float32).view(3, 1, 1) for color in (WARM, COLD))
    paper = 255 + (warm - 255) * share.clamp(min=0) + (cold - 255) * share.clamp(max=0).abs()
    return (picture.float() / 255 * paper).round().to(torch.uint8)
