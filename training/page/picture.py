"""Embeds tensors in the report as PNG images, and draws heatmaps over images."""

from __future__ import annotations

import base64
import io

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from .markup import Html, element

LARGEST = 128
"""Pixels along a side: a page with many images stays small enough for e-mail."""
_SMOOTH_FROM = 64
"""Smaller images are enlarged without smoothing, so that their pixels are visible."""


def data_address(image: Tensor) -> str:
    """A uint8 image of one or three channels as a PNG in a `data:` URL."""
    array = image.detach().cpu().contiguous()
    if array.shape[0] == 1:
        picture = Image.fromarray(array[0].numpy())
    else:
        picture = Image.fromarray(array.permute(1, 2, 0).contiguous().numpy())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def tag(image: Tensor, alt: str, css: str = "") -> Html:
    """An `img` element; screen readers read `alt` aloud."""
    small = max(image.shape[-2:]) < _SMOOTH_FROM
    classes = " ".join(filter(None, [css, "pixels" if small or css else ""])) or None
    height, width = image.shape[-2:]
    return element(
        "img", src=data_address(image), alt=alt, class_=classes, width=str(width),
        height=str(height), loading="lazy",
    )  # fmt: skip


def viewable(image: Tensor) -> Tensor:
    """An image reduced to one or three channels, and to `LARGEST` pixels along its longer side."""
    if image.shape[0] not in (1, 3):
        image = image[:3] if image.shape[0] > 3 else image[:1]
    longest = max(image.shape[-2:])
    if longest <= LARGEST:
        return image
    scale = LARGEST / longest
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]
    small = F.interpolate(
        image[None].float(), size, mode="bilinear", align_corners=False, antialias=True
    )
    return small[0].round().clamp(0, 255).to(torch.uint8)


def overlay(image: Tensor, heat: Tensor) -> Tensor:
    """An image in gray with a heatmap (0 to 1) over it in color. Small images are enlarged, so that
    the heatmap is smooth."""
    image = viewable(image)
    side = max(image.shape[-2:])
    times = -(-LARGEST // side) if side < _SMOOTH_FROM else 1
    base = image.repeat_interleave(times, 1).repeat_interleave(times, 2).float()
    base = base.expand(3, -1, -1).mean(0, keepdim=True)  # gray: color is for the heatmap
    size = base.shape[-2:]
    smooth = F.interpolate(heat[None, None].float(), size, mode="bilinear", align_corners=False)
    share = smooth[0].clamp(0, 1)
    mixed = base * (1 - 0.65 * share) + heat_colors(share[0]) * 0.65 * share
    return mixed.round().clamp(0, 255).to(torch.uint8)


_STOPS = ((60, 20, 110), (200, 50, 90), (250, 140, 20), (255, 235, 120))
"""From cold to hot. Lightness grows too, so that it is readable without seeing colors."""


def heat_colors(share: Tensor) -> Tensor:
    """Colors from cold to hot for shares from 0 to 1: 3 x height x width, 0 to 255."""
    stops = torch.tensor(_STOPS, dtype=torch.float32)
    place = share * (len(stops) - 1)
    low = place.floor().long().clamp(max=len(stops) - 2)
    rest = (place - low)[..., None]
    return (stops[low] * (1 - rest) + stops[low + 1] * rest).permute(2, 0, 1)
