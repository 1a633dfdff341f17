"""Series as pictures: a curve of their steps, over a line at zero."""

from __future__ import annotations

import numpy
import torch
from PIL import Image, ImageDraw
from torch import Tensor

_PAPER, _INK, _ZERO, _BAD = (255, 255, 255), (54, 112, 184), (205, 211, 219), (255, 0, 255)


def curve(
    values: Tensor, ends: tuple[float, float], width: int, height: int, *, pen: int = 1
) -> Tensor:
    """A series as a curve, 3 x height x width: the lesser of `ends` is at the bottom. Steps that
    are not finite are magenta columns. `pen` is the width of the line."""
    low, high = ends
    span = high - low if high > low else 1.0
    steps = values.detach().float().cpu()
    bad = ~steps.isfinite()
    down = ((high - steps.nan_to_num(0.0, 0.0, 0.0)) / span).clamp(0, 1) * (height - 1)
    across = (torch.arange(len(steps)) + 0.5) * (width / len(steps)) - 0.5
    picture = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(picture)
    if low <= 0 <= high:
        zero = round((high / span) * (height - 1))
        draw.line((0, zero, width, zero), _ZERO)
    for place in sorted(set(across[bad].round().tolist())):
        draw.line((place, 0, place, height), _BAD)
    points = torch.stack([across, down], 1).flatten().tolist()
    if len(steps) == 1:
        points = [0, points[1], width, points[1]]
    draw.line(points, _INK, pen)
    return torch.from_numpy(numpy.array(picture)).permute(2, 0, 1)
