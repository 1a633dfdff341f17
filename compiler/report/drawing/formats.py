"""`cnn draw`: a picture in one of several formats."""

from __future__ import annotations

from pathlib import PurePath

from ...analysis import Analysis
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
    """By the ending of a file's name."""
    return SUFFIXES.get(PurePath(file).suffix.lower())


def draw(
    analysis: Analysis, format: str, *, unfold: bool = False, max_depth: int | None = None
) -> bytes:
    """Raises paint.TooLarge, place.NotInstalled and png.NoFont."""
    found = picture(analysis, unfold=unfold, max_depth=max_depth)
    # Each imported where it is needed: drawing as text needs no layout.
    if format == "dot":
        from .dot import dot

        return f"{dot(found)}\n".encode()
    if format == "mermaid":
        from .mermaid import mermaid

        return f"{mermaid(found)}\n".encode()
    from .svg import svg

    if format == "png":
        from .png import png

        # A picture has no reader's screen to go by.
        return png(*svg(found, dark=False))
    text, _, _ = svg(found)
    if format == "html":
        from .page import page

        text = page(analysis, text)
    return text.encode()
