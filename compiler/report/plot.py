"""A plot of a few curves in one frame, as SVG: gradients by layer, accuracy by strength."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from ...dsl.printable import show as printable
from .drawing.palette import FAINT, FRAME, PAGE, TEXT
from .drawing.text_width import cut, width

WIDTH, HEIGHT = 860, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 20, 68, 62
_FONT = 14
_GAP = 18
"""The least distance between the names at the ends of curves."""

_COLORS = (
    ("#3670b8", "#78aef0"), ("#c4611d", "#f0985c"), ("#278a55", "#5fcb92"),
    ("#a3507f", "#d88bb8"), ("#7449bd", "#b294ec"), ("#8a7647", "#cbb783"),
)  # fmt: skip
"""On light and on dark ground. Curves differ in their dashes, too: not everybody sees colors."""
_DASHES = ("", "7 4", "2 4", "10 4 2 4")


def _rules(night: bool) -> str:
    page, ink, faint, frame = (
        each.dark if night else each.light for each in (PAGE, TEXT, FAINT, FRAME)
    )
    rules = [
        f".ground{{fill:{page}}}",
        f"text{{fill:{ink};font:{_FONT}px sans-serif}}",
        f".faint{{fill:{faint}}}",
        f".grid{{stroke:{frame}}}",
        f"line.faint{{stroke:{faint}}}",
    ]
    for number, colors in enumerate(_COLORS):
        color = colors[night]
        rules += [f".c{number}{{stroke:{color}}}"]
        rules += [
            f"{solid}.c{number}{{fill:{color};stroke:none}}"
            for solid in ("text", "circle", "rect", "path.solid")
        ]
    return "".join(f".plot {rule}" for rule in rules)


_STYLE = f"{_rules(False)}@media(prefers-color-scheme:dark){{{_rules(True)}}}"


class Curve(NamedTuple):
    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    label: str
    log: bool = False
    """In powers of ten."""
    percent: bool = False
    """From 0 to 1, written as 0 to 100 %."""
    whole: bool = False
    """Of whole numbers, such as epochs."""

    def ticks(self, values: Sequence[float]) -> list[float]:
        """Round numbers that cover the values; exponents of an axis in powers of ten."""
        if self.percent:
            return [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        low, high = min(values), max(values)
        if self.log:
            bottom, top = math.floor(low), math.ceil(high)
            each = max(-(-(top - bottom) // 8), 1)
            count = -(-(top - bottom) // each) + 1
            return [float(bottom + n * each) for n in range(count)]
        if low == high:
            low, high = low - 0.5, high + 0.5
        rough = max((high - low) / 6, 1.0 if self.whole else 0.0)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        start = math.floor(low / step + 1e-9)
        count = math.ceil(high / step - 1e-9) - start
        return [(start + n) * step for n in range(count + 1)]

    def shown(self, tick: float) -> str:
        if self.percent:
            return f"{100 * tick:.0f} %"
        return f"1e{tick:.0f}" if self.log else f"{tick:g}"


def plot(
    title: str, curves: Sequence[Curve], across: Axis, up: Axis, *, mark: float | None = None
) -> str:
    """The SVG of curves; points that are not finite, or not positive on an axis in powers of ten,
    leave gaps. A dashed line is drawn at `mark`, a place on the axis across."""
    drawn = [Curve(curve.name, [_scaled(point, up) for point in curve.points]) for curve in curves]
    frame = _Frame(title, drawn, across, up)
    lines = [_curve(number, curve, frame.at) for number, curve in enumerate(drawn)]
    marked = [] if mark is None else [_marked(frame, mark)]
    return frame.svg([*marked, *lines, *_names(drawn, frame)])


def _marked(frame: _Frame, place: float) -> str:
    x, top = frame.at(place, frame.high)
    x, bottom = frame.at(place, frame.low)
    return (
        f'<line class="faint" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"'
        ' stroke-dasharray="4 4"/>'
    )


def scatter(title: str, groups: Sequence[Curve], across: Axis, up: Axis) -> str:
    """The SVG of points in groups, which differ in color and shape and are listed at the side."""
    frame = _Frame(title, groups, across, up)
    parts = [
        _mark(number, *frame.at(x, y), 3.2)
        for number, group in enumerate(groups)
        for x, y in group.points
        if math.isfinite(x) and math.isfinite(y)
    ]
    most = (HEIGHT - _TOP - _BOTTOM) // _GAP + 1
    for number, group in enumerate(groups[:most]):
        y = _TOP + number * _GAP
        name = cut(printable(group.name), _FONT, frame.names - 18)
        if number == most - 1 and len(groups) > most:
            name = f"and {len(groups) - most + 1} more"
        else:
            parts.append(_mark(number, frame.right + 14, y, 4))
        parts.append(f'<text x="{frame.right + 26:.0f}" y="{y + 5}">{escape(name)}</text>')
    return frame.svg(parts)


def _mark(number: int, x: float, y: float, reach: float) -> str:
    """A circle, square or triangle."""
    color = f"c{number % len(_COLORS)}"
    match number // len(_COLORS) % 3:
        case 0:
            return f'<circle class="{color}" cx="{x:.1f}" cy="{y:.1f}" r="{reach}"/>'
        case 1:
            corner, side = f'x="{x - reach:.1f}" y="{y - reach:.1f}"', 2 * reach
            return f'<rect class="{color}" {corner} width="{side}" height="{side}"/>'
    low, left, right = y + reach, x - reach, x + reach
    path = f"M{x:.1f},{y - reach:.1f}L{right:.1f},{low:.1f}L{left:.1f},{low:.1f}Z"
    return f'<path class="{color} solid" d="{path}"/>'


class _Frame:
    """The title, the axes, and the place of each point."""

    def __init__(self, title: str, curves: Sequence[Curve], across: Axis, up: Axis) -> None:
        self.title, self.across, self.up = title, across, up
        finite = [p for curve in curves for p in curve.points if all(map(math.isfinite, p))]
        self.xs = [x for x, _ in finite] or [0.0, 1.0]
        self.first, self.last = min(self.xs), max(self.xs)
        self.ticks = up.ticks([y for _, y in finite] or [0.0, 1.0])
        self.low, high = self.ticks[0], self.ticks[-1]
        self.high = high if high > self.low else self.low + 1
        names = max((width(printable(curve.name), _FONT) for curve in curves), default=0)
        self.names = min(names + 30, 240)
        """The width of the names beside the frame."""
        self.right = WIDTH - _RIGHT - self.names

    def at(self, x: float, y: float) -> tuple[float, float]:
        span = self.last - self.first
        share = (x - self.first) / span if span > 0 else 0.5
        return (
            _LEFT + share * (self.right - _LEFT),
            HEIGHT - _BOTTOM - (y - self.low) / (self.high - self.low) * (HEIGHT - _TOP - _BOTTOM),
        )

    def svg(self, drawn: Sequence[str]) -> str:
        title = escape(cut(printable(self.title), 17, WIDTH - 2 * _RIGHT, bold=True))
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {HEIGHT}"'
            f' width="{WIDTH}" height="{HEIGHT}" role="img"'
            f' aria-label="{escape(printable(self.title))}">',
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
            f'<text x="{_RIGHT}" y="28" style="font-size:17px;font-weight:600">{title}</text>',
            f'<text class="faint" x="{_RIGHT}" y="{_TOP - 16}">{escape(self.up.label)}</text>',
        ]
        for tick in self.ticks:
            _, y = self.at(self.first, tick)
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{self.right:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text class="faint" x="{_LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">'
                f"{self.up.shown(tick)}</text>"
            )
        for tick in self.across.ticks(self.xs):
            if self.first - 1e-9 <= tick <= self.last + 1e-9:
                x, _ = self.at(tick, self.low)
                parts.append(
                    f'<text class="faint" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 22}"'
                    f' text-anchor="middle">{self.across.shown(tick)}</text>'
                )
        parts.append(
            f'<text class="faint" x="{(_LEFT + self.right) / 2:.0f}" y="{HEIGHT - 14}"'
            f' text-anchor="middle">{escape(self.across.label)}</text>'
        )
        return "".join([*parts, *drawn, "</svg>"])


def _scaled(point: tuple[float, float], up: Axis) -> tuple[float, float]:
    x, y = point
    if not up.log:
        return x, y
    return x, math.log10(y) if y > 0 and math.isfinite(y) else math.nan


def _curve(number: int, curve: Curve, at: Callable[[float, float], tuple[float, float]]) -> str:
    path, pen, dots = [], "M", []
    color = f"c{number % len(_COLORS)}"
    for x, y in curve.points:
        if not math.isfinite(y):
            pen = "M"
            continue
        across, down = at(x, y)
        path.append(f"{pen}{across:.1f},{down:.1f}")
        dots.append(f'<circle class="{color}" cx="{across:.1f}" cy="{down:.1f}" r="2.6"/>')
        pen = "L"
    dash = _DASHES[number % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    line = f'<path class="{color}" d="{"".join(path)}" fill="none" stroke-width="2"{dashed}/>'
    return line + ("".join(dots) if len(dots) <= 60 else "")


def _names(curves: Sequence[Curve], frame: _Frame) -> list[str]:
    """The names beside the ends of the curves, moved apart where they would overlap. A thin line
    leads from the end of a short curve to its name.
    """
    ends = []
    for number, curve in enumerate(curves):
        finite = [point for point in curve.points if math.isfinite(point[1])]
        if finite:
            x, y = frame.at(*finite[-1])
            ends.append((y, number, x))
    ends.sort()
    places: list[float] = []
    for y, *_ in ends:
        places.append(max(y, places[-1] + _GAP) if places else y)
    limit = float(HEIGHT - _BOTTOM)
    for n in range(len(places) - 1, -1, -1):
        places[n] = min(places[n], limit)
        limit = places[n] - _GAP
    texts = [
        f'<text class="c{number % len(_COLORS)}" x="{frame.right + 10:.0f}" y="{y + 5:.1f}">'
        f"{escape(cut(printable(curves[number].name), _FONT, frame.names - 14))}</text>"
        for y, (_, number, _) in zip(places, ends, strict=True)
    ]
    leaders = [
        f'<path class="c{number % len(_COLORS)}" d="M{x + 6:.1f},{end:.1f}L{frame.right + 6:.1f},'
        f'{y:.1f}" fill="none" stroke-width="1" stroke-dasharray="1 4"/>'
        for y, (end, number, x) in zip(places, ends, strict=True)
        if frame.right - x > _GAP
    ]
    return [*leaders, *texts]


def html(title: str, svg: str) -> str:
    """A page with a plot, which loads nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(printable(title))}</title><style>:root{{color-scheme:light dark}}"
        "body{margin:1rem}svg{max-width:100%;height:auto}</style></head>"
        f"<body>{svg}</body></html>\n"
    )
