"""The network: drawing, layers and spec."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from ...compiler.analysis import Analysis
from ...compiler.report.drawing.formats import draw
from ...compiler.report.drawing.paint import TooLarge
from ...compiler.report.drawing.place import NotInstalled
from ...compiler.report.figures import exact, pair
from ...compiler.report.rows import Row, rows
from ...compiler.report.table import conventions
from ...compiler.shapes import text
from .contents import Contents
from .markup import Html, details, element, escape, section, table


def network(contents: Contents, analysis: Analysis) -> Html:
    found = rows(analysis)
    parts = [
        element("p", _about(analysis), class_="faint"),
        _drawing(analysis),
        details("All layers", _table([row for row in found if not row.aux], "Layers"), _counted()),
    ]
    heads = [row for row in found if row.aux]
    if heads:
        parts.append(details("In training only", _table(heads, "Auxiliary heads")))
    return section("network", "Network", *parts)


def _about(analysis: Analysis) -> str:
    totals = analysis.totals
    return (
        f"{analysis.network.name} takes {text(analysis.network.input.shape)} and has"
        f" {exact(totals.params)} parameters; one image costs {exact(totals.macs)} multiply-adds."
    )


def spec(contents: Contents) -> Html:
    lines = contents.network.program.main.source.text.splitlines()
    # A spec has line ends, which `escape` makes visible: line by line.
    return section("spec", "Spec", Html(f"<pre>{chr(10).join(map(escape, lines))}</pre>"))


def _drawing(analysis: Analysis) -> Html:
    try:
        drawn = draw(analysis, "svg")
    except TooLarge as error:
        return element("p", f"No drawing: {error}.", class_="faint")
    except NotInstalled as error:
        said = f"For a drawing: {error.help}"
        return element("p", said, class_="faint")
    # As an image, so that its styles stay in it.
    address = f"data:image/svg+xml;base64,{base64.b64encode(drawn).decode('ascii')}"
    alt = f"Drawing of {analysis.network.name}; its layers are in the table below"
    image = element("img", src=address, alt=alt, loading="lazy")
    return element("div", image, class_="tall", role="region", aria_label="Drawing", tabindex="0")


def _table(found: Sequence[Row], caption: str) -> Html:
    head = ["name", "layer", "output", "params", "MACs", "sees"]
    lines = [
        [
            element("code", row.name),
            element("code", row.layer),
            text(row.output),
            exact(row.params) if row.params else "",
            exact(row.macs) if row.macs else "",
            "all" if row.whole else pair(row.field),
        ]
        for row in found
    ]
    return table(caption, head, lines, numbers_from=3)


def _counted() -> Html:
    return element("p", " ".join(conventions()), class_="faint")
