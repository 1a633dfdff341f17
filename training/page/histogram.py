"""Draws histograms as SVG: how many images have which value of a metric."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from ...compiler.report.figures import plural
from .chart import HEIGHT, WIDTH, round_numbers
from .markup import Html, element, escape, joined

_TOP, _RIGHT, _BOTTOM = 26, 22, 50
_LETTER = 7.6
"""The width of a letter, or a little more."""
_BARS = 24
"""The number of bars, about; fewer for few images."""


def histogram(
    title: str,
    values: Sequence[float],
    name: str,
    *,
    mark: float | None = None,
    mark_name: str = "",
) -> Html:
    """A histogram; `name` is that of the axis across. A dashed line is at `mark`."""
    marks = [mark] if mark is not None and isfinite(mark) else []
    ticks = round_numbers(min([*values, *marks]), max([*values, *marks]))
    counts = _counts(values, ticks[0], ticks[-1], min(_BARS, max(6, len(values) // 3)))
    upwards = round_numbers(0, max(counts), most=4)
    left = 14 + _LETTER * max(len(f"{tick:g}") for tick in upwards)
    width = (WIDTH - left - _RIGHT) / len(counts)

    def x(value: float) -> float:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return left + share * (WIDTH - left - _RIGHT)

    def y(count: float) -> float:
        return HEIGHT - _BOTTOM - count / upwards[-1] * (HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<line class="grid" x1="{_n(left)}" x2="{WIDTH - _RIGHT}" y1="{_n(y(tick))}"'
        f' y2="{_n(y(tick))}"/><text x="{_n(left - 6)}" y="{_n(y(tick) + 4)}"'
        f' text-anchor="end">{tick:g}</text>'
        for tick in upwards
    ]
    step = (ticks[-1] - ticks[0]) / len(counts)
    for place, count in enumerate(counts):
        low = ticks[0] + place * step
        said = element("title", f"{low:.4g} to {low + step:.4g}: {plural(count, 'image')}")
        if count:
            parts.append(
                f'<rect class="bar" x="{_n(left + place * width + 0.5)}" y="{_n(y(count))}"'
                f' width="{_n(width - 1)}" height="{_n(y(0) - y(count))}">{said}</rect>'
            )
    parts += [
        f'<text x="{_n(x(tick))}" y="{HEIGHT - _BOTTOM + 17}" text-anchor="middle">{tick:g}</text>'
        for tick in ticks
    ]
    for at in map(x, marks):
        anchor = "end" if at > WIDTH / 2 else "start"
        aside = -6 if anchor == "end" else 6
        parts.append(
            f'<line class="guess" x1="{_n(at)}" x2="{_n(at)}" y1="{_TOP}"'
            f' y2="{HEIGHT - _BOTTOM}"/><text x="{_n(at + aside)}" y="{_TOP + 10}"'
            f' text-anchor="{anchor}">{escape(mark_name)}</text>'
        )
    parts.append(
        f'<text x="{_n(left)}" y="14">images</text>'
        f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(name)}</text>'
    )
    label = escape(
        f"{title}: {plural(len(values), 'image')}, {min(values):.4g} to {max(values):.4g}"
    )
    drawn = Html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{joined(map(Html, parts))}</svg>"
    )
    figure = element("div", element("h3", title), drawn, style="max-width: 29rem")
    return element("div", figure, class_="charts")


def _counts(values: Sequence[float], low: float, high: float, bars: int) -> list[int]:
    counts = [0] * bars
    for value in values:
        counts[min(bars - 1, int((value - low) / (high - low) * bars))] += 1
    return counts


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
