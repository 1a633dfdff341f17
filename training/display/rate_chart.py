"""Draws the curve of a range test as text: the loss by learning rate, in characters of ASCII."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10, nan

from ...compiler.report.plot import Axis, Curve, plot
from ..find_lr.found_rate import FoundRate

_HEIGHT, _WIDTH, _LABEL = 9, 64, 8


def rate_chart(found: FoundRate) -> list[str]:
    """The lines of a chart: `.` is the loss of a step, `*` its mean around it, `^` the rate."""
    exponents = [log10(rate) for rate in found.rates]
    low, high = exponents[0], exponents[-1]
    top, bottom = _range(found)
    rows = [[" "] * _WIDTH for _ in range(_HEIGHT)]

    def across(exponent: float) -> int:
        share = (exponent - low) / (high - low) if high > low else 0.5
        return min(_WIDTH - 1, max(0, round(share * (_WIDTH - 1))))

    def put(exponent: float, loss: float, sign: str) -> None:
        height = round((top - loss) / (top - bottom) * (_HEIGHT - 1))
        if 0 <= height < _HEIGHT:
            rows[height][across(exponent)] = sign

    for values, sign in ((found.losses, "."), (found.smoothed, "*")):
        for exponent, loss in zip(exponents, values, strict=True):
            put(exponent, loss, sign)
    labels = {0: f"{top:.3g}", _HEIGHT - 1: f"{bottom:.3g}"}
    lines = [
        f"{labels.get(n, ''):>{_LABEL}} |{''.join(row)}".rstrip() for n, row in enumerate(rows)
    ]
    axis, names = ["-"] * _WIDTH, [" "] * (_WIDTH + 4)
    for power in range(ceil(low - 1e-9), floor(high + 1e-9) + 1):
        place = across(power)
        axis[place] = "+"
        for n, letter in enumerate(f"1e{power}"):
            names[place + n] = letter
    mark = "^" if found.found else "|"
    if low <= log10(found.lr) <= high:
        axis[across(log10(found.lr))] = mark
    return [
        *lines,
        f"{'loss':>{_LABEL}} +{''.join(axis)}",
        f"{'rate':>{_LABEL}}  {''.join(names)}".rstrip(),
    ]


def _range(found: FoundRate) -> tuple[float, float]:
    """The largest and the smallest loss that are shown: an explosion would leave no room for what
    was before."""
    low = min(found.smoothed)
    start = found.smoothed[: found.smoothed.index(low) + 1]
    high = max(start)
    gap = (high - low) or abs(high) or 1.0
    return high + 0.15 * gap, low - 0.05 * gap


def rate_plot(found: FoundRate) -> str:
    """The same as SVG."""
    exponents = [log10(rate) for rate in found.rates]
    top, bottom = _range(found)

    def curve(name: str, losses: Sequence[float]) -> Curve:
        pairs = zip(exponents, losses, strict=True)
        return Curve(name, [(x, y if bottom <= y <= top else nan) for x, y in pairs])

    return plot(
        "Loss by learning rate",
        [curve("smoothed", found.smoothed), curve("each step", found.losses)],
        Axis("learning rate", log=True),
        Axis("loss"),
        mark=log10(found.lr) if found.found else None,
    )
