"""Confidence intervals of shares and means: between them, the true value lies in 95 of 100 such
measurements."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from .distributions import t_of, z_of


class Interval(NamedTuple):
    low: float
    high: float


def wilson(share: float, count: int, deviations: float | None = None) -> Interval:
    """The interval of Wilson (1927) for a share that was measured on so many images; 95 % unless
    the number of `deviations` is given. It stays between 0 and 1, also for few images."""
    z2 = (z_of() if deviations is None else deviations) ** 2
    center = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return Interval(max(0.0, center - half), min(1.0, center + half))


def of_mean(values: Sequence[float]) -> Interval | None:
    """The interval of a mean; None if there are fewer than two values."""
    if len(values) < 2:
        return None
    mean, half = fmean(values), t_of(len(values) - 1) * stdev(values) / sqrt(len(values))
    return Interval(mean - half, mean + half)


def of_paired_shares(only_first: int, only_second: int, count: int) -> Interval:
    """The interval of the difference of two shares, second less first, that were measured on the
    same images: `only_first` of them are right in the first alone.

    The adjusted Wald interval of Agresti and Min (2005), which adds half an image to each cell: of
    few images the plain one is far too narrow.
    """
    difference = only_second - only_first
    images, apart = count + 2, only_first + only_second + 1
    center = difference / images
    half = z_of() * sqrt(max(0.0, apart - difference**2 / images)) / images
    return Interval(max(-1.0, center - half), min(1.0, center + half))
