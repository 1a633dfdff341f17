"""A sheet of pictures with captions, of any kind; `as_png.py` and `as_html.py` make it a file.

Pictures are grouped and flow in rows, as many as fit. They are drawn as large as they are, with a
frame, and text below.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .colors import signed_colors


@dataclass(frozen=True, eq=False)
class Cell:
    """A picture with lines of text below it."""

    picture: Tensor
    """uint8, one or three channels, in the size in which it is drawn."""
    caption: tuple[str, ...] = ()
    alt: str = ""
    """What it shows, for those who cannot see it; by default, the caption."""
    new_row: bool = False
    """Whether it begins a row, even if there is room beside the picture before."""


@dataclass(frozen=True)
class Share:
    """A name with a share from 0 to 1, drawn as a bar."""

    name: str
    share: float


@dataclass(frozen=True, eq=False)
class Group:
    """Pictures under a heading, and shares below them."""

    title: str
    cells: tuple[Cell, ...] = ()
    note: str = ""
    beside: tuple[str, ...] = ()
    """Lines of text: with some, they and the title stand at the left of the pictures."""
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True)
class ColorScale:
    """The meaning of the colors: the text at the left end, in the middle and at the right end."""

    least: str
    middle: str
    most: str
    gray: bool = False
    """From black to white, and not the colors of signed numbers."""

    def bar(self, width: int = 260, height: int = 14) -> Tensor:
        """The picture of it."""
        ramp = torch.linspace(-1, 1, width)[None].expand(height, width)
        if self.gray:
            return ((ramp + 1) * 127.5).round().to(torch.uint8)[None]
        return signed_colors(ramp)


@dataclass(frozen=True, eq=False)
class PictureSheet:
    title: str
    subtitle: str
    groups: tuple[Group, ...]
    scale: ColorScale | None = None
    notes: tuple[str, ...] = ()
    """How to read it, at the end."""
    left_out: tuple[str, ...] = ()
    """The names of what would make it too long."""
    elsewhere: str = ""
    """Where that can be seen."""

    def without(self, more: tuple[str, ...] = ()) -> str:
        """Says what is left out, if anything is."""
        names = (*self.left_out, *more)
        if not names:
            return ""
        listed = ", ".join(names[:10] if len(names) > 12 else names)
        rest = f" and {len(names) - 10:,} more" if len(names) > 12 else ""
        text = f"Not on this sheet, because it would be too long: {listed}{rest}. {self.elsewhere}"
        return text.strip()
