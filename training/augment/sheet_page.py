"""The contact sheet as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ..page.document import document
from ..page.markup import Html, element, joined, scrolling, section
from ..page.picture import data_address, viewable
from .sheet import Group, Sheet, shown_side, shown_size


def sheet_page(sheet: Sheet, explained: str) -> str:
    """The HTML text of a sheet; `explained` is what `cnn explain` prints about the augmentation."""
    sections = [
        section(f"group{number}", group.title, _table(sheet, group))
        for number, group in enumerate(sheet.groups)
    ]
    together = element("pre", joined(explained.split("\n")))
    sections.append(section("plan", "Passes", together))
    return document(sheet.title, sheet.subtitle, sections, "Written by cnn augment.")


def _table(sheet: Sheet, group: Group) -> Html:
    side = shown_side(sheet.groups)
    head = element("tr", element("td"), *(element("th", name, scope="col") for name in sheet.names))
    rows = [
        element("tr", element("th", row.label, scope="row"), *_cells(row.images, row.label, side))
        for row in group.rows
    ]
    return scrolling(group.title, element("table", head, joined(rows)))


def _cells(images: tuple[Tensor, ...], label: str, side: int) -> Iterator[Html]:
    for image in images:
        height, width = map(str, shown_size(image, side))
        address = data_address(viewable(image))
        yield element(
            "td",
            element("img", src=address, alt=label, class_="pixels", width=width, height=height),
        )
