"""Suggests a learning rate from the losses of a range test."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

WIDTH = 3.0
"""The standard deviation of the smoothing, in steps."""


def smoothed(losses: Sequence[float], width: float = WIDTH) -> list[float]:
    """The mean of the losses around each step, by a Gaussian weight. (A running mean, as it is
    usual for a test that is still going on, would come some steps late: at higher rates.)"""
    reach = math.ceil(3 * width)
    weights = [math.exp(-0.5 * (n / width) ** 2) for n in range(-reach, reach + 1)]
    means = []
    for place in range(len(losses)):
        pairs = [
            (weight, losses[place + n])
            for n, weight in zip(range(-reach, reach + 1), weights, strict=True)
            if 0 <= place + n < len(losses)
        ]
        means.append(sum(w * loss for w, loss in pairs) / sum(w for w, _ in pairs))
    return means


FALLEN = 0.95
"""The share of its fall that the loss has made at the rate that is suggested."""
_START = 10
"""The steps at whose low rates nothing is learned yet."""
_FEWEST = 20
"""With fewer steps there is no curve to read."""
_SURE = 4.0
"""A fall must be this many times the standard error of the mean of the first losses."""


class Suggestion(NamedTuple):
    lr: float | None
    """None if the curve suggests none."""
    reason: str


def suggest(rates: Sequence[float], losses: Sequence[float], means: Sequence[float]) -> Suggestion:
    """The lowest rate at which the smoothed loss has made most of its fall.

    That is left of the minimum, at which the loss only just does not rise yet, and does not depend
    on where in a flat valley the minimum happens to be. benchmarks/RESULTS.md compares it with the
    rules that are usual elsewhere: the steepest slope, the middle of the valley, a tenth of the
    rate of the minimum.
    """
    if len(losses) < _FEWEST:
        steps = "at once" if len(losses) < 2 else f"after {len(losses)} steps"
        where = f" at a rate of {written(rates[-1]):g}" if rates else ""
        return Suggestion(None, f"the loss explodes {steps}{where}")
    lowest = min(range(len(means)), key=means.__getitem__)
    start = statistics.fmean(losses[:_START])
    fall = start - means[lowest]
    jumps = [after - before for before, after in pairwise(losses[: max(_FEWEST, lowest)])]
    noise = statistics.median(map(abs, jumps)) / (_MEDIAN * math.sqrt(2))
    if fall <= _SURE * noise / math.sqrt(_START):
        return Suggestion(
            None, f"the loss does not fall at any rate ({start:.3g}, at best {means[lowest]:.3g})"
        )
    enough = start - FALLEN * fall
    first = lowest
    while first and means[first - 1] <= enough:
        first -= 1
    rate = written(rates[first])
    reason = (
        f"the loss falls from {start:.3g} to {means[lowest]:.3g} at rates up to"
        f" {written(rates[lowest]):g}, and {FALLEN:.0%} of that up to {rate:g}"
    ).replace("%", " %")
    return Suggestion(rate, reason)


_MEDIAN = 0.6745
"""The median of the absolute value of a normal variable, in standard deviations."""


def written(rate: float) -> float:
    """A rate as one would write it: with two digits."""
    return float(f"{rate:.1e}")
