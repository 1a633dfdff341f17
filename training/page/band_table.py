"""The report's table of the bands of images: mean, deviation and percentiles of each."""

from __future__ import annotations

from ..data.images.visible import visible_note
from .contents import Contents
from .markup import Html, element, section, table


def bands(contents: Contents) -> Html | None:
    preparation = contents.data.preparation
    if not preparation.of_images:
        return None
    found = contents.data.dataset.bands
    note = visible_note(preparation.channels, preparation.depth)
    if not found and not note:
        return None
    said = element("p", f"On this page, {note}.") if note else ""
    if not found:
        return section("bands", "Bands", said)
    units = {
        8: "levels from 0 to 255",
        16: "numbers from 0 to 65,535",
        32: "the units of the files",
    }[preparation.depth]
    title = f"Pixels of the training images, in {units}"
    head = ["band", "mean", "deviation", "2 % below", "2 % above"]
    rows = [[str(band.number), *(f"{figure:.5g}" for figure in band[1:])] for band in found]
    return section("bands", "Bands", said, element("p", f"{title}.", class_="faint"),
                   table(title, head, rows))  # fmt: skip
