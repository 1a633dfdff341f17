"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-~^"


def sparkline(values: Sequence[float], width: int, levels: str = BLOCKS) -> str:
    """Each value as a sign of its height, from the smallest to the largest; of more values than
    there is room for, each sign is the mean of a few. What is no number leaves a gap."""
    points = _condensed(values, width) if len(values) > width else list(values)
    known = [value for value in points if isfinite(value)]
    if not known:
        return " " * len(points)
    low, high = min(known), max(known)
    step = (high - low) / (len(levels) - 1)
    # All alike: in the middle, neither at the bottom nor at the top.
    flat = levels[len(levels) // 2 - 1]
    return "".join(
        " " if not isfinite(value) else levels[round((value - low) / step)] if step else flat
        for value in points
    )


def _condensed(values: Sequence[float], width: int) -> list[float]:
    found = []
    for place in range(width):
        start, stop = place * len(values) // width, (place + 1) * len(values) // width
        known = [value for value in values[start:stop] if isfinite(value)]
        found.append(sum(known) / len(known) if known else float("nan"))
    return found
