"""Mistakes, networks and results of training as HTML. It stands in a page of somebody else's, so
its styles are its own; nothing of a spec becomes HTML.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ...compiler.analysis import analyse
from ...compiler.network import Network
from ...compiler.report.drawing.diagram import diagram
from ...compiler.report.drawing.paint import TooLarge, picture
from ...compiler.report.drawing.svg import svg
from ...compiler.report.rows import rows
from ...compiler.report.table import exact_columns, facts, title
from ...dsl.diagnostics import Diagnostic
from ...dsl.render import render_text

if TYPE_CHECKING:
    from ...training.trainer.result import Result

MOST_ROWS = 500
MOST_BYTES = 5_000_000
"""Of a page that is put into the notebook; a larger one is linked."""

_MONO = "font-family: ui-monospace, monospace; font-size: 12.5px"
_WRONG = f"{_MONO}; border-left: 3px solid #b3261e; padding: .3em .8em; overflow-x: auto"
_WARNING = f"{_MONO}; border-left: 3px solid #b07400; padding: .3em .8em; overflow-x: auto"


def mistakes(found: Iterable[Diagnostic]) -> str:
    """As the command line prints them, with their carets."""
    listed = list(found)
    if not listed:
        return ""
    wrong = any(each.severity == "error" for each in listed)
    return f'<pre style="{_WRONG if wrong else _WARNING}">{escape(render_text(listed))}</pre>'


def network(shown: Network) -> str:
    """Its totals, its drawing, and its table, which opens with a click."""
    analysis = analyse(shown)
    listed = rows(analysis)
    names, cells = exact_columns(analysis, listed[:MOST_ROWS])
    right = 'style="text-align: right"'
    head = "".join(
        f"<th {right if n > 2 else ''}>{escape(name)}</th>" for n, name in enumerate(names)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td {right if n > 2 else ''}>{escape(cell)}</td>" for n, cell in enumerate(row))
        + "</tr>"
        for row in cells
    )
    more = len(listed) - MOST_ROWS
    left_out = f"<p>{more:,} more layers</p>" if more > 0 else ""
    totals = ", ".join(f"{figure} {name}" for name, figure, _ in facts(analysis, 1)[:4])
    return (
        f"<div><b>{escape(title(analysis))}</b><br>{escape(totals)}"
        f'<details><summary>Layers</summary><div style="overflow: auto; max-height: 30em">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left_out}</div>"
        f"</details><details open><summary>Drawing</summary>"
        f'<div style="overflow: auto; max-height: 45em">{_drawing(shown)}</div></details></div>'
    )


def _drawing(shown: Network) -> str:
    try:
        return svg(diagram(picture(analyse(shown))))
    except TooLarge as error:
        return f"<p>{escape(str(error))}</p>"


def result(ended: Result) -> str:
    """The figures of a run, and its page."""
    figures = ", ".join(f"{escape(name)} {value:.4g}" for name, value in ended.metrics.items())
    said = (
        f"<div><b>{escape(str(ended.folder))}</b>: {ended.epochs} epochs,"
        f" {escape(ended.reason)}; {figures}"
    )
    return f"{said}{_page(ended.report)}</div>"


def _page(report: Path | None) -> str:
    """The page of the run, in a frame of its own, where its scripts reach nothing else."""
    if report is None or not report.is_file():
        return ""
    if report.stat().st_size > MOST_BYTES:
        return f"<p>Its page: {escape(str(report))}</p>"
    text = escape(report.read_text(encoding="utf-8"), quote=True)
    frame = f'<iframe sandbox="allow-scripts" srcdoc="{text}" width="100%" height="640"></iframe>'
    return f"<details open><summary>Its page</summary>{frame}</details>"
