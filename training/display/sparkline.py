"""Draws a curve as one line of characters."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-~^"


def sparkline(values: Sequence[float], width: int, levels: str = BLOCKS) -> str:
    """One character for each value, from the lowest level for the minimum to the highest for the
    maximum. More values than `width` are averaged. NaN and infinite values leave gaps."""
    points = _averaged(values, width) if len(values) > width else list(values)
    finite = [value for value in points if isfinite(value)]
    if not finite:
        return " " * len(points)
    low, high = min(finite), max(finite)
    step = (high - low) / (len(levels) - 1)
    # A constant curve is drawn at half height.
    flat = levels[len(levels) // 2 - 1]
    return "".join(
        " " if not isfinite(value) else levels[round((value - low) / step)] if step else flat
        for value in points
    )


def _averaged(values: Sequence[float], width: int) -> list[float]:
    means = []
    for place in range(width):
        start, stop = place * len(values) // width, (place + 1) * len(values) // width
        finite = [value for value in values[start:stop] if isfinite(value)]
        means.append(sum(finite) / len(finite) if finite else float("nan"))
    return means
