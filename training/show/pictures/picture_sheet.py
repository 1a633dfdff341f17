"""A sheet of pictures with captions, as a PNG file or as a self-contained web page.

Pictures are grouped under headings and flow in rows, as many as fit. They are drawn as large as
they are, with a frame, and text below.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ....dsl.render import show
from ...page.document import document
from ...page.markup import Html, element, scrolling, section
from ...page.picture import data_address
from .colors import signed_colors


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture with lines of text below it."""

    picture: Tensor
    """uint8, one or three channels, in the size in which it is drawn."""
    caption: tuple[str, ...] = ()
    alt: str = ""
    """What it shows, for those who cannot see it; by default, the caption."""


@dataclass(frozen=True, eq=False)
class Group:
    """Pictures under a heading."""

    title: str
    cells: tuple[Cell, ...]
    note: str = ""


@dataclass(frozen=True)
class ColorScale:
    """The meaning of the colors: the text at the left end, in the middle and at the right end."""

    least: str
    middle: str
    most: str
    gray: bool = False
    """From black to white, and not the colors of signed numbers."""


@dataclass(frozen=True, eq=False)
class PictureSheet:
    title: str
    subtitle: str
    groups: tuple[Group, ...]
    scale: ColorScale | None = None
    notes: tuple[str, ...] = ()
    """How to read it, at the end."""


# ---- a PNG file ------------------------------------------------------------------------------

_INK, _FAINT, _PAPER, _FRAME = (27, 34, 44), (93, 104, 117), (255, 255, 255), (150, 158, 168)
_WIDTH, _MARGIN, _GAP, _LINE, _SIZE = 1180, 20, 12, 18, 14
_BAR = (260, 14)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def sheet_png(sheet: PictureSheet) -> bytes:
    """The bytes of a PNG file."""
    return _PngSheet(sheet).bytes()


class _PngSheet:
    """Lays a sheet out twice: first to know its height, then to draw it."""

    def __init__(self, sheet: PictureSheet) -> None:
        self.sheet = sheet
        self.font: _Font = ImageFont.load_default(_SIZE)
        self.bold: _Font = ImageFont.load_default(_SIZE + 4)
        widest = max(
            (cell.picture.shape[-1] for group in sheet.groups for cell in group.cells), default=0
        )
        self.width = max(_WIDTH, widest + 2 * _MARGIN + 2)
        self.draw: ImageDraw.ImageDraw | None = None
        self.page: Image.Image | None = None

    def bytes(self) -> bytes:
        height = self._lay_out()
        self.page = Image.new("RGB", (self.width, height), _PAPER)
        self.draw = ImageDraw.Draw(self.page)
        self._lay_out()
        file = io.BytesIO()
        self.page.save(file, "PNG")
        return file.getvalue()

    def _lay_out(self) -> int:
        """Draws everything, once there is a page; returns the height."""
        top = self._text(_MARGIN, _MARGIN, self.sheet.title, _INK, self.bold) + 4
        top = self._text(_MARGIN, top, self.sheet.subtitle, _FAINT)
        if self.sheet.scale is not None:
            top = self._scale(self.sheet.scale, top + _GAP)
        for group in self.sheet.groups:
            top += _GAP
            if group.title:
                top = self._text(_MARGIN, top, group.title, _INK, self.bold)
            if group.note:
                top = self._text(_MARGIN, top, group.note, _FAINT)
            top = self._cells(group.cells, top + 4)
        for note in self.sheet.notes:
            top = self._text(_MARGIN, top + 6, note, _INK)
        return top + _MARGIN

    def _text(
        self, left: int, top: int, text: str, ink: tuple[int, int, int], font: _Font | None = None
    ) -> int:
        font = font or self.font
        size = _SIZE + 4 if font is self.bold else _SIZE
        for line in self._wrapped(show(text), self.width - left - _MARGIN, font):
            if self.draw is not None:
                self.draw.text((left, top), line, ink, font)
            top += size + 4
        return top

    def _wrapped(self, text: str, room: int, font: _Font) -> list[str]:
        """Lines that fit, by the real width of the letters."""
        if not text:
            return []
        letters = max(4, int(room / max(1.0, font.getlength(text)) * len(text)))
        while letters > 4:
            lines = textwrap.wrap(text, letters) or [""]
            if all(font.getlength(line) <= room for line in lines):
                return lines
            letters -= max(1, letters // 12)
        return textwrap.wrap(text, letters)

    def _scale(self, scale: ColorScale, top: int) -> int:
        left = _MARGIN
        width, height = _BAR
        colors = _bar(scale)
        if self.page is not None and self.draw is not None:
            self.page.paste(_image(colors), (left, top))
            self.draw.rectangle((left - 1, top - 1, left + width, top + height), outline=_FRAME)
            below = top + height + 3
            self.draw.text((left, below), scale.least, _FAINT, self.font)
            middle = left + (width - self.font.getlength(scale.middle)) / 2
            self.draw.text((middle, below), scale.middle, _FAINT, self.font)
            right = left + width - self.font.getlength(scale.most)
            self.draw.text((right, below), scale.most, _FAINT, self.font)
        return top + height + 3 + _LINE

    def _cells(self, cells: Sequence[Cell], top: int) -> int:
        left, lowest = _MARGIN, top
        for cell in cells:
            height, width = cell.picture.shape[-2:]
            room = max(width, self._caption_width(cell))
            if left > _MARGIN and left + room > self.width - _MARGIN:
                left, top = _MARGIN, lowest + _GAP
            if self.page is not None and self.draw is not None:
                self.page.paste(_image(cell.picture), (left + 1, top + 1))
                self.draw.rectangle((left, top, left + width + 1, top + height + 1), outline=_FRAME)
            below = top + height + 5
            for line in cell.caption:
                for piece in self._wrapped(show(line), room, self.font):
                    if self.draw is not None:
                        self.draw.text((left, below), piece, _INK, self.font)
                    below += _LINE
            lowest = max(lowest, below)
            left += room + _GAP + 2
        return lowest

    def _caption_width(self, cell: Cell) -> int:
        """What the caption needs at least: its longest line, up to a limit."""
        lengths = [self.font.getlength(show(line)) for line in cell.caption]
        return min(int(max(lengths, default=0)) + 1, 170)


def _bar(scale: ColorScale) -> Tensor:
    width, height = _BAR
    ramp = torch.linspace(-1, 1, width)[None].expand(height, width)
    if scale.gray:
        return ((ramp + 1) * 127.5).round().to(torch.uint8)[None]
    return signed_colors(ramp)


def _image(picture: Tensor) -> Image.Image:
    array = picture.detach().cpu()
    if array.shape[0] == 1:
        array = array.expand(3, -1, -1)
    return Image.fromarray(array.permute(1, 2, 0).contiguous().numpy())


# ---- a web page --------------------------------------------------------------------------------


def sheet_page(sheet: PictureSheet) -> str:
    """The HTML text of a page, which loads nothing from anywhere."""
    sections = []
    for number, group in enumerate(sheet.groups):
        parts = [element("p", group.note, class_="faint")] if group.note else []
        parts.append(_flow(group.cells))
        sections.append(section(f"group{number}", group.title or "Pictures", *parts))
    if sheet.scale is not None or sheet.notes:
        about = list(_scale_of_page(sheet.scale)) if sheet.scale is not None else []
        about += [element("p", note) for note in sheet.notes]
        sections.append(section("reading", "How to read it", *about))
    return document(sheet.title, sheet.subtitle, sections, "Written by cnn show.")


def _flow(cells: Sequence[Cell]) -> Html:
    figures = []
    for cell in cells:
        height, width = map(str, cell.picture.shape[-2:])
        alt = cell.alt or "; ".join(cell.caption)
        picture = element(
            "img", src=data_address(cell.picture), alt=alt, width=width, height=height,
            style="border:1px solid var(--line);display:block;max-width:100%;height:auto",
        )  # fmt: skip
        lines: list[str] = []
        for line in cell.caption:
            lines += [element("br"), line] if lines else [line]
        wide = max(cell.picture.shape[-1], 120)
        figures.append(
            element(
                "figure", picture, element("figcaption", *lines),
                style=f"max-width:min(100%,{wide}px);font-size:.875rem;line-height:1.35;"
                "overflow-wrap:anywhere",
            )
        )  # fmt: skip
    return element("div", *figures, style="display:flex;flex-wrap:wrap;gap:.75rem")


def _scale_of_page(scale: ColorScale) -> Iterator[Html]:
    words = " … ".join(filter(None, [scale.least, scale.middle, scale.most]))
    bar = element("img", src=data_address(_bar(scale)), alt=f"Color scale: {words}")
    ends = element(
        "div", *(element("span", each) for each in (scale.least, scale.middle, scale.most)),
        style=f"display:flex;justify-content:space-between;max-width:{_BAR[0]}px",
        class_="faint",
    )  # fmt: skip
    yield scrolling("Color scale", Html(bar + ends))


# ---- pictures ----------------------------------------------------------------------------------


def enlarged(picture: Tensor, side: int) -> Tensor:
    """A picture whose pixels are repeated, so that its longer side comes close to `side`."""
    times = max(1, round(side / max(picture.shape[-2:])))
    return picture.repeat_interleave(times, -2).repeat_interleave(times, -1)


def framed(picture: Tensor, level: int = 150) -> Tensor:
    """A picture with a thin frame."""
    return torch.nn.functional.pad(picture, (1, 1, 1, 1), value=level)


def in_rows(pictures: Sequence[Tensor], columns: int, gap: int = 4, level: int = 255) -> Tensor:
    """Pictures of one size in rows, with a gap between them."""
    channels, height, width = pictures[0].shape
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    sheet = torch.full(
        (channels, rows * (height + gap) - gap, columns * (width + gap) - gap),
        level,
        dtype=torch.uint8,
    )
    for place, picture in enumerate(pictures):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet


def boxed(
    picture: Tensor, box: tuple[int, int, int, int], color: tuple[int, int, int], width: int = 2
) -> Tensor:
    """A picture of three channels with a box in it: first row, last row, first and last column."""
    top, bottom, left, right = box
    drawn = picture.clone()
    ink = torch.tensor(color, dtype=torch.uint8).view(3, 1, 1)
    drawn[:, top : bottom + 1, left : min(left + width, right + 1)] = ink
    drawn[:, top : bottom + 1, max(right + 1 - width, left) : right + 1] = ink
    drawn[:, top : min(top + width, bottom + 1), left : right + 1] = ink
    drawn[:, max(bottom + 1 - width, top) : bottom + 1, left : right + 1] = ink
    return drawn
