"""SVG output: one file without scripts or fonts; dark on dark screens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from .palette import GROUND, PAGE, PAINTS, Ink
from .scene import Group, Item, Line, Point, Polygon, Rectangle, Scene, Words

FONT = "'DejaVu Sans', Verdana, 'Helvetica Neue', Arial, sans-serif"
HEAD = 6.5
"""The length of an arrowhead."""


def svg(scene: Scene, *, dark: bool = True) -> str:
    """The SVG text. With `dark`, colors follow the reader's screen."""
    width, height = _n(scene.width), _n(scene.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="{escape(FONT)}" role="group">',
        f"<title>{escape(scene.title)}</title>",
        *([f"<style>{_dark_style()}</style>"] if dark else []),
        f'<rect class="page" width="100%" height="100%" fill="{PAGE.light}"/>',
        *_shapes([*scene.heading, *scene.items]),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _shapes(items: Iterable[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, Group):
            yield from _group(item)
        elif isinstance(item, Rectangle):
            yield _rectangle(item)
        elif isinstance(item, Line):
            yield from _line(item)
        elif isinstance(item, Polygon):
            yield from _polygon(item)
        else:
            yield _words(item)


def _group(group: Group) -> Iterator[str]:
    data = "".join(f' data-{name}="{escape(value)}"' for name, value in group.data.items())
    focus = ' tabindex="0" role="img"' if group.focusable else ""
    yield f'<g class="{group.kind}"{data}{focus}>'
    if group.tooltip:
        yield f"<title>{escape(group.tooltip)}</title>"
    yield from _shapes(group.items)
    yield "</g>"


def _colors(paint: str) -> str:
    fill, stroke = PAINTS[paint]
    filled = f'fill="{fill.light if fill else "none"}"'
    return f'class="{paint}" {filled}' + (f' stroke="{stroke.light}"' if stroke else "")


def _dashes(dashed: bool) -> str:
    return ' stroke-dasharray="4 3"' if dashed else ""


def _rectangle(item: Rectangle) -> str:
    rounded = f' rx="{_n(item.radius)}"' if item.radius else ""
    return (
        f'<rect {_colors(item.paint)}{_dashes(item.dashed)} x="{_n(item.x)}" y="{_n(item.y)}" '
        f'width="{_n(item.width)}" height="{_n(item.height)}"{rounded}/>'
    )


def _line(item: Line) -> Iterator[str]:
    points = list(item.points)
    if item.head:
        points[-1] = toward(points[-1], points[-2], HEAD)
    yield (
        f'<path {_colors(item.paint)} d="{_rounded(points, item.radius)}" '
        f'stroke-width="{item.thick:g}"{_dashes(item.dashed)}/>'
    )
    if item.head:
        corners = arrowhead(item.points[-2], item.points[-1])
        yield f'<path {_colors("head")} d="M{"L".join(map(_point, corners))}Z"/>'


def toward(start: Point, goal: Point, distance: float) -> Point:
    """The point at a distance from the start, but not beyond the goal."""
    dx, dy = goal[0] - start[0], goal[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    share = min(1.0, distance / length) if length else 0.0
    return start[0] + dx * share, start[1] + dy * share


def arrowhead(before: Point, tip: Point) -> list[Point]:
    """The triangle at the end of a line."""
    base = toward(tip, before, HEAD)
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    across = -dy / length * 3.2, dx / length * 3.2
    return [
        (base[0] + across[0], base[1] + across[1]),
        tip,
        (base[0] - across[0], base[1] - across[1]),
    ]


def _rounded(points: list[Point], radius: float) -> str:
    path = [f"M{_point(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        # A corner takes at most half of the line on both of its sides.
        room = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        begin, end = toward(corner, before, room), toward(corner, after, room)
        path.append(f"L{_point(begin)}Q{_point(corner)} {_point(end)}")
    return "".join([*path, f"L{_point(points[-1])}"])


def _distance(one: Point, two: Point) -> float:
    return float(((one[0] - two[0]) ** 2 + (one[1] - two[1]) ** 2) ** 0.5)


def _polygon(item: Polygon) -> Iterator[str]:
    path = f"M{'L'.join(map(_point, item.points))}Z"
    yield f'<path {_colors(item.paint)} d="{path}" stroke-linejoin="round"/>'
    if item.shade:
        yield f'<path d="{path}" fill="#000000" fill-opacity="{item.shade:g}" stroke="none"/>'


def _words(item: Words) -> str:
    weight = ' font-weight="600"' if item.bold else ""
    fill, _ = PAINTS[item.paint]
    assert fill is not None
    css, outline = item.paint, ""
    if item.halo:
        css += " halo"
        outline = f' stroke="{GROUND.light}" stroke-width="3" paint-order="stroke"'
    return (
        f'<text class="{css}" x="{_n(item.x)}" y="{_n(item.y)}" font-size="{item.size:g}" '
        f'text-anchor="{item.anchor}" fill="{fill.light}"{weight}{outline}>'
        f"{escape(item.text)}</text>"
    )


def _point(point: Point) -> str:
    return f"{_n(point[0])},{_n(point[1])}"


def _n(number: float) -> str:
    """A tenth of a pixel is enough."""
    return (
        f"{number:.1f}".removesuffix(".0").replace("-0", "0")
        if abs(number) < 0.05
        else (f"{number:.1f}".removesuffix(".0"))
    )


def _dark_style() -> str:
    rules = [f".halo{{stroke:{GROUND.dark}}}"]
    for paint, (fill, stroke) in PAINTS.items():
        rules.append(f".{paint}{{{_dark('fill', fill)}{_dark('stroke', stroke)}}}")
    return f"@media(prefers-color-scheme:dark){{{''.join(rules)}}}"


def _dark(name: str, ink: Ink | None) -> str:
    return f"{name}:{ink.dark};" if ink else ""
