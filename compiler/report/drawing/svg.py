"""SVG output: one file without scripts or fonts; dark on dark screens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from . import text_width as measure
from .dot import Sizes
from .palette import BADGE, FAINT, FRAME, GROUND, LINE, PAGE, TEXT, TINTS
from .picture import Box, Frame, Picture
from .place import Placed, Point, place

FONT = "'DejaVu Sans', Verdana, 'Helvetica Neue', Arial, sans-serif"

_MAIN, _SMALL, _LABEL, _TITLE, _SUBTITLE = 12.0, 10.5, 9.5, 18.0, 11.5
_LINE_HEIGHT = 15.0
_WIDEST = 300.0
"""The largest width of a box's text; the tooltip shows longer ones in full."""
_MARGIN = 24.0
_HEAD = 58.0
_BAND = 14.0
_LEAST_WIDTH = 330.0
_STACKED = 4.0
"""The offset of the boxes drawn behind a repeated one."""


def svg(picture: Picture, *, dark: bool = True) -> tuple[str, float, float]:
    """The SVG text, its width and height in pixels.

    With `dark`, colors follow the reader's screen. Raises NotInstalled.
    """
    labeled = {arrow.source for arrow in picture.arrows if arrow.labeled}

    def band(box: Box) -> float:
        """The space below a box for its output shape."""
        return (_BAND if box in labeled else 0.0) + (_STACKED if box.count > 1 else 0.0)

    def node_size(box: Box) -> tuple[float, float]:
        width, height = _box_size(box)
        return width, height + band(box)

    placed = place(picture, Sizes(node_size, _frame_title_size))
    # For Graphviz, box and band are one; from here on they are separate.
    placed.boxes = {box: (x, y - band(box) / 2) for box, (x, y) in placed.boxes.items()}
    return _assembled(picture, placed, dark)


def _assembled(picture: Picture, placed: Placed, dark: bool) -> tuple[str, float, float]:
    inner = max(placed.width, _LEAST_WIDTH)
    top = _MARGIN + _HEAD + _legend_height(picture, inner)
    width = inner + 2 * _MARGIN + _STACKED
    height = top + placed.height + _MARGIN + _STACKED
    left = _MARGIN + (inner - placed.width) / 2
    size = f'width="{_n(width)}" height="{_n(height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" {size} '
        f'font-family="{escape(FONT)}" role="group">',
        f"<title>{escape(picture.title)}</title>",
        *([f"<style>{_dark_style()}</style>"] if dark else []),
        f'<rect class="page" width="100%" height="100%" fill="{PAGE.light}"/>',
        _text(_MARGIN, _MARGIN + 12, picture.title, _TITLE, bold=True, anchor="start"),
        _text(_MARGIN, _MARGIN + 31, picture.subtitle, _SUBTITLE, faint=True, anchor="start"),
        f'<g transform="translate({_n(_MARGIN)} {_n(_MARGIN + 44)})">',
        *_legend(picture, inner),
        "</g>",
        f'<g transform="translate({_n(left)} {_n(top)})">',
        *_frames(picture, placed),
        *_arrows(placed),
        *_frame_titles(picture, placed),
        *_boxes(picture, placed),
        *_labels(placed),
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n", width, height


# ---- sizes -----------------------------------------------------------------------------------


def _box_size(box: Box) -> tuple[float, float]:
    widths = [_line_width(line, main) for line, main in _box_lines(box)]
    if box.small:
        return max([*widths, 22.0]) + 20, 22.0 + _LINE_HEIGHT * (len(widths) - 1)
    badge = 2 * _badge_width(box.count) * 0.5 if box.count > 1 else 0
    return max(widths) + 22 + badge, _LINE_HEIGHT * len(widths) + 13


def _box_lines(box: Box) -> list[tuple[str, bool]]:
    if box.small:
        # In merges, further operations are on the same line.
        texts = [f"{box.label}:" if box.label else "", *box.before, box.main, *box.after]
        return [(measure.cut(" · ".join(filter(None, texts)), _SMALL, _WIDEST), False)]
    return [
        (measure.cut(line, _MAIN if main else _SMALL, _WIDEST, bold=main), main)
        for line, main in box.lines()
    ]


def _line_width(line: str, main: bool) -> float:
    return measure.width(line, _MAIN if main else _SMALL, bold=main)


def _frame_title_size(frame: Frame) -> tuple[float, float]:
    badge = _badge_width(frame.count) + 10 if frame.count > 1 else 0.0
    title = measure.width(_frame_title(frame), _SMALL)
    return (title + badge, 15.0) if title + badge else (0.0, 0.0)


def _frame_title(frame: Frame) -> str:
    return measure.cut(frame.title, _SMALL, 1.6 * _WIDEST)


def _badge_width(count: int) -> float:
    return measure.width(f"×{count}", _SMALL, bold=True) + 10


# ---- drawing ---------------------------------------------------------------------------------


def _legend(picture: Picture, width: float) -> Iterator[str]:
    for kind, x, y in _legend_places(picture, width):
        tint = TINTS[kind]
        yield (
            f'<rect class="{kind}" x="{_n(x)}" y="{_n(y)}" width="12" height="12" rx="3" '
            f'fill="{tint.fill}" stroke="{tint.stroke}"/>'
        )
        yield _text(x + 17, y + 10, tint.meaning, _LABEL + 0.5, faint=True, anchor="start")


def _legend_places(picture: Picture, width: float) -> list[tuple[str, float, float]]:
    places = []
    x = y = 0.0
    for kind in picture.kinds():
        needed = 17 + measure.width(TINTS[kind].meaning, _LABEL + 0.5) + 14
        if x and x + needed > width:
            x, y = 0.0, y + 18
        places.append((kind, x, y))
        x += needed
    return places


def _legend_height(picture: Picture, width: float) -> float:
    return max(y for _, _, y in _legend_places(picture, width)) + 18


def _frames(picture: Picture, placed: Placed) -> Iterator[str]:
    for frame in picture.frames:
        if frame not in placed.frames:
            continue
        x1, y1, x2, y2 = placed.frames[frame]
        dashes = ' stroke-dasharray="4 3"' if frame.aux else ""
        shape = f'width="{_n(x2 - x1)}" height="{_n(y2 - y1)}" rx="8"'
        colors = f'fill="{GROUND.light}" stroke="{FRAME.light}"{dashes}'
        if frame.count > 1:
            stacked = f'x="{_n(x1 + _STACKED)}" y="{_n(y1 + _STACKED)}"'
            yield f'<rect class="frame" {stacked} {shape} {colors}/>'
        yield f'<rect class="frame" x="{_n(x1)}" y="{_n(y1)}" {shape} {colors}/>'


def _frame_titles(picture: Picture, placed: Placed) -> Iterator[str]:
    """Titles of frames, drawn above arrows."""
    for frame in picture.frames:
        if frame not in placed.frames:
            continue
        x1, y1, x2, _ = placed.frames[frame]
        title = _frame_title(frame)
        if title:
            yield _text(x1 + 10, y1 + 18, title, _SMALL, faint=True, anchor="start", halo=True)
        if frame.count > 1:
            yield from _badge(x2 - 8 - _badge_width(frame.count) / 2, y1 + 14, frame.count)


def _boxes(picture: Picture, placed: Placed) -> Iterator[str]:
    for box in picture.boxes:
        x, y = placed.boxes[box]
        width, height = _box_size(box)
        tint = TINTS[box.kind]
        left, top = x - width / 2, y - height / 2
        radius = height / 2 if box.small else 5
        shape = f'width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"'
        dashes = ' stroke-dasharray="4 3"' if box.aux else ""
        colors = f'fill="{tint.fill}" stroke="{tint.stroke}"{dashes}'
        # Pages that hold the drawing find the layers of a box by this attribute.
        layers = escape(" ".join(box.layers))
        yield f'<g class="box" data-layers="{layers}" tabindex="0" role="img">'
        yield f"<title>{escape(box.tooltip)}</title>"
        if box.count > 1:
            stacked = f'x="{_n(left + _STACKED)}" y="{_n(top + _STACKED)}"'
            yield f'<rect class="{box.kind}" {stacked} {shape} {colors}/>'
        yield f'<rect class="{box.kind}" x="{_n(left)}" y="{_n(top)}" {shape} {colors}/>'
        lines = _box_lines(box)
        baseline = y - (len(lines) - 1) * _LINE_HEIGHT / 2 + 4
        for position, (line, main) in enumerate(lines):
            size = _MAIN if main else _SMALL
            yield _text(x, baseline + position * _LINE_HEIGHT, line, size, bold=main)
        if box.count > 1:
            yield from _badge(left + width, top, box.count)
        yield "</g>"


def _badge(x: float, y: float, count: int) -> Iterator[str]:
    width = _badge_width(count)
    yield (
        f'<rect class="badge" x="{_n(x - width / 2)}" y="{_n(y - 8)}" width="{_n(width)}" '
        f'height="16" rx="8" fill="{BADGE.light}"/>'
    )
    text = f"×{count}"
    yield (
        f'<text class="badge-text" x="{_n(x)}" y="{_n(y + 3.8)}" font-size="{_SMALL}" '
        f'font-weight="bold" text-anchor="middle" fill="{PAGE.light}">{text}</text>'
    )


def _arrows(placed: Placed) -> Iterator[str]:
    for arrow, points in placed.arrows:
        *curve, tip = points
        # The arrow starts with a line through the band below its box.
        x, y = placed.boxes[arrow.source]
        stub = f"M{_n(x)},{_n(y + _box_size(arrow.source)[1] / 2)}L"
        dashes = ' stroke-dasharray="4 3"' if arrow.target.aux else ""
        yield (
            f'<path class="line" d="{stub}{_path(curve)}" fill="none" stroke="{LINE.light}" '
            f'stroke-width="1.3"{dashes}/>'
        )
        yield f'<path class="head" d="{_head(curve[-1], tip)}" fill="{LINE.light}"/>'


def _path(curve: Sequence[Point]) -> str:
    start, *rest = [f"{_n(x)},{_n(y)}" for x, y in curve]
    return f"{start}C{' '.join(rest)}"


def _head(base: Point, tip: Point) -> str:
    """The arrow's head: a triangle from the end of the curve to the box."""
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    across, along = (-dy / length * 3, dx / length * 3), (dx, dy)
    points = [
        (base[0] + across[0], base[1] + across[1]),
        (base[0] + along[0], base[1] + along[1]),
        (base[0] - across[0], base[1] - across[1]),
    ]
    return "M" + "L".join(f"{_n(x)},{_n(y)}" for x, y in points) + "Z"


def _labels(placed: Placed) -> Iterator[str]:
    """Output shapes, beside the beginning of each arrow; drawn above all lines."""
    for arrow, _ in placed.arrows:
        if arrow.labeled:
            x, y = placed.boxes[arrow.source]
            below = y + _box_size(arrow.source)[1] / 2 + 11
            below += _STACKED if arrow.source.count > 1 else 0
            label = arrow.source.output
            yield _text(x + 5, below, label, _LABEL, faint=True, anchor="start", halo=True)


def _text(
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    bold: bool = False,
    faint: bool = False,
    anchor: str = "middle",
    halo: bool = False,
) -> str:
    css, ink = ("faint", FAINT) if faint else ("ink", TEXT)
    weight = ' font-weight="600"' if bold else ""
    outline = ""
    if halo:
        # An outline separates the text from lines behind it.
        css += " halo"
        outline = f' stroke="{GROUND.light}" stroke-width="3" paint-order="stroke"'
    return (
        f'<text class="{css}" x="{_n(x)}" y="{_n(y)}" font-size="{size:g}" '
        f'text-anchor="{anchor}" fill="{ink.light}"{weight}{outline}>{escape(text)}</text>'
    )


def _n(number: float) -> str:
    """A tenth of a pixel is enough."""
    return f"{number:.1f}".removesuffix(".0")


def _dark_style() -> str:
    rules = [
        f".page{{fill:{PAGE.dark}}}",
        f".ink{{fill:{TEXT.dark}}}",
        f".faint{{fill:{FAINT.dark}}}",
        f".halo{{stroke:{GROUND.dark}}}",
        f".line{{stroke:{LINE.dark}}}",
        f".head{{fill:{LINE.dark}}}",
        f".frame{{fill:{GROUND.dark};stroke:{FRAME.dark}}}",
        f".badge{{fill:{BADGE.dark}}}",
        f".badge-text{{fill:{PAGE.dark}}}",
        *[
            f".{kind}{{fill:{tint.dark_fill};stroke:{tint.dark_stroke}}}"
            for kind, tint in TINTS.items()
        ],
    ]
    return f"@media(prefers-color-scheme:dark){{{''.join(rules)}}}"
