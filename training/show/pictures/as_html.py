"""Writes a sheet of pictures as a web page, which loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...page.document import document
from ...page.markup import Html, element, scrolling, section, table
from ...page.picture import data_address
from .picture_sheet import Cell, ColorScale, Group, PictureSheet


def sheet_page(sheet: PictureSheet) -> str:
    """The HTML text of the page."""
    sections = [_group(number, group) for number, group in enumerate(sheet.groups)]
    notes = [note for note in (sheet.without(), *sheet.notes) if note]
    if sheet.scale is not None or notes:
        about = list(_scale(sheet.scale)) if sheet.scale is not None else []
        about += [element("p", note) for note in notes]
        sections.append(section("reading", "How to read it", *about))
    return document(sheet.title, sheet.subtitle, sections, "Written by cnn show.")


def _group(number: int, group: Group) -> Html:
    texts = filter(None, [*group.beside, group.note])
    parts = [element("p", text, class_="faint") for text in texts]
    if group.cells:
        parts.append(_flow(group.cells))
    if group.shares:
        rows = [(each.name, f"{100 * each.share:.1f} %") for each in group.shares]
        parts.append(table(group.title, ("class", "probability"), rows))
    return section(f"group{number}", group.title or "Pictures", *parts)


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
                # Four pictures of 256 pixels fit beside each other, a little smaller.
                style=f"flex:1 1 {wide * 27 // 32}px;max-width:min(100%,{wide}px);"
                "font-size:.875rem;line-height:1.35;overflow-wrap:anywhere",
            )
        )  # fmt: skip
    return element("div", *figures, style="display:flex;flex-wrap:wrap;gap:.75rem")


def _scale(scale: ColorScale) -> Iterator[Html]:
    bar = scale.bar()
    words = " … ".join(filter(None, [scale.least, scale.middle, scale.most]))
    image = element("img", src=data_address(bar), alt=f"Color scale: {words}")
    ends = element(
        "div", *(element("span", each) for each in (scale.least, scale.middle, scale.most)),
        style=f"display:flex;justify-content:space-between;max-width:{bar.shape[-1]}px",
        class_="faint",
    )  # fmt: skip
    yield scrolling("Color scale", Html(image + ends))
