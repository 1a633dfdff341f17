"""Tests of the difference between two results. Each gives the probability that chance alone makes
a difference at least as large."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, inf, nan, sqrt
from statistics import fmean, stdev, variance
from typing import NamedTuple

import numpy
from numpy.typing import ArrayLike

from .distributions import chi_square_tail, coins_both_tails, student_both_tails, t_of
from .intervals import Interval, of_paired_shares

EXACT = 1_000
"""Up to this many disagreements, McNemar's test is exact; above, chi-square is as good."""


class Tested(NamedTuple):
    """What a test says of the second result less the first."""

    name: str
    difference: float
    interval: Interval | None
    """Where the true difference lies; None if that is not known."""
    p: float
    """How probable such a difference is by chance alone; NaN if that cannot be said."""
    counts: tuple[int, int] = (0, 0)
    """Of McNemar's test: what is right in the first alone, and in the second alone."""
    at_most: bool = False
    """Whether p is the smallest that this test can tell: the true one may be smaller."""
    samples: int = 0
    """How many images, or runs, it is about."""


def mcnemar(only_first: int, only_second: int, count: int) -> Tested:
    """McNemar's test (1947) of two classifiers on the same images: only those images count that
    one of them has right and the other wrong, and by chance they divide like fair coins."""
    apart = only_first + only_second
    if apart <= EXACT:
        name, p = "McNemar's exact test", coins_both_tails(only_first, only_second)
    else:  # with the correction for continuity
        name = "McNemar's test"
        p = chi_square_tail((max(0, abs(only_first - only_second) - 1)) ** 2 / apart)
    return Tested(
        name,
        (only_second - only_first) / count,
        of_paired_shares(only_first, only_second, count),
        p,
        (only_first, only_second),
        samples=count,
    )


def paired_t(differences: ArrayLike) -> Tested:
    """The t-test of paired differences, second less first."""
    values = numpy.asarray(differences, dtype=numpy.float64)
    name, count = "paired t-test", len(values)
    mean = float(values.mean()) if count else nan
    if count < 2:
        return Tested(name, mean, None, nan, samples=count)
    error = float(values.std(ddof=1)) / sqrt(count)
    half = t_of(count - 1) * error
    p = student_both_tails(_ratio(mean, error), count - 1)
    return Tested(name, mean, Interval(mean - half, mean + half), p, samples=count)


def welch(first: Sequence[float], second: Sequence[float]) -> Tested:
    """Welch's t-test (1947) of the means of two groups, whose deviations may differ. If one of
    them has a single value, it is Student's, with the deviation of the other."""
    mean = fmean(second) - fmean(first)
    total = len(first) + len(second)
    if total < 3 or not first or not second:
        return Tested("Welch's t-test", mean, None, nan, samples=total)
    if min(len(first), len(second)) == 1:
        group = max(first, second, key=len)
        name, freedom = "Student's t-test of one run", float(len(group) - 1)
        error = stdev(group) * sqrt(1 + 1 / len(group))
    else:
        name = "Welch's t-test"
        parts = [variance(group) / len(group) for group in (first, second)]
        error = sqrt(sum(parts))
        below = sum(
            part**2 / (len(group) - 1) for part, group in zip(parts, (first, second), strict=True)
        )
        freedom = error**4 / below if below else float(total - 2)
    if not error:  # runs without any spread say nothing about chance
        return Tested(name, mean, None, 1.0 if not mean else nan, samples=total)
    half = t_of(freedom) * error
    p = student_both_tails(mean / error, freedom)
    return Tested(name, mean, Interval(mean - half, mean + half), p, samples=total)


def _ratio(value: float, error: float) -> float:
    return value / error if error else (copysign(inf, value) if value else 0.0)
