"""Drawing formats of `cnn draw`: svg, png, html, tikz, dot, mermaid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ...analysis import Analysis
from .diagram import diagram
from .paint import picture
from .scene import Scene

SUFFIXES = {
    ".svg": "svg",
    ".png": "png",
    ".dot": "dot",
    ".gv": "dot",
    ".mermaid": "mermaid",
    ".mmd": "mermaid",
    ".tex": "tikz",
    ".html": "html",
    ".htm": "html",
}


def format_of(file: str) -> str | None:
    """The format for a file name, by its ending."""
    return SUFFIXES.get(PurePath(file).suffix.lower())


def draw(
    analysis: Analysis,
    format: str,
    *,
    unfold: bool = False,
    max_depth: int | None = None,
    horizontal: bool = False,
    volumes: bool = False,
    figures: Sequence[str] = (),
) -> bytes:
    """Draws networks; raises paint.TooLarge, png.NotInstalled and png.NoFont."""
    # Imported when needed: each format has its own.
    drawing = picture(analysis, unfold=unfold, max_depth=max_depth, figures=figures)
    if format == "dot":
        from .dot import dot

        return f"{dot(drawing, horizontal=horizontal)}\n".encode()
    if format == "mermaid":
        from .mermaid import mermaid

        return f"{mermaid(drawing, horizontal=horizontal)}\n".encode()
    if volumes:
        from .volumes import volumes as volumes_of

        scene = volumes_of(analysis, max_depth=max_depth, unfold=unfold)
    else:
        scene = diagram(drawing, horizontal=horizontal)
    if format != "html":
        return _written(scene, format)
    from .page import page
    from .svg import svg
    from .views import View, views

    text = svg(scene)
    if volumes or unfold:
        return page(analysis, [View("Drawing", "", text)]).encode()
    shown = views(
        analysis, drawing, text, max_depth=max_depth, horizontal=horizontal, figures=figures
    )
    return page(analysis, shown).encode()


def draw_to_one_scale(
    analyses: Sequence[Analysis],
    format: str,
    *,
    unfold: bool = False,
    max_depth: int | None = None,
) -> bytes:
    """Draws the maps of several networks in one picture; raises as `draw` does."""
    from .one_scale import one_scale

    return _written(one_scale(analyses, max_depth=max_depth, unfold=unfold), format)


def _written(scene: Scene, format: str) -> bytes:
    if format == "tikz":
        from .tikz import tikz

        return tikz(scene).encode()
    from .svg import svg

    if format == "png":
        from .png import png

        # A PNG cannot adapt to dark screens.
        return png(svg(scene, dark=False), scene.width, scene.height)
    return svg(scene).encode()
