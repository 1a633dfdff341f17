"""Colors for signed numbers: blue below zero, white at zero, orange above; and drawn over images.

Blue and orange can be told apart with any kind of color vision, and lightness alone tells how far a
number is from zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_STOPS = (
    (12, 44, 92),
    (46, 108, 178),
    (150, 191, 227),
    (250, 250, 250),
    (247, 190, 138),
    (205, 96, 22),
    (104, 40, 4),
)
BELOW, ABOVE = _STOPS[1], _STOPS[5]
"""The colors of frames around what is below and above zero."""


def signed_colors(values: Tensor) -> Tensor:
    """Colors of numbers from -1 to 1: uint8, 3 x …; others are clipped, and NaN counts as zero."""
    stops = torch.tensor(_STOPS, dtype=torch.float32)
    place = (values.float().nan_to_num(0).clamp(-1, 1) + 1) / 2 * (len(stops) - 1)
    low = place.floor().long().clamp(max=len(stops) - 2)
    rest = (place - low)[..., None]
    colors = stops[low] * (1 - rest) + stops[low + 1] * rest
    return colors.movedim(-1, 0).round().to(torch.uint8)


def over_image(image: Tensor, values: Tensor) -> Tensor:
    """Numbers from -1 to 1 in color over an image in gray: uint8, 3 x height x width of `values`.
    `image` is uint8, of any size."""
    gray = image.float().mean(0, keepdim=True)
    gray = F.interpolate(gray[None], values.shape, mode="nearest")[0]
    share = values.float().nan_to_num(0).abs().clamp(0, 1).sqrt() * 0.8
    pale = 70 + gray * 0.65  # neither black nor white: every color is visible on it
    # Beyond the light middle of the scale, so that a weak color is seen on gray, too.
    strong = torch.where(values < 0, -1.0, 1.0) * (0.45 + 0.55 * values.abs().clamp(0, 1))
    mixed = pale * (1 - share) + signed_colors(strong).float() * share
    return mixed.round().clamp(0, 255).to(torch.uint8)


def filter_pictures(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Filters that read one map or the colors of the image (filters x 1 or 3 x height x width) as
    uint8 pictures of three channels, and the magnitude that each was divided by. Of colors, gray
    is zero; of one map, white."""
    reach = weights.abs().amax((1, 2, 3))
    relative = weights / reach.clamp(min=1e-30).view(-1, 1, 1, 1)
    if weights.shape[1] == 3:
        return ((relative + 1) * 127.5).round().to(torch.uint8), reach
    return signed_colors(relative[:, 0]).transpose(0, 1), reach


def scaled(values: Tensor, share: float = 1.0) -> tuple[Tensor, float]:
    """Numbers divided by their greatest magnitude, and that magnitude; with a `share` below 1, by
    the magnitude that this share of them does not exceed, so that single ones do not pale the
    others."""
    magnitudes = values.detach().float().nan_to_num(0, 0, 0).abs().flatten()
    if not len(magnitudes):
        return values, 0.0
    place = max(0, min(len(magnitudes) - 1, round(share * len(magnitudes)) - 1))
    greatest = float(magnitudes.kthvalue(place + 1).values)
    if greatest == 0:
        greatest = float(magnitudes.max())
    return (values / greatest if greatest > 0 else values), greatest
