"""Embeds tensors in the report as PNG images, and draws heatmaps over images."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ...compiler.plan.plan import NamedInput
from ..data.images.visible import visible
from ..show.pictures.heat_colors import OPACITY, STOPS, heat_colors
from ..show.pictures.sample_picture import WARM, scan_picture, series_picture
from ..show.pictures.side_by_side import of_each_input, side_by_side
from .markup import Html, element

LARGEST = 128
"""Pixels along a side: a page with many images stays small enough for e-mail."""
LARGE = 384
"""Pixels along a side of what can be enlarged."""
_QUALITY = 85
"""Of JPEG, for photographs and heatmaps whose exact pixels do not matter."""
_SMOOTH_FROM = 64
"""Smaller images are enlarged without smoothing, so that their pixels are visible."""


def data_address(image: Tensor, lossy: bool = False) -> str:
    """A uint8 image of one or three channels as a PNG in a `data:` URL; `lossy`, as a JPEG."""
    array = image.detach().cpu().contiguous()
    if array.shape[0] == 1:
        picture = Image.fromarray(array[0].numpy())
    else:
        picture = Image.fromarray(array.permute(1, 2, 0).contiguous().numpy())
    file = io.BytesIO()
    kind = "jpeg" if lossy else "png"
    picture.save(file, kind, optimize=True, quality=_QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def tag(
    image: Tensor, alt: str, css: str = "", *, lossy: bool = False, title: str | None = None
) -> Html:
    """An `img` element; screen readers read `alt` aloud. Only a large image is saved with loss."""
    small = max(image.shape[-2:]) < _SMOOTH_FROM
    classes = " ".join(filter(None, [css, "pixels" if small or css else ""])) or None
    height, width = image.shape[-2:]
    return element(
        "img", src=data_address(image, lossy and not small), alt=alt, class_=classes,
        width=str(width), height=str(height), loading="lazy", title=title,
    )  # fmt: skip


def viewable(image: Tensor, largest: int = LARGEST, inputs: Sequence[NamedInput] = ()) -> Tensor:
    """An image reduced to one or three channels, and to `largest` pixels along its longer side;
    those of several `inputs` side by side. A series or a scan is drawn, twice as wide."""
    each = of_each_input(image, inputs)
    if len(each) > 1:
        return side_by_side([viewable(one, largest) for one in each])
    if image.ndim != 3:
        draw = series_picture if image.ndim == 2 else scan_picture
        return draw(image, 2 * largest)
    image = visible(image)
    longest = max(image.shape[-2:])
    if longest <= largest:
        return image
    scale = largest / longest
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]
    small = F.interpolate(
        image[None].float(), size, mode="bilinear", align_corners=False, antialias=True
    )
    return small[0].round().clamp(0, 255).to(torch.uint8)


def overlay(
    image: Tensor, heat: Tensor, largest: int = LARGEST, inputs: Sequence[NamedInput] = ()
) -> Tensor:
    """An image in gray with a heatmap (0 to 1) over it in color, or those of several `inputs`, each
    with it. Small images are enlarged, so that the heatmap is smooth."""
    each = of_each_input(image, inputs)
    if len(each) > 1:
        return side_by_side([overlay(one, heat, largest) for one in each])
    if image.ndim != 3:
        draw = series_picture if image.ndim == 2 else scan_picture
        return draw(image, 2 * largest, heat)
    image = viewable(image, largest)
    side = max(image.shape[-2:])
    times = -(-largest // side) if side < _SMOOTH_FROM else 1
    base = image.repeat_interleave(times, 1).repeat_interleave(times, 2).float()
    base = base.expand(3, -1, -1).mean(0, keepdim=True)  # gray: color is for the heatmap
    size = base.shape[-2:]
    smooth = F.interpolate(heat[None, None].float(), size, mode="bilinear", align_corners=False)
    share = smooth[0].clamp(0, 1)
    mixed = base * (1 - OPACITY * share) + heat_colors(share[0]) * OPACITY * share
    return mixed.round().clamp(0, 255).to(torch.uint8)


def heat_scale(noun: str = "image") -> Html:
    """The scale of heatmaps: their colors, as they lie over a mid-gray image; or, of series, as
    those of the paper behind them."""
    if noun in ("series", "clip"):
        white, warm = "rgb(255, 255, 255)", f"rgb{WARM}"
        bar = element(
            "span", class_="bar", style=f"background: linear-gradient(90deg, {white}, {warm})"
        )
        return element(
            "p", "nothing", bar, f"most of this {noun}", class_="scale", role="img",
            aria_label=f"Color scale: from white, nothing, to orange, the most of this {noun}",
        )  # fmt: skip
    stops = []
    for place, color in enumerate(STOPS):
        share = place / (len(STOPS) - 1) * OPACITY
        mixed = (round(128 * (1 - share) + part * share) for part in color)
        stops.append(f"rgb({', '.join(map(str, mixed))})")
    bar = element(
        "span", class_="bar", style=f"background: linear-gradient(90deg, {', '.join(stops)})"
    )
    return element(
        "p", "nothing", bar, f"most of this {noun}", class_="scale", role="img",
        aria_label=f"Color scale: from gray, nothing, over red to yellow, the most of this {noun}",
    )  # fmt: skip
