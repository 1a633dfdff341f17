"""A drawing as PNG, made from the SVG by resvg."""

from __future__ import annotations

from functools import cache

from .place import NotInstalled

_LARGEST = 12_000
"""Pixels along a side: a longer drawing comes out smaller."""
_SCALE = 2.0


class NoFont(Exception):
    """There is no font to draw text with."""


def png(svg: str, width: float, height: float) -> bytes:
    """Raises NotInstalled, NoFont."""
    try:
        import resvg_py
    except ImportError:
        raise NotInstalled("resvg-py") from None
    if not _has_font():
        raise NoFont("no font is installed to draw text with; svg needs none")
    zoom = min(_SCALE, _LARGEST / max(width, height))
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom))


@cache
def _has_font() -> bool:
    """Whether a letter leaves a mark."""
    import resvg_py

    def drawn(text: str) -> bytes:
        head = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        shown = f'<text y="8" font-family="sans-serif" font-size="9">{text}</text>'
        return bytes(resvg_py.svg_to_bytes(svg_string=f"{head}{shown}</svg>"))

    return drawn("M") != drawn("")
