"""The contact sheet as a PNG picture."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ...dsl.printable import show
from .sheet import Row, Sheet, shown_side, shown_size

_GAP, _MARGIN, _LABELS = 6, 16, 230
_INK, _FAINT, _PAPER = (30, 30, 34), (110, 110, 118), (255, 255, 255)
_SIZE = 14
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_IN_LINE = 30
"""The number of letters of a label that fit beside the images."""


def sheet_png(sheet: Sheet) -> bytes:
    """The bytes of a PNG file."""
    cell = shown_side(sheet.groups)
    rows = sum(_tall(row, cell) + _GAP for group in sheet.groups for row in group.rows)
    line = _SIZE + _GAP
    width = 2 * _MARGIN + _LABELS + len(sheet.names) * (cell + _GAP)
    height = 2 * _MARGIN + 3 * line + rows + len(sheet.groups) * 3 * line
    picture = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(picture)
    font, bold = ImageFont.load_default(_SIZE), ImageFont.load_default(_SIZE + 4)
    top = _MARGIN
    draw.text((_MARGIN, top), show(sheet.title), _INK, bold)
    top += line + _GAP
    draw.text((_MARGIN, top), show(sheet.subtitle), _FAINT, font)
    for group in sheet.groups:
        top += line + _GAP
        draw.text((_MARGIN, top), group.title, _INK, bold)
        top += line + _GAP
        if group is sheet.groups[0]:
            for left, name in zip(_lefts(cell, sheet), sheet.names, strict=True):
                draw.text((left, top), show(_short(name, cell)), _FAINT, font)
            top += line
        for row in group.rows:
            _label(draw, row, top, font)
            for left, image in zip(_lefts(cell, sheet), row.images, strict=True):
                picture.paste(_scaled(image, cell), (left, top))
            top += _tall(row, cell) + _GAP
        top -= _GAP
    file = io.BytesIO()
    picture.crop((0, 0, width, min(height, top + line + _MARGIN))).save(file, "PNG", optimize=True)
    return file.getvalue()


def _tall(row: Row, cell: int) -> int:
    """The height of a row: at least three lines of its label."""
    return max(3 * (_SIZE + 3), *(shown_size(image, cell)[0] for image in row.images))


def _lefts(cell: int, sheet: Sheet) -> Iterator[int]:
    for column in range(len(sheet.names)):
        yield _MARGIN + _LABELS + column * (cell + _GAP)


def _label(draw: ImageDraw.ImageDraw, row: Row, top: int, font: _Font) -> None:
    lines = textwrap.wrap(show(row.label), _IN_LINE)[:4]
    for number, text in enumerate(lines):
        draw.text((_MARGIN, top + number * (_SIZE + 3)), text, _INK, font)


def _short(name: str, cell: int) -> str:
    letters = cell // 8
    return name if len(name) <= letters else name[: letters - 1] + "…"


def _scaled(image: Tensor, cell: int) -> Image.Image:
    array = image.cpu().contiguous()
    if array.shape[0] == 1:
        picture = Image.fromarray(array[0].numpy()).convert("RGB")
    else:
        picture = Image.fromarray(array.permute(1, 2, 0).contiguous().numpy())
    height, width = shown_size(image, cell)
    smooth = Image.Resampling.LANCZOS if width < picture.width else Image.Resampling.NEAREST
    return picture.resize((width, height), smooth)
