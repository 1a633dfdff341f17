"""HTML output: a page with the drawing, whose boxes can be clicked and whose repeated parts unfold,
and the table of layers below. It is one file, and loads nothing from anywhere.
"""

from __future__ import annotations

import json
from html import escape

from ...analysis import Analysis
from ..explain.layer import layer_lines
from ..rows import Row, rows
from ..table import conventions, exact_columns, facts, title
from ..wording import Wording
from .page_script import SCRIPT
from .palette import FAINT, FRAME, GROUND, PAGE, TEXT, TINTS
from .views import View

_MAX_EXPLAINED = 4_000
"""The most layers that are explained on a page."""

_STYLE = f"""
:root {{ color-scheme: light dark; --page: {PAGE.light}; --text: {TEXT.light};
  --faint: {FAINT.light}; --line: {FRAME.light}; --ground: {GROUND.light};
  --mark: {TINTS["conv"].stroke}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --page: {PAGE.dark}; --text: {TEXT.dark};
  --faint: {FAINT.dark}; --line: {FRAME.dark}; --ground: {GROUND.dark};
  --mark: {TINTS["conv"].dark_stroke}; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--page); color: var(--text); font: 14px/1.45 system-ui,
  sans-serif; }}
#bar {{ position: sticky; top: 0; z-index: 2; display: flex; flex-wrap: wrap; gap: .4rem;
  align-items: center; padding: .4rem .8rem; background: var(--ground);
  border-bottom: 1px solid var(--line); }}
#bar output {{ min-width: 3.2em; text-align: center; font-variant-numeric: tabular-nums; }}
button, select {{ font: inherit; color: inherit; background: var(--page);
  border: 1px solid var(--line); border-radius: 6px; padding: .2rem .7rem; min-height: 2rem;
  max-width: 100%; }}
button {{ cursor: pointer; }}
:focus-visible {{ outline: 2px solid var(--mark); outline-offset: 2px; }}
#work {{ display: flex; align-items: flex-start; }}
#stage {{ flex: 1 1 0; min-width: 0; overflow-x: auto; }}
#stage svg {{ display: block; margin: 0 auto; }}
#stage .box, #stage .repeat {{ cursor: pointer; }}
#stage .box:hover :is(rect, path), #stage .box:focus-visible :is(rect, path) {{
  stroke-width: 2.5; }}
#stage .chosen :is(rect, path) {{ stroke-width: 3; }}
#stage g:focus {{ outline: none; }}
#stage g:focus-visible {{ outline: 2px solid var(--mark); outline-offset: 3px; }}
#about {{ flex: 0 0 26rem; position: sticky; top: 3rem; max-height: calc(100vh - 3rem);
  overflow: auto; padding: .8rem 1rem 2rem; border-left: 1px solid var(--line); }}
#about[hidden] {{ display: none; }}
#about h2 {{ font-size: 1.05rem; margin: .2rem 5rem .6rem 0; overflow-wrap: anywhere; }}
#about .close {{ position: absolute; right: .8rem; top: .6rem; }}
#about details {{ border-top: 1px solid var(--line); padding: .3rem 0; }}
#about summary {{ cursor: pointer; overflow-wrap: anywhere; }}
#about dl {{ margin: .3rem 0; display: grid; grid-template-columns: max-content 1fr;
  gap: .1rem .8rem; }}
#about dt {{ color: var(--faint); }}
#about dd {{ margin: 0; overflow-wrap: anywhere; }}
main {{ max-width: 70rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }}
p, .faint {{ color: var(--faint); }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .2rem .8rem; border-bottom: 1px solid var(--line); }}
th {{ background: var(--ground); }}
.number {{ text-align: right; }}
code {{ font: 13px ui-monospace, monospace; }}
@media (max-width: 800px) {{
  #about {{ position: fixed; left: 0; right: 0; bottom: 0; top: auto; max-height: 50vh; z-index: 3;
    background: var(--page); border-left: none; border-top: 2px solid var(--line);
    padding-bottom: 1rem; }}
  main {{ padding: 1rem .8rem 55vh; }}
  #bar {{ padding: .4rem; flex-wrap: nowrap; }}
  #bar select {{ flex: 1 1 0; min-width: 0; }}
}}
@media print {{ #bar, #about {{ display: none; }} }}
"""


def page(analysis: Analysis, views: list[View]) -> str:
    """The page with several drawings of the network, of which it shows the first."""
    network = analysis.network
    layers = [row for row in rows(analysis) if not row.aux]
    heads = [row for row in rows(analysis) if row.aux]
    options = "".join(
        f'<option value="{number}">{escape(view.name)}</option>'
        for number, view in enumerate(views)
    )
    only = " hidden" if len(views) == 1 else ""
    unfold = "" if only else " Click ×2 to unfold what repeats."
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Whatever a spec may have injected: nothing is loaded from anywhere.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">",
        f"<title>{escape(network.name)}</title><style>{_STYLE}</style></head><body>",
        '<div id="bar" role="toolbar" aria-label="Drawing">',
        f'<select id="view" aria-label="What is unfolded"{only}>{options}</select>',
        '<button id="less" aria-label="Smaller">−</button><output id="zoom">100 %</output>'
        '<button id="more" aria-label="Larger">+</button><button id="fit">Fit</button>',
        "</div>",
        '<div id="work"><div id="stage" role="region" aria-label="Drawing of the network">',
        f'{views[0].svg}</div><aside id="about" aria-label="Layer" aria-live="polite" hidden>'
        "</aside></div>",
        *[f'<template data-part="{escape(v.part)}">{v.svg}</template>' for v in views],
        "<main>",
        f"<p>{escape(title(analysis))}. Click a box, or go to it with Tab and press Enter, for its"
        f" arithmetic.{unfold} Ctrl and the wheel zoom.</p>",
        _totals(analysis),
        _table(analysis, layers),
    ]
    if heads:
        parts += ["<p>Only in training:</p>", _table(analysis, heads)]
    parts += [f"<p>{escape(line)}</p>" for line in conventions(analysis)]
    parts += [
        "</main>",
        f'<script type="application/json" id="layers">{_explained(analysis)}</script>',
        f"<script>{SCRIPT}</script>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _explained(analysis: Analysis) -> str:
    """What a click on a box shows, as JSON inside of a page."""
    wording = Wording(analysis.network)
    layers = {
        node.name: [wording.layer(node), [list(line) for line in layer_lines(analysis, node)]]
        for node in analysis.network.nodes[:_MAX_EXPLAINED]
    }
    # No text of a spec ends the element that holds it.
    return json.dumps(layers, separators=(",", ":")).replace("<", "\\u003c")


def _totals(analysis: Analysis) -> str:
    body = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{escape(figure)}</td>'
        f"<td>{escape(remark)}</td></tr>"
        for name, figure, remark in facts(analysis, 1)
    )
    return f'<div class="wide"><table>{body}</table></div>'


def _table(analysis: Analysis, table_rows: list[Row]) -> str:
    names, cells = exact_columns(analysis, table_rows)
    head = "".join(
        f'<th class="number">{name}</th>' if position > 2 else f"<th>{name}</th>"
        for position, name in enumerate(names)
    )
    body = "\n".join(_row(row) for row in cells)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _row(cells: list[str]) -> str:
    name, layer, output, *figures = cells
    shown = f"<td><code>{escape(name)}</code></td><td><code>{escape(layer)}</code></td>"
    numbers = "".join(f"<td class=number>{figure}</td>" for figure in figures)
    return f"<tr>{shown}<td>{output}</td>{numbers}</tr>"
