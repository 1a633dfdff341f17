"""HTML output: a page with a zoomable picture, and the table of layers below."""

from __future__ import annotations

from html import escape

from ...analysis import Analysis
from ...shapes import text
from ..figures import exact, pair
from ..rows import Row, rows
from ..table import conventions, facts, title
from .palette import FAINT, FRAME, GROUND, PAGE, TEXT

# The wheel zooms around the pointer, dragging moves, a double click shows everything again. Zooming
# changes the viewBox, so that lines and text stay sharp.
_SCRIPT = """
const stage = document.getElementById("stage"), svg = stage.querySelector("svg");
const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
let x, y, w, h;
function show() { svg.setAttribute("viewBox", [x, y, w, h].join(" ")); }
function fit() {
  const box = stage.getBoundingClientRect(), shown = Math.min(1, box.width / width);
  w = box.width / shown; h = box.height / shown; x = (width - w) / 2; y = 0; show();
}
svg.removeAttribute("width"); svg.removeAttribute("height");
svg.style.width = svg.style.height = "100%";
stage.addEventListener("wheel", event => {
  event.preventDefault();
  const box = stage.getBoundingClientRect(), factor = Math.exp(event.deltaY / 500);
  const fx = (event.clientX - box.left) / box.width, fy = (event.clientY - box.top) / box.height;
  x += fx * w * (1 - factor); y += fy * h * (1 - factor); w *= factor; h *= factor; show();
}, { passive: false });
let held = null;
stage.addEventListener("pointerdown", event => {
  held = [event.clientX, event.clientY]; stage.setPointerCapture(event.pointerId);
});
stage.addEventListener("pointermove", event => {
  if (!held) return;
  const box = stage.getBoundingClientRect();
  x -= (event.clientX - held[0]) * w / box.width; y -= (event.clientY - held[1]) * h / box.height;
  held = [event.clientX, event.clientY]; show();
});
stage.addEventListener("pointerup", () => { held = null; });
stage.addEventListener("dblclick", fit);
addEventListener("resize", fit);
fit();
"""

_STYLE = f"""
:root {{ color-scheme: light dark; --page: {PAGE.light}; --text: {TEXT.light};
  --faint: {FAINT.light}; --line: {FRAME.light}; --ground: {GROUND.light}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --page: {PAGE.dark}; --text: {TEXT.dark};
  --faint: {FAINT.dark}; --line: {FRAME.dark}; --ground: {GROUND.dark}; }} }}
body {{ margin: 0; background: var(--page); color: var(--text); font: 14px/1.45 system-ui,
  sans-serif; }}
#stage {{ height: 78vh; border-bottom: 1px solid var(--line); overflow: hidden; cursor: grab;
  touch-action: none; }}
main {{ max-width: 70rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }}
p {{ color: var(--faint); }}
table {{ border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .2rem .8rem; border-bottom: 1px solid var(--line); }}
th {{ background: var(--ground); position: sticky; top: 0; }}
.number {{ text-align: right; }}
code {{ font: 13px ui-monospace, monospace; }}
"""


def page(analysis: Analysis, svg: str) -> str:
    network = analysis.network
    layers = [row for row in rows(analysis) if not row.aux]
    heads = [row for row in rows(analysis) if row.aux]
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Whatever a spec may have injected: nothing is loaded from anywhere.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">",
        f"<title>{escape(network.name)}</title><style>{_STYLE}</style></head><body>",
        f'<div id="stage">{svg}</div>',
        "<main>",
        f"<p>{escape(title(analysis))}. Wheel: zoom. Drag: move. Double click: show"
        " everything.</p>",
        _totals(analysis),
        _table(layers),
    ]
    if heads:
        parts += ["<p>Only in training:</p>", _table(heads)]
    parts += [f"<p>{escape(line)}</p>" for line in conventions(analysis)]
    parts += ["</main>", f"<script>{_SCRIPT}</script>", "</body></html>"]
    return "\n".join(parts) + "\n"


def _totals(analysis: Analysis) -> str:
    body = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{escape(figure)}</td>'
        f"<td>{escape(remark)}</td></tr>"
        for name, figure, remark in facts(analysis, 1)
    )
    return f"<table>{body}</table>"


def _table(table_rows: list[Row]) -> str:
    names = ["name", "layer", "output", "params", "MACs", "sees"]
    head = "".join(
        f'<th class="number">{name}</th>' if position > 2 else f"<th>{name}</th>"
        for position, name in enumerate(names)
    )
    body = "\n".join(_row(row) for row in table_rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _row(row: Row) -> str:
    cells = [f"<code>{escape(row.name)}</code>", f"<code>{escape(row.layer)}</code>"]
    cells.append(text(row.output))
    figures = [
        exact(row.params) if row.params else "",
        exact(row.macs) if row.macs else "",
        "all" if row.whole else pair(row.field),
    ]
    shown = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr>{shown}{''.join(f'<td class=number>{figure}</td>' for figure in figures)}</tr>"
