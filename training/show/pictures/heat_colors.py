"""The colors of heatmaps, from cold to hot."""

from __future__ import annotations

import torch
from torch import Tensor

STOPS = ((60, 20, 110), (200, 50, 90), (250, 140, 20), (255, 235, 120))
"""From cold to hot. Lightness grows too, so that it is readable without seeing colors."""

OPACITY = 0.65
"""Of the largest value of a heatmap."""


def heat_colors(share: Tensor) -> Tensor:
    """Colors from cold to hot for shares from 0 to 1: 3 x height x width, 0 to 255."""
    stops = torch.tensor(STOPS, dtype=torch.float32)
    place = share * (len(stops) - 1)
    low = place.floor().long().clamp(max=len(stops) - 2)
    rest = (place - low)[..., None]
    return (stops[low] * (1 - rest) + stops[low + 1] * rest).permute(2, 0, 1)
