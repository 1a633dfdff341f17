"""What a panel beside the text shows of its network: drawing, table, totals, emitted module, the
arithmetic of a layer, differences from a spec of the gallery. These requests are the server's own:
the playground asks them, and so does the extension of VS Code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from lsprotocol.types import Position

from ... import __version__
from ...compiler.analysis import Analysis, analyse
from ...compiler.build.elaborate import elaborate
from ...compiler.emit import emit
from ...compiler.load_spec import load
from ...compiler.network import Network, Node
from ...compiler.report.diff import difference
from ...compiler.report.diff_text import diff_text
from ...compiler.report.drawing.diagram import diagram
from ...compiler.report.drawing.paint import TooLarge, picture
from ...compiler.report.drawing.svg import svg
from ...compiler.report.explain.layer import layer_lines
from ...compiler.report.gallery import header
from ...compiler.report.rows import rows
from ...compiler.report.style import Style
from ...compiler.report.table import exact_columns, facts
from ...compiler.report.wording import Wording
from ...compiler.report.words import Unknown, explain
from ...dsl.diagnostics import SpecError
from ...dsl.files import read_file
from ...dsl.program import GALLERY
from ...dsl.source import Source
from .document import Document
from .positions import offset, position

MOST_ROWS = 3_000
"""Of a table; a longer one is cut, and says so."""

Json = dict[str, Any]


def preview(document: Document, params: Mapping[str, Any]) -> Json | None:
    """The parts asked for: `table`, `drawing`, `emitted`. None if no network is known."""
    version = document.known
    network = version.network
    if network is None:
        return None
    analysis = analyse(network)
    wanted: Sequence[str] = params.get("parts", ("table",))
    found: Json = {
        "version": version.number,
        "current": version is document.now,
        "name": network.name,
        "facts": [list(fact) for fact in facts(analysis, 1)],
    }
    if "table" in wanted:
        found["table"] = _table(analysis, document)
    if "drawing" in wanted:
        found["drawing"] = _drawing(analysis, params.get("unfold", ""))
    if "emitted" in wanted:
        found["emitted"] = _emitted(network)
    return found


def _table(analysis: Analysis, document: Document) -> Json:
    listed = rows(analysis)
    names, cells = exact_columns(analysis, listed[:MOST_ROWS])
    source = document.known.source
    return {
        "columns": names,
        "rows": [
            {
                "cells": list(texts),
                "layer": row.nodes[0].name,
                "aux": row.aux,
                "line": _line(row.nodes[0], source),
            }
            for row, texts in zip(listed[:MOST_ROWS], cells, strict=True)
        ],
        "left_out": max(len(listed) - MOST_ROWS, 0),
    }


def _line(node: Node, source: object) -> int | None:
    """Where the text makes it, from 0: its line, or that of the call of an imported block."""
    if node.span.source is source:
        return node.span.line - 1
    for scope in node.scope.chain():
        if scope.span.source is source and scope.kind != "network":
            return scope.span.line - 1
    return None


def _drawing(analysis: Analysis, unfold: str) -> Json:
    try:
        drawn = picture(analysis, unfold=unfold == "*", opened={unfold} if unfold else set())
    except TooLarge as error:
        return {"why_not": str(error)}
    return {"svg": svg(diagram(drawn))}


def _emitted(network: Network) -> str:
    try:
        return emit(network, __version__)
    except SpecError as error:
        return "\n".join(f"# {each.message}" for each in error.diagnostics)


def explained(document: Document, params: Mapping[str, Any]) -> Json | None:
    """The arithmetic of a layer: the one of that name, or the first that a position makes."""
    version = document.known
    network = version.network
    if network is None:
        return None
    node = network.by_name.get(str(params.get("layer", "")))
    if node is None and "position" in params:
        node = _at(document, network, params["position"])
    if node is None:
        return None
    analysis = analyse(network)
    line = _line(node, version.source)
    same = [other.name for other in network.nodes if other.span == node.span]
    return {
        "layer": node.name,
        "title": Wording(network).layer(node),
        "lines": [list(each) for each in layer_lines(analysis, node)],
        "line": line,
        "same_line": same,
    }


def _at(document: Document, network: Network, at: Mapping[str, int]) -> Node | None:
    """The first layer of the statement at a position; else, of its line."""
    source = document.known.source
    place = offset(source, Position(at["line"], at["character"]))
    nodes = [node for node in network.nodes if node.span.source is source]
    within = [node for node in nodes if node.span.start <= place <= node.span.end]
    if within:
        return min(within, key=lambda node: node.span.end - node.span.start)
    on_line = [node for node in nodes if position(source, node.span.start).line == at["line"]]
    calls = [node for node in network.nodes if _line(node, source) == at["line"]]
    return next(iter([*on_line, *calls]), None)


# ---- the gallery -------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def gallery() -> list[Json]:
    """The specs with a network, without compiling them: `cnn gallery` does."""
    found: list[Json] = []
    for path in sorted(GALLERY.rglob("*.cnn")):
        text = read_file(path).text
        if "\nnetwork " not in f"\n{text}":
            continue
        title, authors, year, _ = header(text)
        found.append(
            {
                "name": path.stem,
                "family": path.parent.name if path.parent != GALLERY else "",
                "title": title.removesuffix(".cnn") or path.stem,
                "authors": authors,
                "year": year,
                "uri": path.as_uri(),
            }
        )
    return found


def _in_gallery(name: str) -> Source | None:
    """The text of one of them."""
    known = {entry["uri"] for entry in gallery() if entry["name"] == name}
    found = (path for path in GALLERY.rglob("*.cnn") if path.stem == name)
    path = next((path for path in found if path.as_uri() in known), None)
    return None if path is None else read_file(path)


def gallery_text(params: Mapping[str, Any]) -> str | None:
    source = _in_gallery(str(params.get("name", "")))
    return None if source is None else source.text


def differences(document: Document, params: Mapping[str, Any]) -> str | None:
    """From a spec of the gallery to the text, as `cnn diff` says it."""
    network = document.known.network
    other = _in_gallery(str(params.get("other", "")))
    if network is None or other is None:
        return None
    before = elaborate(load(other))
    return diff_text(difference(analyse(before), analyse(network)))


def word(params: Mapping[str, Any]) -> str | None:
    """What `cnn help` says."""
    try:
        return explain(str(params.get("word", "")), Style(width=80)).text
    except Unknown:
        return None
