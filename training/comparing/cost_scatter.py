"""Cost against accuracy: each run as a point, with its interval, over parameters, multiply-adds or
seconds on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, isfinite, log10
from typing import NamedTuple

from ...compiler.report.drawing.text_width import cut, width
from ...dsl.printable import show
from ..page.chart import round_numbers
from ..page.markup import Html, element, escape, joined

WIDTH, HEIGHT = 440, 270
_TOP, _BOTTOM = 26, 46
_LETTER = 7.2
_NAME = 12
"""The size of the name of a run, in bold (see page_style.py)."""
_WIDEST = 150.0
_LINE = 14


class CostPoint(NamedTuple):
    place: int
    """That of its run, which has its color."""
    name: str
    cost: float
    value: float
    low: float
    """Its interval, or that of its seeds; the value if there is none."""
    high: float


def cost_scatter(
    title: str,
    points: Sequence[CostPoint],
    names: tuple[str, str],
    cost: Callable[[float], str],
    value: Callable[[float], str],
) -> Html:
    """`names` are those of the axes: the cost and the value."""
    ticks = round_numbers(min(point.low for point in points), max(point.high for point in points))
    costs = [log10(point.cost) for point in points]
    pad = 0.06 * (max(costs) - min(costs)) or 0.15
    first, last = min(costs) - pad, max(costs) + pad
    left = 12 + _LETTER * max(len(value(tick)) for tick in ticks)
    right = 16

    def at(x: float, y: float) -> tuple[float, float]:
        across = (log10(x) - first) / (last - first)
        up = (y - ticks[0]) / (ticks[-1] - ticks[0])
        return (
            left + across * (WIDTH - left - right),
            HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM),
        )

    parts = []
    for tick in ticks:
        y = _n(at(points[0].cost, tick)[1])
        parts.append(
            f'<line class="grid" x1="{_n(left)}" x2="{WIDTH - right}" y1="{y}" y2="{y}"/>'
            f'<text x="{_n(left - 6)}" y="{_n(float(y) + 4)}" text-anchor="end">'
            f"{value(tick)}</text>"
        )
    for mark in _marks(first, last):
        x = _n(at(mark, ticks[0])[0])
        parts.append(
            f'<text x="{x}" y="{HEIGHT - _BOTTOM + 17}" text-anchor="middle">{cost(mark)}</text>'
        )
    taken: list[tuple[float, float, float]] = []
    by_cost = sorted(points, key=lambda point: point.cost)
    parts += [_drawn(point, at, cost, value, taken) for point in by_cost]
    parts.append(
        f'<text x="{_n(left)}" y="14">{escape(names[1])}</text>'
        f'<text x="{WIDTH - right}" y="{HEIGHT - 8}" text-anchor="end">{escape(names[0])}</text>'
    )
    said = "; ".join(f"{each.name}: {cost(each.cost)}, {value(each.value)}" for each in points)
    label = escape(f"{title}: {said}")
    return Html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{joined(map(Html, parts))}</svg>"
    )


def _marks(first: float, last: float) -> list[float]:
    """Round numbers on a logarithmic axis, between these powers of ten: about four of them."""
    for factors in ((1,), (1, 3), (1, 2, 5)):
        marks = [
            factor * 10.0**power
            for power in range(floor(first), ceil(last) + 1)
            for factor in factors
            if first <= log10(factor) + power <= last
        ]
        if len(marks) >= 2:
            return marks[:: ceil(len(marks) / 5)]
    return [mark for mark in round_numbers(10**first, 10**last) if first <= log10(mark) <= last]


def _drawn(
    point: CostPoint,
    at: Callable[[float, float], tuple[float, float]],
    cost: Callable[[float], str],
    value: Callable[[float], str],
    taken: list[tuple[float, float, float]],
) -> str:
    x, y = at(point.cost, point.value)
    low, high = at(point.cost, point.low)[1], at(point.cost, point.high)[1]
    title = element("title", f"{point.name}: {cost(point.cost)}, {value(point.value)}")
    name = cut(show(point.name), _NAME, _WIDEST, bold=True)
    wide = width(name, _NAME, bold=True)
    before = x + 7 + wide > WIDTH
    left = x - 7 - wide if before else x + 7
    line = y + 4
    while any(
        abs(line - other) < _LINE and left < end and start < left + wide
        for start, end, other in taken
    ):
        line -= _LINE  # above the name that is there
    line = line if line > 10 else y + 4 + _LINE
    taken.append((left, left + wide, line))
    return (
        f'<g class="run r{point.place}">{title}'
        f'<line class="whisker" x1="{_n(x)}" x2="{_n(x)}" y1="{_n(low)}" y2="{_n(high)}"/>'
        f'<circle class="point" cx="{_n(x)}" cy="{_n(y)}" r="4.5"/>'
        f'<text x="{_n(x - 7 if before else x + 7)}" y="{_n(line)}"'
        f' text-anchor="{"end" if before else "start"}">{escape(name)}</text></g>'
    )


def usable(points: Sequence[CostPoint]) -> bool:
    """Whether there is anything to see: two points of different cost."""
    return len(points) > 1 and len({point.cost for point in points}) > 1


def is_point(cost: float | None, value: float) -> bool:
    return cost is not None and cost > 0 and isfinite(value)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
