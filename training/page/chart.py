"""Draws the report's learning curves as SVG line charts.

Axes start at zero, so that a curve that hardly moves looks as if it hardly moves; a dashed line
shows what guessing would give. For a closer look, a chart can also be drawn `enlarged`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor, isfinite, log10
from typing import NamedTuple

from .markup import Html, element, escape, joined

WIDTH, HEIGHT = 440, 250
_RIGHT, _TOP, _BOTTOM = 22, 26, 34
_DOTS = 40
"""With more points, they have no dots and tooltips."""
_LETTER = 7.6
"""The width of a letter, or a little more."""
_OUTLIER = 1.5
"""A value before training that is this many times as large as all others is drawn at the edge:
networks with batch norm may start with a huge loss, next to which the others would look alike."""


class Line(NamedTuple):
    name: str
    css: str
    points: Sequence[tuple[float, float]]
    """Epochs and values."""


class Frame(NamedTuple):
    """Where the points of a chart are drawn."""

    first: float
    last: float
    ticks: Sequence[float]
    left: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        low, high = self.ticks[0], self.ticks[-1]
        across = (x - self.first) / (self.last - self.first) if self.last > self.first else 0.5
        up = (max(low, min(y, high)) - low) / (high - low)
        return (
            self.left + across * (WIDTH - self.left - _RIGHT),
            HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM),
        )


def chart(
    title: str,
    lines: Sequence[Line],
    value: Callable[[float], str],
    *,
    best: int | None = None,
    share: bool = False,
    guess: float | None = None,
    enlarged: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> Html:
    """A chart of values over epochs. A dashed vertical line marks the epoch `best`, a horizontal
    one the value of guessing; dotted ones stand for `marks`, each with its text. NaN and infinite
    values leave gaps. The axis starts at 0, and that of a `share` ends at 1; `enlarged`, it has
    just the range of the values."""
    points = [point for line in lines for point in line.points if isfinite(point[1])]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    ticks = _ticks(points, share, guess, enlarged)
    if guess is not None and not ticks[0] <= guess <= ticks[-1]:
        guess = None
    left = 14 + _LETTER * max(len(value(tick)) for tick in ticks)
    frame = Frame(first, last, ticks, left)
    parts = [_grid(frame, value)]
    parts += _epochs(frame)
    if best is not None and first <= best <= last:
        parts.append(_best(frame.at(best, ticks[0])[0]))
    parts += [_mark(frame.at(x, ticks[0])[0], text) for x, text in marks if first <= x <= last]
    if guess is not None:
        parts.append(_guess(frame, guess, value))
    for line in lines:
        parts += _curve(line, frame, value)
    parts.append(_legend(lines, left, guess is not None))
    ends = "; ".join(f"{line.name} ends at {value(line.points[-1][1])}" for line in lines)
    guessed = f"; guessing gives {value(guess)}" if guess is not None else ""
    label = escape(f"{title}, over epochs {first:g} to {last:g}: {ends}{guessed}")
    return Html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{joined(parts)}</svg>'
    )


def _ticks(
    points: Sequence[tuple[float, float]], share: bool, guess: float | None, enlarged: bool
) -> list[float]:
    """The marks of the vertical axis."""
    trained = [y for x, y in points if x > 0] or [y for _, y in points]
    before = [y for x, y in points if x <= 0]
    if enlarged:
        low, high = min(trained), max(trained)
    else:
        known = [*trained, *([] if guess is None else [guess])]
        low, high = min(0.0, *known), 1.0 if share else max(known)
        high = max([high, *(y for y in before if y <= _OUTLIER * high)])
        low = min([low, *before])
    ticks = round_numbers(low, high)
    return [tick for tick in ticks if 0 <= round(tick, 9) <= 1] if share else ticks


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


def _grid(frame: Frame, value: Callable[[float], str]) -> Html:
    parts = []
    left, right = _n(frame.left), WIDTH - _RIGHT
    for tick in frame.ticks:
        y = frame.at(frame.first, tick)[1]
        parts.append(
            f'<line class="grid" x1="{left}" x2="{right}" y1="{_n(y)}" y2="{_n(y)}"/>'
            f'<text x="{_n(frame.left - 6)}" y="{_n(y + 4)}" text-anchor="end">{value(tick)}</text>'
        )
    return Html("".join(parts))


def _epochs(frame: Frame) -> list[Html]:
    first, last = int(frame.first), int(frame.last)
    step = max(1, round(round_numbers(first, last, 6)[1] - round_numbers(first, last, 6)[0]))
    places = sorted({first, *range(step * -(-first // step), last + 1, step)})
    if len(places) > 1 and places[1] - places[0] < step / 2:
        del places[1]
    y = HEIGHT - _BOTTOM + 17
    return [
        Html(f'<text x="{_n(frame.at(place, 0)[0])}" y="{y}" text-anchor="middle">{place}</text>')
        for place in places
    ] + [Html(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 5}" text-anchor="end">epoch</text>')]


def _best(x: float) -> Html:
    return Html(
        f'<line class="best" x1="{_n(x)}" x2="{_n(x)}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'
    )


def _mark(x: float, text: str) -> Html:
    title = element("title", text)
    return Html(
        f'<line class="mark" x1="{_n(x)}" x2="{_n(x)}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}">'
        f"{title}</line>"
    )


def _guess(frame: Frame, guess: float, value: Callable[[float], str]) -> Html:
    y = _n(frame.at(frame.first, guess)[1])
    title = element("title", f"guessing: {value(guess)}")
    return Html(
        f'<line class="guess" x1="{_n(frame.left)}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}">'
        f"{title}</line>"
    )


def _curve(line: Line, frame: Frame, value: Callable[[float], str]) -> list[Html]:
    path, pen = [], "M"
    for x, y in line.points:
        if not isfinite(y):
            pen = "M"
            continue
        across, down = frame.at(x, y)
        path.append(f"{pen}{_n(across)},{_n(down)}")
        pen = "L"
    parts = [Html(f'<path class="curve {line.css}" d="{"".join(path)}"/>')]
    if len(line.points) <= _DOTS:
        for x, y in line.points:
            if isfinite(y):
                across, down = frame.at(x, y)
                when = f"epoch {x:g}" if x else "before training"
                title = element("title", f"{when}: {line.name} {value(y)}")
                parts.append(
                    Html(
                        f'<circle class="{line.css}" cx="{_n(across)}" cy="{_n(down)}" r="3">'
                        f"{title}</circle>"
                    )
                )
    return parts


def _legend(lines: Sequence[Line], left: float, guess: bool) -> Html:
    parts, x = [], left
    entries = [(line.name, line.css, f"curve {line.css}") for line in lines]
    entries += [("guessing", "", "guess")] if guess else []
    for name, css, stroke in entries:
        parts.append(
            f'<line class="{stroke}" x1="{_n(x)}" x2="{_n(x + 18)}" y1="10" y2="10"/>'
            f'<text class="{css}" x="{_n(x + 24)}" y="14">{escape(name)}</text>'
        )
        x += 40 + _LETTER * len(name)
    return Html("".join(parts))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
