"""The confusion matrix as an image, with the names of the classes where there is room."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ..show.pictures.lettering import font_for, width_of, wrapped

_LETTERED = 40
"""With more classes, the matrix has neither names nor numbers."""
_LARGEST = 1_000
"""With more classes, several share a pixel."""
_CELL, _TEXT, _MARGIN = 36, 13, 8
_NAMES = 150
"""The most pixels of a name."""
_BLUE, _ORANGE = (37, 99, 175), (196, 97, 29)
"""Of right and of wrong answers."""


def confusion_picture(matrix: Tensor, classes: Sequence[str]) -> Image.Image:
    """Rows are true classes, columns predicted ones; the stronger a color, the larger the share of
    the true class. The root of the share decides, so that rare confusions are visible."""
    shares = (matrix.double() / matrix.sum(1, keepdim=True).clamp(min=1)).sqrt()
    if len(matrix) > _LETTERED:
        return _plain(shares)
    names = [next(iter(wrapped(name, _NAMES, _TEXT, 1)), "") for name in classes]
    room = int(max(width_of(name, _TEXT) for name in names)) + 2 * _MARGIN
    side = room + len(matrix) * _CELL + _MARGIN
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    for row, counts in enumerate(matrix.tolist()):
        middle = room + row * _CELL + _CELL // 2
        _write(draw, names[row], (room - _MARGIN, middle), "rm")
        _write_upright(image, names[row], (middle, room - _MARGIN))
        for column, count in enumerate(counts):
            left, top = room + column * _CELL, room + row * _CELL
            color = _mixed(_BLUE if row == column else _ORANGE, float(shares[row, column]))
            draw.rectangle((left, top, left + _CELL - 2, top + _CELL - 2), fill=color)
            if count:
                place = (left + _CELL // 2 - 1, top + _CELL // 2 - 1)
                text = f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k"
                _write(draw, text, place, "mm", "white" if shares[row, column] > 0.6 else "black")
    return image


def _plain(shares: Tensor) -> Image.Image:
    """A pixel, or a square of them, for each pair of classes."""
    shares = shares.float()
    if len(shares) > _LARGEST:
        shares = torch.nn.functional.adaptive_max_pool2d(shares[None], _LARGEST)[0]
    times = max(1, 600 // len(shares))
    pixels = (shares * 255).round().to(torch.uint8)
    pixels = pixels.repeat_interleave(times, 0).repeat_interleave(times, 1)
    return Image.fromarray(pixels.numpy())


def _mixed(color: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    """A color over white."""
    red, green, blue = (round(255 + (part - 255) * share) for part in color)
    return red, green, blue


def _write(
    draw: ImageDraw.ImageDraw, text: str, place: tuple[int, int], anchor: str, color: str = "black"
) -> None:
    draw.text(place, text, color, font_for(text, _TEXT), anchor)


def _write_upright(image: Image.Image, text: str, place: tuple[int, int]) -> None:
    """Writes a name from bottom to top above its column."""
    line = Image.new("RGB", (int(width_of(text, _TEXT)) + 2, 2 * _TEXT), "white")
    _write(ImageDraw.Draw(line), text, (0, _TEXT), "lm")
    turned = line.rotate(90, expand=True)
    image.paste(turned, (place[0] - turned.width // 2, place[1] - turned.height))
