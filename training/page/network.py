"""The report's drawing of the network, table of its layers, and spec."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from ...compiler.analysis import Analysis
from ...compiler.report.drawing.formats import draw
from ...compiler.report.drawing.paint import TooLarge
from ...compiler.report.figures import exact
from ...compiler.report.rows import Row, rows
from ...compiler.report.table import conventions, exact_columns
from ...compiler.shapes import text
from .contents import Contents
from .markup import Html, details, element, escape, section, table


def network(contents: Contents, analysis: Analysis) -> Html:
    layers = rows(analysis)
    main, heads = [row for row in layers if not row.aux], [row for row in layers if row.aux]
    parts = [
        element("p", _about(analysis, contents.data.dataset.noun), class_="faint"),
        drawing(analysis, "its layers are in the table below"),
        details("All layers", _table(analysis, main, "Layers"), _conventions(analysis)),
    ]
    if heads:
        caption = "Auxiliary heads, for training only"
        parts.append(details(caption, _table(analysis, heads, caption)))
    return section("network", "Network", *parts)


def _about(analysis: Analysis, noun: str) -> str:
    totals = analysis.totals
    return (
        f"{analysis.network.name} takes an input of {text(analysis.network.input.shape)} and has"
        f" {exact(totals.params)} parameters; one {noun} needs {exact(totals.macs)} multiply-adds."
    )


def spec(contents: Contents) -> Html:
    lines = contents.network.program.main.source.text.splitlines()
    # Line by line, because `escape` makes line breaks visible.
    return section("spec", "Spec", Html(f"<pre>{chr(10).join(map(escape, lines))}</pre>"))


def drawing(analysis: Analysis, where: str) -> Html:
    """The drawing of a network; `where` says where its layers can be read."""
    try:
        drawn = draw(analysis, "svg")
    except TooLarge as error:
        return element("p", f"No drawing: {error}.", class_="faint")
    # An image keeps its style sheet apart from that of the page.
    address = f"data:image/svg+xml;base64,{base64.b64encode(drawn).decode('ascii')}"
    alt = f"Drawing of {analysis.network.name}; {where}"
    image = element("img", src=address, alt=alt, loading="lazy")
    return element("div", image, class_="tall", role="region", aria_label="Drawing", tabindex="0")


def _table(analysis: Analysis, layers: Sequence[Row], caption: str) -> Html:
    head, cells = exact_columns(analysis, layers)
    lines = [[element("code", name), element("code", layer), *rest] for name, layer, *rest in cells]
    return table(caption, head, lines, numbers_from=3)


def _conventions(analysis: Analysis) -> Html:
    return element("p", " ".join(conventions(analysis)), class_="faint")
