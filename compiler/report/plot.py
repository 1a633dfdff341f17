"""A plot of a few curves in one frame, as SVG: gradients by layer, accuracy by strength."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from ...dsl.render import show as printable
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

_STYLE = "".join(
    [
        f".plot .ground{{fill:{PAGE.light}}}",
        f".plot text{{fill:{TEXT.light};font:{_FONT}px sans-serif}}",
        f".plot .faint{{fill:{FAINT.light}}}.plot .grid{{stroke:{FRAME.light}}}",
        *(f".plot .c{n}{{stroke:{day}}}.plot text.c{n},.plot circle.c{n}{{fill:{day};stroke:none}}"
          for n, (day, _) in enumerate(_COLORS)),
        "@media(prefers-color-scheme:dark){",
        f".plot .ground{{fill:{PAGE.dark}}}.plot text{{fill:{TEXT.dark}}}",
        f".plot .faint{{fill:{FAINT.dark}}}.plot .grid{{stroke:{FRAME.dark}}}",
        *(f".plot .c{n}{{stroke:{night}}}.plot text.c{n},.plot circle.c{n}"
          f"{{fill:{night};stroke:none}}" for n, (_, night) in enumerate(_COLORS)),
        "}",
    ]
)  # fmt: skip


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
        rough = (high - low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        start = math.floor(low / step + 1e-9)
        count = math.ceil(high / step - 1e-9) - start
        return [(start + n) * step for n in range(count + 1)]

    def shown(self, tick: float) -> str:
        if self.percent:
            return f"{100 * tick:.0f} %"
        return f"1e{tick:.0f}" if self.log else f"{tick:g}"


def plot(title: str, curves: Sequence[Curve], across: Axis, up: Axis) -> str:
    """The SVG of curves; points that are not finite, or not positive on an axis in powers of ten,
    leave gaps."""
    drawn = [Curve(curve.name, [_scaled(point, up) for point in curve.points]) for curve in curves]
    finite = [point for curve in drawn for point in curve.points if math.isfinite(point[1])]
    xs = [x for x, _ in finite] or [0.0, 1.0]
    ticks = up.ticks([y for _, y in finite] or [0.0, 1.0])
    low, high = ticks[0], ticks[-1] if ticks[-1] > ticks[0] else ticks[0] + 1
    names = max((width(printable(curve.name), _FONT) for curve in curves), default=0)
    right = min(names + 14, 240) + _RIGHT
    first, last = min(xs), max(xs)

    def at(x: float, y: float) -> tuple[float, float]:
        share = (x - first) / (last - first) if last > first else 0.5
        return (
            _LEFT + share * (WIDTH - _LEFT - right),
            HEIGHT - _BOTTOM - (y - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM),
        )

    shown_title = escape(cut(printable(title), 17, WIDTH - 2 * _RIGHT, bold=True))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(printable(title))}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text x="{_RIGHT}" y="28" style="font-size:17px;font-weight:600">{shown_title}</text>',
        f'<text class="faint" x="{_RIGHT}" y="{_TOP - 14}">{escape(up.label)}</text>',
    ]
    for tick in ticks:
        _, y = at(first, tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - right:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="faint" x="{_LEFT - 8}" y="{y + 5:.1f}" text-anchor="end">'
            f"{up.shown(tick)}</text>"
        )
    for tick in across.ticks(xs):
        if first - 1e-9 <= tick <= last + 1e-9:
            x, _ = at(tick, low)
            parts.append(
                f'<text class="faint" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 22}"'
                f' text-anchor="middle">{across.shown(tick)}</text>'
            )
    parts.append(
        f'<text class="faint" x="{(_LEFT + WIDTH - right) / 2:.0f}" y="{HEIGHT - 14}"'
        f' text-anchor="middle">{escape(across.label)}</text>'
    )
    for number, curve in enumerate(drawn):
        parts.append(_curve(number, curve, at))
    parts += _names(drawn, at, WIDTH - right + 10, right - _RIGHT - 6)
    return "".join([*parts, "</svg>"])


def _scaled(point: tuple[float, float], up: Axis) -> tuple[float, float]:
    x, y = point
    if not up.log:
        return x, y
    return x, math.log10(y) if y > 0 and math.isfinite(y) else math.nan


def _curve(number: int, curve: Curve, at: object) -> str:
    assert callable(at)
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


def _names(curves: Sequence[Curve], at: object, left: float, room: float) -> list[str]:
    """The names beside the ends of the curves, moved apart where they would overlap."""
    assert callable(at)
    ends = []
    for number, curve in enumerate(curves):
        finite = [point for point in curve.points if math.isfinite(point[1])]
        if finite:
            ends.append((at(*finite[-1])[1], number))
    ends.sort()
    places: list[float] = []
    for y, _ in ends:
        places.append(max(y, places[-1] + _GAP) if places else y)
    over = places[-1] - (HEIGHT - _BOTTOM) if places else 0
    for n in range(len(places) - 1, -1, -1):
        limit = places[n + 1] - _GAP if n + 1 < len(places) else HEIGHT - _BOTTOM
        places[n] = min(places[n], limit) if over > 0 else places[n]
    return [
        f'<text class="c{number % len(_COLORS)}" x="{left:.0f}" y="{y + 5:.1f}">'
        f"{escape(cut(printable(curves[number].name), _FONT, room))}</text>"
        for y, (_, number) in zip(places, ends, strict=True)
    ]


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
