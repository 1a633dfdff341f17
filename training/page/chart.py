"""Draws the report's learning curves as SVG line charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, isfinite, log10
from typing import NamedTuple

from .markup import Html, element, escape, joined

WIDTH, HEIGHT = 440, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 26, 34
_DOTS = 40
"""With more points, they have no dots and tooltips."""


class Line(NamedTuple):
    name: str
    css: str
    points: Sequence[tuple[float, float]]


def chart(
    title: str,
    lines: Sequence[Line],
    value: Callable[[float], str],
    *,
    best: int | None = None,
    share: bool = False,
) -> Html:
    """A chart of values over epochs. A dashed line marks the epoch `best`. NaN and infinite values
    leave gaps. The axis of a `share` stays between 0 and 1."""
    points = [point for line in lines for point in line.points if isfinite(point[1])]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    ticks = round_numbers(min(y for _, y in points), max(y for _, y in points))
    if share:
        ticks = [tick for tick in ticks if 0 <= round(tick, 9) <= 1]
    low, high = ticks[0], ticks[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - first) / (last - first) if last > first else 0.5
        up = (y - low) / (high - low)
        return (
            _LEFT + across * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM),
        )

    parts = [_grid(ticks, lambda y: at(first, y)[1], value)]
    parts += _epochs(int(first), int(last), lambda x: at(x, low)[0])
    if best is not None and first <= best <= last:
        parts.append(_best(at(best, low)[0]))
    for line in lines:
        parts += _curve(line, at, value)
    parts.append(_legend(lines))
    ends = "; ".join(f"{line.name} ends at {value(line.points[-1][1])}" for line in lines)
    label = escape(f"{title}, over epochs {first:g} to {last:g}: {ends}")
    return Html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{joined(parts)}</svg>'
    )


def round_numbers(low: float, high: float, most: int = 5) -> list[float]:
    """Equally spaced round numbers that cover a range."""
    if low == high:
        pad = abs(low) / 10 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    numbers = [floor(low / step + 1e-9) * step]
    while numbers[-1] < high - step * 1e-9:
        numbers.append(numbers[0] + len(numbers) * step)
    return numbers


def _grid(
    ticks: Sequence[float],
    at: Callable[[float], float],
    value: Callable[[float], str],
) -> Html:
    parts = []
    for tick in ticks:
        y = _n(at(tick))
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text x="{_LEFT - 6}" y="{_n(at(tick) + 4)}" text-anchor="end">{value(tick)}</text>'
        )
    return Html("".join(parts))


def _epochs(first: int, last: int, at: Callable[[float], float]) -> list[Html]:
    step = max(1, round(round_numbers(first, last, 6)[1] - round_numbers(first, last, 6)[0]))
    places = sorted({first, *range(step * -(-first // step), last + 1, step)})
    if len(places) > 1 and places[1] - places[0] < step / 2:
        del places[1]
    y = HEIGHT - _BOTTOM + 17
    return [
        Html(f'<text x="{_n(at(place))}" y="{y}" text-anchor="middle">{place}</text>')
        for place in places
    ] + [Html(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 2}" text-anchor="end">epoch</text>')]


def _best(x: float) -> Html:
    return Html(
        f'<line class="best" x1="{_n(x)}" x2="{_n(x)}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
    )


def _curve(
    line: Line,
    at: Callable[[float, float], tuple[float, float]],
    value: Callable[[float], str],
) -> list[Html]:
    path, pen = [], "M"
    for x, y in line.points:
        if not isfinite(y):
            pen = "M"
            continue
        across, down = at(x, y)
        path.append(f"{pen}{_n(across)},{_n(down)}")
        pen = "L"
    parts = [Html(f'<path class="curve {line.css}" d="{"".join(path)}"/>')]
    if len(line.points) <= _DOTS:
        for x, y in line.points:
            if isfinite(y):
                across, down = at(x, y)
                title = element("title", f"epoch {x:g}: {line.name} {value(y)}")
                parts.append(
                    Html(
                        f'<circle class="{line.css}" cx="{_n(across)}" cy="{_n(down)}" r="3">'
                        f"{title}</circle>"
                    )
                )
    return parts


def _legend(lines: Sequence[Line]) -> Html:
    parts, x = [], float(_LEFT)
    for line in lines:
        parts.append(
            f'<line class="curve {line.css}" x1="{_n(x)}" x2="{_n(x + 18)}" y1="10" y2="10"/>'
            f'<text class="{line.css}" x="{_n(x + 24)}" y="14">{escape(line.name)}</text>'
        )
        x += 40 + 8 * len(line.name)
    return Html("".join(parts))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
