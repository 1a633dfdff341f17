"""Draws scatter plots as SVG: predicted against true numbers, and their residuals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .chart import HEIGHT, WIDTH, round_numbers
from .markup import Html, element, escape, joined

_TOP, _RIGHT, _BOTTOM = 26, 22, 50
_LETTER = 7.6
"""The width of a letter, or a little more."""
_NAMED = 250
"""With more points, they have no tooltips, and are drawn as one path."""

Range = tuple[float, float]


class Point(NamedTuple):
    x: float
    y: float
    name: str


def scatter(
    title: str,
    points: Sequence[Point],
    names: tuple[str, str],
    value: Callable[[float], str],
    *,
    line: Callable[[float], float],
    line_name: str,
    same_range: bool = False,
) -> Html:
    """A scatter plot; `names` are those of its axes. The dashed `line` is where exact answers are.
    With `same_range`, both axes have the same."""
    xs, ys = [point.x for point in points], [point.y for point in points]
    across: Range = min(xs), max(xs)
    ends = [line(x) for x in across]
    up: Range = min([*ys, *ends]), max([*ys, *ends])
    if same_range:
        across = up = min(across[0], up[0]), max(across[1], up[1])
    x_ticks, y_ticks = round_numbers(*across, most=4), round_numbers(*up)
    left = 14 + _LETTER * max(len(value(tick)) for tick in y_ticks)

    def at(x: float, y: float) -> tuple[str, str]:
        right = (x - x_ticks[0]) / (x_ticks[-1] - x_ticks[0])
        height = (y - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])
        return (
            _n(left + right * (WIDTH - left - _RIGHT)),
            _n(HEIGHT - _BOTTOM - height * (HEIGHT - _TOP - _BOTTOM)),
        )

    parts = []
    for tick in y_ticks:
        y = at(x_ticks[0], tick)[1]
        parts.append(
            f'<line class="grid" x1="{_n(left)}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text x="{_n(left - 6)}" y="{_n(float(y) + 4)}" text-anchor="end">'
            f"{value(tick)}</text>"
        )
    for tick in x_ticks:
        x = at(tick, y_ticks[0])[0]
        parts.append(
            f'<text x="{x}" y="{HEIGHT - _BOTTOM + 17}" text-anchor="middle">{value(tick)}</text>'
        )
    parts.append(_line([at(x, line(x)) for x in across], line_name))
    parts += _dots(points, at, value)
    parts.append(
        f'<text x="{_n(left)}" y="14">{escape(names[1])}</text>'
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(names[0])}</text>'
    )
    label = escape(f"{title}: {names[1]} against {names[0]} of {len(points)} images")
    return Html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{joined(map(Html, parts))}</svg>"
    )


def _line(ends: Sequence[tuple[str, str]], name: str) -> str:
    (x1, y1), (x2, y2) = ends
    title = element("title", name)
    return f'<line class="guess" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}">{title}</line>'


def _dots(
    points: Sequence[Point],
    at: Callable[[float, float], tuple[str, str]],
    value: Callable[[float], str],
) -> list[str]:
    if len(points) > _NAMED:
        places = dict.fromkeys(at(point.x, point.y) for point in points)
        path = "".join(f"M{x},{y}h0" for x, y in places)
        return [f'<path class="dots one" d="{path}"/>']
    dots = []
    for point in points:
        x, y = at(point.x, point.y)
        title = element("title", f"{point.name}: {value(point.x)}, {value(point.y)}")
        dots.append(f'<circle class="dot one" cx="{x}" cy="{y}" r="3">{title}</circle>')
    return dots


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
