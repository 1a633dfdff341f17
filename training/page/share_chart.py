"""Draws SVG charts whose axes go from 0 to 100 %: metrics over thresholds, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .chart import HEIGHT, WIDTH
from .markup import Html, element, escape, joined

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 22, 26, 44
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_LETTER = 7.6
"""The width of a letter, or a little more."""


class Curve(NamedTuple):
    name: str
    css: str
    points: Sequence[tuple[float, float]]


class Bar(NamedTuple):
    first: float
    last: float
    height: float
    title: str


def share_chart(
    label: str,
    across: str,
    up: str,
    *,
    curves: Sequence[Curve] = (),
    bars: Sequence[Bar] = (),
    mark: float | None = None,
    diagonal: str = "",
) -> Html:
    """A chart; `across` and `up` name its axes. A dashed vertical line is at the `mark`, and the
    dashed diagonal, if it has a name, is where both axes are equal."""
    parts = []
    for tick in _TICKS:
        x, y = _at(tick, tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text x="{_LEFT - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{100 * tick:.0f} %'
            f'</text><text x="{x}" y="{HEIGHT - _BOTTOM + 17}" text-anchor="middle">'
            f"{100 * tick:.0f} %</text>"
        )
    parts += [_bar(bar) for bar in bars]
    if diagonal:
        (x1, y1), (x2, y2) = _at(0, 0), _at(1, 1)
        title = element("title", diagonal)
        parts.append(f'<line class="guess" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}">{title}</line>')
    if mark is not None:
        (x, low), (_, high) = _at(mark, 0), _at(mark, 1)
        title = element("title", f"threshold {100 * mark:.2f} %")
        parts.append(f'<line class="best" x1="{x}" x2="{x}" y1="{high}" y2="{low}">{title}</line>')
    for curve in curves:
        path = "L".join(",".join(_at(*point)) for point in curve.points)
        parts.append(f'<path class="curve {curve.css}" d="M{path}"/>')
    x_name = float(_LEFT)
    for curve in curves:
        parts.append(
            f'<line class="curve {curve.css}" x1="{x_name:.1f}" x2="{x_name + 18:.1f}" y1="10"'
            f' y2="10"/><text class="{curve.css}" x="{x_name + 24:.1f}" y="14">'
            f"{escape(curve.name)}</text>"
        )
        x_name += 40 + _LETTER * len(curve.name)
    if up:
        parts.append(f'<text x="{_LEFT}" y="14">{escape(up)}</text>')
    parts.append(
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(across)}</text>'
    )
    return Html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{joined(map(Html, parts))}</svg>"
    )


def _bar(bar: Bar) -> str:
    (x1, low), (x2, high) = _at(bar.first, 0), _at(bar.last, bar.height)
    width, height = float(x2) - float(x1) - 1, float(low) - float(high)
    return (
        f'<rect class="bar" x="{x1}" y="{high}" width="{width:.1f}" height="{height:.1f}">'
        f"{element('title', bar.title)}</rect>"
    )


def _at(x: float, y: float) -> tuple[str, str]:
    right = _LEFT + x * (WIDTH - _LEFT - _RIGHT)
    down = HEIGHT - _BOTTOM - y * (HEIGHT - _TOP - _BOTTOM)
    return f"{right:.1f}", f"{down:.1f}"
