"""Pictures of the masks of series and scans: a series over colored tracks, slices of a scan."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.data import UNLABELLED
from ..show.pictures.sample_picture import series_picture, shades_of
from .class_colors import class_colors, is_background
from .mask_overlay import UNKNOWN, WRONG, mask_overlay

_TRACK, _GAP = 14, 3
"""The height of a track, and of the space above it, in pixels."""
_PAPER = 255


def series_with_tracks(
    series: Tensor, masks: Sequence[Tensor], classes: Sequence[str], width: int
) -> Tensor:
    """A series (channels x length) as curves, and below them each mask (a class for each step) as a
    track in the colors of the classes: uint8, 3 x height x `width`. Steps without a label are
    striped. A mask of booleans shows which steps are wrong."""
    picture = series_picture(series, width)
    rows = [picture]
    for mask in masks:
        rows.append(torch.full((3, _GAP, width), _PAPER, dtype=torch.uint8))
        rows.append(track(mask, classes, width))
    return torch.cat(rows, 1)


def track(mask: Tensor, classes: Sequence[str], width: int) -> Tensor:
    """A mask of steps in the colors of its classes: uint8, 3 x height x `width`."""
    if mask.dtype == torch.bool:
        colors = torch.tensor([(235, 237, 240), WRONG], dtype=torch.uint8)
        return _in_columns(mask.long(), colors, width)
    colors = torch.cat([class_colors(classes), torch.tensor([UNKNOWN], dtype=torch.uint8)])
    known = mask.long().clamp(max=len(classes))
    track = _in_columns(known, colors, width)
    unknown = _in_columns((mask == UNLABELLED).long(), torch.eye(3, dtype=torch.uint8), width)
    rows, columns = torch.arange(_TRACK), torch.arange(width)
    light = ((rows[:, None] + columns) % 6 < 3) & (unknown[1] > 0)
    return torch.where(light, torch.tensor(_PAPER, dtype=torch.uint8), track)


def _in_columns(numbers: Tensor, colors: Tensor, width: int) -> Tensor:
    """The color of each step at its place: steps that are narrower than a pixel share one."""
    at = ((torch.arange(width) + 0.5) * len(numbers) / width).long()
    return colors[numbers[at]].T.unsqueeze(1).expand(3, _TRACK, width)


def telling_slice(mask: Tensor, answer: Tensor, classes: Sequence[str]) -> int:
    """The slice of a scan with the most wrong voxels; if all are right, with the most voxels that
    are not background; if there are none, the middle one."""
    labeled = mask != UNLABELLED
    wrong = ((mask != answer) & labeled).flatten(1).sum(1)
    if int(wrong.max()):
        return int(wrong.argmax())
    background = torch.tensor([
        place == 0 or is_background(name) for place, name in enumerate(classes)
    ])  # fmt: skip
    there = (~background[mask.long().clamp(max=len(classes) - 1)] & labeled).flatten(1).sum(1)
    return int(there.argmax()) if int(there.max()) else len(mask) // 2


def slice_picture(scan: Tensor, at: int) -> Tensor:
    """A slice of a scan (channels x depth x height x width) as an image: uint8, in the shades that
    the whole scan has."""
    return shades_of(scan)[:, at].round().to(torch.uint8)


def sample_overlay(sample: Tensor, mask: Tensor, classes: Sequence[str], width: int) -> Tensor:
    """A series or a scan with its mask: a track below the curves, or the mask over slices."""
    if mask.ndim == 1:
        return series_with_tracks(sample, [mask], classes, width)
    depth = len(mask)
    count = min(_SLICES, depth)
    shades = shades_of(sample)
    slices = []
    for place in range(count):
        at = (2 * place + 1) * depth // (2 * count)
        slices.append(mask_overlay(shades[:, at], mask[at], classes))
        slices.append(torch.full((3, mask.shape[1], _GAP), _PAPER, dtype=torch.uint8))
    row = torch.cat(slices[:-1], 2)
    if row.shape[-1] > width:
        size = max(1, round(row.shape[1] * width / row.shape[2])), width
        return F.interpolate(row[None].float(), size, mode="area")[0].round().to(torch.uint8)
    times = width // row.shape[-1]
    return row.repeat_interleave(times, 1).repeat_interleave(times, 2)


_SLICES = 4
"""As many slices as pictures of scans show."""
