"""A picture of a measured receptive field: the gradient as heat over the image, the square from
theory, and the square with 95 % of the gradient."""

from __future__ import annotations

import io

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...page.picture import heat_colors
from ..input_images import InputImage
from .measured_field import MeasuredField

_SIDE = 640
_MARGIN, _LINE = 16, 22
_THEORY, _MEASURED, _INK, _PAPER = (54, 112, 184), (39, 138, 85), (30, 30, 34), (255, 255, 255)


def field_png(measured: MeasuredField, title: str, image: InputImage | None) -> bytes:
    """The bytes of a PNG file."""
    height, width = measured.gradient.shape
    times = max(_SIDE // max(height, width), 1)
    # What is outside the image is padding: the theoretical square may begin there.
    rows, columns = measured.rows, measured.columns
    if measured.whole:
        rows, columns = (0, height - 1), (0, width - 1)
    out = [max(-rows[0], rows[1] - height + 1, -columns[0], columns[1] - width + 1, 0)]
    border = min(out[0], max(height, width)) + 2
    inner = _blended(measured.gradient, image)
    inner = inner.repeat_interleave(times, 1).repeat_interleave(times, 2)
    picture = Image.new(
        "RGB",
        (2 * _MARGIN + (width + 2 * border) * times, 5 * _LINE + (height + 2 * border) * times),
        _PAPER,
    )
    draw = ImageDraw.Draw(picture)
    left, top = _MARGIN + border * times, 4 * _LINE + border * times
    picture.paste(Image.fromarray(inner.permute(1, 2, 0).contiguous().numpy()), (left, top))
    draw.rectangle((left - 1, top - 1, left + width * times, top + height * times), outline=_INK)
    _square(draw, rows, columns, (left, top), times, _THEORY)
    side = measured.side
    if side is not None:
        row, column = measured.center
        reach = side // 2
        _square(
            draw, (row - reach, row + reach), (column - reach, column + reach),
            (left, top), times, _MEASURED,
        )  # fmt: skip
    font, bold = ImageFont.load_default(15), ImageFont.load_default(18)
    draw.text((_MARGIN, 8), title, _INK, bold)
    theory = f"{rows[1] - rows[0] + 1} x {columns[1] - columns[0] + 1} pixels"
    draw.text((_MARGIN, 8 + _LINE + 4), f"in theory: {theory}", _THEORY, font)
    told = f"95 % of the gradient: {side} x {side}" if side else "no gradient arrives"
    draw.text((_MARGIN, 8 + 2 * _LINE), told, _MEASURED, font)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _square(
    draw: ImageDraw.ImageDraw,
    rows: tuple[int, int],
    columns: tuple[int, int],
    corner: tuple[int, int],
    times: int,
    color: tuple[int, int, int],
) -> None:
    left, top = corner
    box = (
        left + columns[0] * times,
        top + rows[0] * times,
        left + (columns[1] + 1) * times - 1,
        top + (rows[1] + 1) * times - 1,
    )
    draw.rectangle(box, outline=color, width=2)


def _blended(gradient: Tensor, image: InputImage | None) -> Tensor:
    """The image in gray with the gradient as heat; its root, so that the outskirts are visible."""
    heat = (gradient / gradient.max().clamp(min=1e-30)).sqrt().float()
    if image is None or image.pixels is None:
        base = torch.full((1, *gradient.shape), 245.0)
    else:
        base = image.pixels.float().mean(0, keepdim=True)
    mixed = base * (1 - 0.75 * heat) + heat_colors(heat) * 0.75 * heat
    return mixed.round().clamp(0, 255).to(torch.uint8)
