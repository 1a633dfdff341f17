"""Curves of several runs over each other, as SVG: each with its own color and dashes, named at its
end, and with a band where it stands for several seeds. Nothing here needs a script: a run comes to
the front when the pointer is on it, and the boxes above the charts hide runs (see page_style.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import NamedTuple

from ...compiler.report.drawing.text_width import cut, width
from ...dsl.printable import show
from ..page.chart import round_numbers
from ..page.markup import Html, element, escape, joined

WIDTH = 480
_TOP, _BOTTOM, _LEAST_HEIGHT = 12, 34, 270
_LETTER = 7.2
"""The width of a letter, or a little more."""
_NAME = 12
"""The size of a name at the end of a curve, in bold (see page_style.py)."""
_LINE = 15
"""The height of a name at the end of a curve."""
_WIDEST = 150.0
"""The width of a name; longer ones are cut."""
_MOST_DOTS = 1_200
"""In one chart: with more, only the ends of curves have tooltips."""


class Curve(NamedTuple):
    place: int
    """That of its run, which has its color."""
    name: str
    points: Sequence[tuple[float, float]]
    """Epochs and values; of several seeds, their means."""
    band: Sequence[tuple[float, float, float]] = ()
    """Epochs, and the lowest and highest value of several seeds."""


def curve_of(place: int, name: str, seeds: Sequence[Mapping[int, float]]) -> Curve | None:
    """The curve of a run, or of several seeds: values by epoch; None if there are none."""
    epochs = sorted({epoch for seed in seeds for epoch in seed})
    points, band = [], []
    for epoch in epochs:
        values = [seed[epoch] for seed in seeds if isfinite(seed.get(epoch, float("nan")))]
        if not values:
            continue
        points.append((float(epoch), fmean(values)))
        if len(seeds) > 1:
            band.append((float(epoch), min(values), max(values)))
    return Curve(place, name, points, band) if points else None


class _Frame(NamedTuple):
    first: float
    last: float
    ticks: Sequence[float]
    left: float
    right: float
    height: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is drawn; what is beyond the axis, at its edge."""
        low, high = self.ticks[0], self.ticks[-1]
        across = (x - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        up = (max(low, min(y, high)) - low) / (high - low)
        return (
            self.left + across * (WIDTH - self.left - self.right),
            self.height - _BOTTOM - up * (self.height - _TOP - _BOTTOM),
        )


def overlaid(title: str, curves: Sequence[Curve], value: Callable[[float], str]) -> Html:
    """A chart of curves over epochs. Its axis has the range of the values after the first epochs,
    as runs are compared by their ends; what is beyond is drawn at the edge."""
    ticks = round_numbers(*_range(curves))
    epochs = [x for curve in curves for x, _ in curve.points]
    widest = max(width(_short(curve), _NAME, bold=True) for curve in curves)
    frame = _Frame(
        min(epochs), max(epochs), ticks,
        left=12 + _LETTER * max(len(value(tick)) for tick in ticks),
        right=14 + widest,
        height=max(_LEAST_HEIGHT, _TOP + _BOTTOM + _LINE * len(curves)),
    )  # fmt: skip
    dots = sum(len(curve.points) for curve in curves) <= _MOST_DOTS
    heights = _apart([frame.at(*curve.points[-1])[1] for curve in curves], frame)
    parts = [*_axes(frame, value)]
    for curve, height in zip(curves, heights, strict=True):
        parts.append(_drawn(curve, frame, height, value, dots))
    ends = "; ".join(f"{curve.name} ends at {value(curve.points[-1][1])}" for curve in curves)
    label = escape(f"{title}, over epochs {frame.first:g} to {frame.last:g}: {ends}")
    return Html(
        f'<svg class="overlaid" viewBox="0 0 {WIDTH} {_n(frame.height)}" role="img"'
        f' aria-label="{label}">{joined(parts)}</svg>'
    )


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """The range of the values of the last four fifths of each curve, with its band."""
    ends = []
    for curve in curves:
        start = len(curve.points) // 5
        ends += [y for _, y in curve.points[start:]]
        ends += [y for _, *both in curve.band[start:] for y in both]
    return _without_outliers(ends)


def _without_outliers(values: Sequence[float]) -> tuple[float, float]:
    """Their range, without what is so far off that all others would look alike: the loss of a run
    that diverged."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    quarter, three = ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]
    far = 6 * (three - quarter) or abs(three)
    return max(low, quarter - far), min(high, three + far) if far else high


def _apart(heights: Sequence[float], frame: _Frame) -> list[float]:
    """The heights of names beside the ends of their curves, moved apart so that none is covered."""
    order = sorted(range(len(heights)), key=lambda place: heights[place])
    placed = list(heights)
    above = _TOP - _LINE / 2
    for place in order:
        placed[place] = max(placed[place], above + _LINE)
        above = placed[place]
    below = frame.height - _BOTTOM + _LINE
    for place in reversed(order):
        placed[place] = min(placed[place], below - _LINE)
        below = placed[place]
    return placed


def _axes(frame: _Frame, value: Callable[[float], str]) -> list[Html]:
    right = _n(WIDTH - frame.right)
    parts = []
    for tick in frame.ticks:
        y = frame.at(frame.first, tick)[1]
        parts.append(
            f'<line class="grid" x1="{_n(frame.left)}" x2="{right}" y1="{_n(y)}" y2="{_n(y)}"/>'
            f'<text x="{_n(frame.left - 6)}" y="{_n(y + 4)}" text-anchor="end">{value(tick)}</text>'
        )
    marks = [tick for tick in round_numbers(frame.first, frame.last, 5) if tick == int(tick)]
    y = frame.height - _BOTTOM + 17
    parts += [
        f'<text x="{_n(frame.at(mark, 0)[0])}" y="{_n(y)}" text-anchor="middle">{mark:g}</text>'
        for mark in marks
        if frame.first <= mark <= frame.last
    ]
    parts.append(f'<text x="{right}" y="{_n(frame.height - 4)}" text-anchor="end">epoch</text>')
    return list(map(Html, parts))


def _drawn(
    curve: Curve, frame: _Frame, height: float, value: Callable[[float], str], dots: bool
) -> Html:
    parts = []
    if curve.band:
        upper = [frame.at(x, high) for x, _, high in curve.band]
        lower = [frame.at(x, low) for x, low, _ in reversed(curve.band)]
        corners = " ".join(f"{_n(x)},{_n(y)}" for x, y in [*upper, *lower])
        parts.append(f'<polygon class="band" points="{corners}"/>')
    places = [frame.at(x, y) for x, y in curve.points]
    path = "M" + "L".join(f"{_n(x)},{_n(y)}" for x, y in places)
    last, end = curve.points[-1]
    title = element("title", f"{curve.name}: {value(end)} after epoch {last:g}")
    parts.append(f'<path class="curve" d="{path}"/>')
    parts.append(f'<path class="near" d="{path}">{title}</path>')
    if dots:
        parts += [
            f'<circle class="near" cx="{_n(x)}" cy="{_n(y)}" r="5">'
            f"{element('title', f'{curve.name}, epoch {epoch:g}: {value(own)}')}</circle>"
            for (epoch, own), (x, y) in zip(curve.points, places, strict=True)
        ]
    x, y = places[-1]
    parts.append(f'<circle class="end" cx="{_n(x)}" cy="{_n(y)}" r="3"/>')
    edge = WIDTH - frame.right
    parts.append(f'<path class="leader" d="M{_n(x + 3)},{_n(y)}L{_n(edge + 8)},{_n(height)}"/>')
    name = escape(_short(curve))
    parts.append(f'<text x="{_n(edge + 10)}" y="{_n(height + 4)}">{name}</text>')
    return Html(f'<g class="run r{curve.place}">{joined(map(Html, parts))}</g>')


def _short(curve: Curve) -> str:
    return cut(show(curve.name), _NAME, _WIDEST, bold=True)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
