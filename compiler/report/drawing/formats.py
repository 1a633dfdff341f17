"""Drawing formats of `cnn draw`: svg, png, html, dot, mermaid."""

from __future__ import annotations

from pathlib import PurePath

from ...analysis import Analysis
from .diagram import diagram
from .paint import picture

SUFFIXES = {
    ".svg": "svg",
    ".png": "png",
    ".dot": "dot",
    ".gv": "dot",
    ".mermaid": "mermaid",
    ".mmd": "mermaid",
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
) -> bytes:
    """Draws networks; raises paint.TooLarge, png.NotInstalled and png.NoFont."""
    drawing = picture(analysis, unfold=unfold, max_depth=max_depth)
    # Imported when needed: each format has its own.
    if format == "dot":
        from .dot import dot

        return f"{dot(drawing)}\n".encode()
    if format == "mermaid":
        from .mermaid import mermaid

        return f"{mermaid(drawing)}\n".encode()
    from .svg import svg

    scene = diagram(drawing, horizontal=horizontal)
    if format == "png":
        from .png import png

        # A PNG cannot adapt to dark screens.
        return png(svg(scene, dark=False), scene.width, scene.height)
    text = svg(scene)
    if format == "html":
        from .page import page

        text = page(analysis, text)
    return text.encode()
