"""Draws a sheet of pictures as a PNG file."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw
from torch import Tensor

from .lettering import font_for, width_of, wrapped
from .picture_sheet import Cell, ColorScale, Group, PictureSheet, Share

_Color = tuple[int, int, int]
_INK, _FAINT, _PAPER = (27, 34, 44), (93, 104, 117), (255, 255, 255)
_FRAME, _RULE, _BAR = (150, 158, 168), (194, 201, 210), (54, 112, 184)
_WIDTH, _MARGIN, _GAP = 1280, 18, 4
_TEXT, _TITLE = 13, 18
"""Sizes of letters."""
_BESIDE = 236
"""The width of the text at the left of pictures."""
_MOST_LINES = 3
"""Of each text there: more would be taller than the pictures."""
_CAPTION = 170
"""A caption makes its picture's place at most so wide."""
TALLEST = 12_000
"""The height at which a sheet ends, whatever is on it: viewers fail for larger ones."""


def sheet_png(sheet: PictureSheet) -> bytes:
    """The bytes of a PNG file. What does not fit below `TALLEST` is left out, and that is said."""
    return _Page(sheet).png()


class _Page:
    """Lays a sheet out twice: first to know its height, then to draw it."""

    def __init__(self, sheet: PictureSheet) -> None:
        self.sheet = sheet
        widest = max(
            (cell.picture.shape[-1] for group in sheet.groups for cell in group.cells), default=0
        )
        self.width = max(_WIDTH, widest + 2 * _MARGIN + 2)
        self.page: Image.Image | None = None
        self.draw: ImageDraw.ImageDraw | None = None

    def png(self) -> bytes:
        self.page = Image.new("RGB", (self.width, self._lay_out()), _PAPER)
        self.draw = ImageDraw.Draw(self.page)
        self._lay_out()
        file = io.BytesIO()
        self.page.save(file, "PNG")
        return file.getvalue()

    def _lay_out(self) -> int:
        """Draws everything, once there is a page; returns the height."""
        sheet = self.sheet
        top = self._text(_MARGIN, _MARGIN, sheet.title, size=_TITLE) + 4
        top = self._text(_MARGIN, top, sheet.subtitle, _FAINT)
        if sheet.scale is not None:
            top = self._scale(sheet.scale, top + 3 * _GAP)
        left_out: list[str] = []
        for number, group in enumerate(sheet.groups):
            if top > TALLEST:
                left_out += [each.title for each in sheet.groups[number:]]
                break
            top, missing = self._group(group, top + 2 * _GAP)
            if missing:
                pictures = f"{missing:,} picture" + "s" * (missing > 1)
                left_out.append(f"{pictures} of {group.title}" if group.title else pictures)
        for note in (sheet.without(tuple(left_out)), *sheet.notes):
            top = self._text(_MARGIN, top + 6, note) if note else top
        return top + _MARGIN

    def _group(self, group: Group, top: int) -> tuple[int, int]:
        """Returns where it ends, and how many of its pictures are left out."""
        left, lowest = _MARGIN, top
        if group.beside:
            self._line((_MARGIN, top, self.width - _MARGIN, top))
            top += 2 * _GAP
            lowest = self._text(left, top, group.title, room=_BESIDE, most=_MOST_LINES)
            for line in group.beside:
                lowest = self._text(left, lowest, line, _FAINT, room=_BESIDE, most=_MOST_LINES)
            left += _BESIDE + 3 * _GAP
        elif group.title:
            top = self._text(left, top, group.title, size=_TITLE)
        if group.note:
            top = self._text(left, top, group.note, _FAINT)
        gap = _GAP if group.beside else 3 * _GAP
        top, missing = self._cells(group.cells, left, top + (0 if group.beside else _GAP), gap)
        return max(lowest, self._shares(group.shares, left, top)), missing

    def _cells(self, cells: Sequence[Cell], start: int, top: int, gap: int) -> tuple[int, int]:
        left, lowest = start, top
        for number, cell in enumerate(cells):
            height, width = cell.picture.shape[-2:]
            room = max(width, _caption_width(cell))
            full = left + room > self.width - _MARGIN
            if left > start and (full or cell.new_row):
                left, top = start, lowest + gap
                if top > TALLEST:
                    return lowest, len(cells) - number
            self._picture(cell.picture, left, top)
            below = top + height + 4
            for line in cell.caption:
                below = self._text(left, below, line, room=room)
            lowest = max(lowest, below)
            left += room + gap + 2
        return lowest, 0

    def _shares(self, shares: Sequence[Share], left: int, top: int) -> int:
        for each in shares:
            self._text(left, top, f"{100 * each.share:.1f} %".rjust(7))
            if self.draw is not None:
                long = max(round(200 * each.share), 1)
                self.draw.rectangle((left + 64, top + 3, left + 64 + long, top + _TEXT), fill=_BAR)
            top = self._text(left + 274, top, each.name)
        return top

    def _scale(self, scale: ColorScale, top: int) -> int:
        bar = scale.bar()
        height, width = bar.shape[-2:]
        self._picture(bar, _MARGIN, top)
        below = top + height + 4
        for text, share in ((scale.least, 0.0), (scale.middle, 0.5), (scale.most, 1.0)):
            left = _MARGIN + share * (width - width_of(text, _TEXT))
            self._text(round(left), below, text, _FAINT)
        return below + _TEXT + 4

    # ---- painting ----

    def _text(
        self,
        left: int,
        top: int,
        text: str,
        ink: _Color = _INK,
        *,
        size: int = _TEXT,
        room: int | None = None,
        most: int | None = None,
    ) -> int:
        """Draws lines that fit into the room; returns where they end."""
        room = room or self.width - left - _MARGIN
        for line in wrapped(text, room, size, most):
            if self.draw is not None:
                self.draw.text((left, top), line, ink, font_for(line, size))
            top += size + 4
        return top

    def _picture(self, picture: Tensor, left: int, top: int) -> None:
        """Draws a picture with a frame."""
        if self.page is not None and self.draw is not None:
            height, width = picture.shape[-2:]
            self.page.paste(_image(picture), (left + 1, top + 1))
            self.draw.rectangle((left, top, left + width + 1, top + height + 1), outline=_FRAME)

    def _line(self, ends: tuple[int, int, int, int]) -> None:
        if self.draw is not None:
            self.draw.line(ends, fill=_RULE)


def _caption_width(cell: Cell) -> int:
    """What the caption needs at least: its longest line, up to a limit."""
    return min(int(max((width_of(line, _TEXT) for line in cell.caption), default=0)) + 1, _CAPTION)


def _image(picture: Tensor) -> Image.Image:
    colors = picture.detach().cpu().expand(3, -1, -1)
    return Image.fromarray(colors.permute(1, 2, 0).contiguous().numpy())
