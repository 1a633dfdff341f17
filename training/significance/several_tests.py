"""Holm's correction (1979): of many comparisons, some differ by chance."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan


def holm(probabilities: Sequence[float]) -> list[float]:
    """Probabilities for which it is still true of all tests together that a difference without
    meaning is below 5 % in one of 20 cases. NaN, of tests that were not made, stays."""
    order = sorted(
        (place for place, p in enumerate(probabilities) if not isnan(p)),
        key=lambda place: probabilities[place],
    )
    adjusted, largest = list(probabilities), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * probabilities[place]))
        adjusted[place] = largest
    return adjusted
