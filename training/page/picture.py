"""Tensors as images that are part of the page."""

from __future__ import annotations

import base64
import io

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from .markup import Html, element

LARGEST = 128
"""Pixels along a side: a page of many images stays small enough to be sent by mail."""
_SMOOTH_FROM = 64
"""Smaller images are shown with their pixels as squares."""


def data_address(image: Tensor) -> str:
    """uint8, channels x height x width, with one channel or three, as a PNG in an address."""
    array = image.detach().cpu().contiguous()
    if array.shape[0] == 1:
        picture = Image.fromarray(array[0].numpy())
    else:
        picture = Image.fromarray(array.permute(1, 2, 0).contiguous().numpy())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def tag(image: Tensor, alt: str, css: str = "") -> Html:
    """An image of the page; `alt` is for those who do not see it."""
    small = max(image.shape[-2:]) < _SMOOTH_FROM
    classes = " ".join(filter(None, [css, "pixels" if small or css else ""])) or None
    height, width = image.shape[-2:]
    return element(
        "img", src=data_address(image), alt=alt, class_=classes, width=str(width),
        height=str(height), loading="lazy",
    )  # fmt: skip


def viewable(image: Tensor) -> Tensor:
    """An image of any number of channels with one or three, and not too large."""
    if image.shape[0] not in (1, 3):
        image = image[:3] if image.shape[0] > 3 else image[:1]
    longest = max(image.shape[-2:])
    if longest <= LARGEST:
        return image
    scale = LARGEST / longest
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]
    whole = image[None].float()
    made = F.interpolate(whole, size, mode="bilinear", align_corners=False, antialias=True)
    return made[0].round().clamp(0, 255).to(torch.uint8)


def overlay(image: Tensor, heat: Tensor) -> Tensor:
    """An image with a map of 0 to 1 over it, in colours, large enough for the map to be smooth."""
    image = viewable(image)
    side = max(image.shape[-2:])
    times = -(-LARGEST // side) if side < _SMOOTH_FROM else 1
    base = image.repeat_interleave(times, 1).repeat_interleave(times, 2).float()
    base = base.expand(3, -1, -1).mean(0, keepdim=True)  # grey: the colours are the map's
    size = base.shape[-2:]
    smooth = F.interpolate(heat[None, None].float(), size, mode="bilinear", align_corners=False)
    share = smooth[0].clamp(0, 1)
    colours = _colours(share[0])
    mixed = base * (1 - 0.65 * share) + colours * 0.65 * share
    return mixed.round().clamp(0, 255).to(torch.uint8)


_STOPS = ((60, 20, 110), (200, 50, 90), (250, 140, 20), (255, 235, 120))
"""From cold to hot; lightness grows with it, so that it also shows without colours."""


def _colours(share: Tensor) -> Tensor:
    stops = torch.tensor(_STOPS, dtype=torch.float32)
    place = share * (len(stops) - 1)
    low = place.floor().long().clamp(max=len(stops) - 2)
    rest = (place - low)[..., None]
    return (stops[low] * (1 - rest) + stops[low + 1] * rest).permute(2, 0, 1)
