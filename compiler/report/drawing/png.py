"""PNG output, rendered from the SVG by resvg."""

from __future__ import annotations

from functools import cache

_LARGEST = 12_000
"""The most pixels along a side: larger drawings are scaled down."""
_SCALE = 2.0

# resvg knows fonts only by name: it needs to be told which one is `sans-serif`.
_FAMILIES = (
    "DejaVu Sans", "Verdana", "Liberation Sans", "Noto Sans", "Arial", "Helvetica", "Segoe UI",
    "Roboto", "Ubuntu", "Open Sans", "Cantarell", "FreeSans", "Nimbus Sans",
)  # fmt: skip


class NotInstalled(Exception):
    """A library that only PNG needs is not installed."""

    def __init__(self, library: str) -> None:
        super().__init__(library)
        self.message = f"drawing a png needs {library}, which is not installed"
        self.help = 'pip install "dotcnn[draw]"; all other formats need nothing'


class NoFont(Exception):
    """No font is installed."""


def png(svg: str, width: float, height: float) -> bytes:
    """Renders a drawing; raises NotInstalled and NoFont."""
    try:
        import resvg_py
    except ImportError:
        raise NotInstalled("resvg-py") from None
    family = _family()
    if family is None:
        tried = ", ".join(_FAMILIES[:4])
        raise NoFont(f"png needs an installed font ({tried}, ...); svg does not")
    zoom = min(_SCALE, _LARGEST / max(width, height))
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom, sans_serif_family=family))


@cache
def _family() -> str | None:
    """The first font family that renders a letter."""
    import resvg_py

    def drawn(family: str, text: str) -> bytes:
        head = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        shown = f'<text y="8" font-family="{family}" font-size="9">{text}</text>'
        return bytes(resvg_py.svg_to_bytes(svg_string=f"{head}{shown}</svg>"))

    return next((f for f in _FAMILIES if drawn(f, "M") != drawn(f, "")), None)
