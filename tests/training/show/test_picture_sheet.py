"""Sheets of pictures: text that fits, and what is left out of a sheet that would be too long."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from PIL import Image

from dotcnn.training.show.pictures import as_png, lettering
from dotcnn.training.show.pictures.as_html import sheet_page
from dotcnn.training.show.pictures.as_png import TALLEST, sheet_png
from dotcnn.training.show.pictures.lettering import width_of, wrapped
from dotcnn.training.show.pictures.picture_sheet import Cell, ColorScale, Group, PictureSheet, Share


def gray(height: int = 20, width: int = 20) -> torch.Tensor:
    return torch.full((1, height, width), 128, dtype=torch.uint8)


@pytest.mark.parametrize(
    "text", ["a few words that are wrapped", "x" * 90, "a " + "y" * 70 + " z", "ツ" * 40, ""]
)
def test_lines_fit_and_nothing_is_lost(text: str) -> None:
    lines = wrapped(text, 120, 13)
    assert all(width_of(line, 13) <= 120 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_long_name_is_cut_in_the_middle() -> None:
    lines = wrapped("photographs/" + "x" * 300 + "/ants.jpg", 120, 13, 2)
    assert len(lines) == 2
    assert lines[0].startswith("photographs/")
    assert "…" in "".join(lines)
    assert lines[-1].endswith("ants.jpg")


def test_names_in_other_alphabets_have_a_font_that_knows_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pillow's own font draws boxes for them."""
    asked: list[tuple[str, ...]] = []

    def installed(names: tuple[str, ...], size: int) -> lettering.Font:
        asked.append(names)
        return lettering._usual(size)

    monkeypatch.setattr(lettering, "_installed", installed)
    sheet_png(PictureSheet("猫.jpg", "", (Group("", (Cell(gray(), ("Мышь",)),)),)))
    assert "NotoSansCJK-Regular.ttc" in asked[0]
    assert "DejaVuSans.ttf" in asked[-1]


def drawn(monkeypatch: pytest.MonkeyPatch, sheet: PictureSheet) -> tuple[Image.Image, str]:
    """The picture, and what is written on it."""
    texts: dict[str, None] = {}
    text = as_png._Page._text

    def noted(self: Any, left: int, top: int, line: str, *others: Any, **named: Any) -> int:
        texts[line] = None
        return text(self, left, top, line, *others, **named)

    monkeypatch.setattr(as_png._Page, "_text", noted)
    return Image.open(io.BytesIO(sheet_png(sheet))), " ".join(texts)


def test_too_much_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = tuple(Cell(gray(200, 1200), (str(n),)) for n in range(80))
    groups = (Group("first", cells), Group("second", (Cell(gray()),)), Group("third"))
    sheet = PictureSheet("Title", "", groups, notes=("a note",), elsewhere="See a page.")
    picture, text = drawn(monkeypatch, sheet)
    assert TALLEST <= picture.height < TALLEST + 400
    assert "it would be too long: " in text
    assert " pictures of first, second, third. See a page." in text
    assert "a note" in text


def test_everything_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = (
        Group("conv1", (Cell(gray(), ("0",)), Cell(gray(), ("1",), new_row=True)), beside=("8x8",)),
        Group("answer", beside=("most probable",), shares=(Share("ants", 0.75), Share("<b>", 0.0))),
    )
    sheet = PictureSheet("Title", "more", groups, ColorScale("-m", "0", "+m"))
    _, text = drawn(monkeypatch, sheet)
    for word in ("conv1", "8x8", "75.0 %", "ants", "-m", "+m"):
        assert word in text
    page = sheet_page(sheet)
    assert "75.0 %" in page
    assert "&lt;b&gt;" in page
