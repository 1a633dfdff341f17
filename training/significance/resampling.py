"""The paired bootstrap (Efron 1979): both results again and again on images drawn at random with
replacement, always the same images for both. The random numbers are always the same, so that a
comparison says the same twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy
from numpy.typing import NDArray

from .distributions import LEVEL
from .intervals import Interval
from .tests_of_two import Tested

Floats = NDArray[numpy.float64]
Integers = NDArray[numpy.int64]

BOOTSTRAP = "paired bootstrap"
MOST, LEAST = 10_000, 400
"""Resamples."""
_WORK = 5 * 10**7
"""The number of images that are drawn in all: about a second."""
_AT_ONCE = 2**22


def resamples(count: int, work: int = 1) -> int:
    """How many resamples of so many images are drawn; `work` is what an image costs."""
    return int(min(MOST, max(LEAST, _WORK // max(1, count * work))))


def of_means(values: Floats, meaning: Callable[[Floats], Floats], times: int) -> Floats:
    """What a `meaning` makes of the means of the columns of `values` (images x columns), on each
    resample."""
    found = [meaning(values[drawn].mean(1)) for drawn in _drawn(len(values), times)]
    return numpy.concatenate(found)


def of_images(count: int, value: Callable[[Integers], float], times: int) -> Floats:
    """A value of the images that are drawn, on each resample."""
    return numpy.array([value(row) for drawn in _drawn(count, times) for row in drawn])


def _drawn(count: int, times: int) -> Iterator[Integers]:
    """The indices of the images of each resample, some resamples at once."""
    random = numpy.random.default_rng(0)
    step = max(1, _AT_ONCE // max(1, count))
    for start in range(0, times, step):
        yield random.integers(0, count, (min(step, times - start), count))


def percentiles(values: Floats) -> Interval | None:
    """The interval between the percentiles of resampled values; None if none is known."""
    known = values[numpy.isfinite(values)]
    if not len(known):
        return None
    edge = 100 * (1 - LEVEL) / 2
    low, high = numpy.percentile(known, [edge, 100 - edge])
    return Interval(float(low), float(high))


def bootstrap_test(difference: float, resampled: Floats, count: int) -> Tested:
    """The test of a difference by its resamples: how many fall on the other side of zero."""
    known = resampled[numpy.isfinite(resampled)]
    if not known.any():  # both are the same on every image
        return Tested(BOOTSTRAP, difference, percentiles(resampled), 1.0, samples=count)
    sides = min(int((known <= 0).sum()), int((known >= 0).sum()))
    p = min(1.0, 2 * (sides + 1) / (len(known) + 1))
    return Tested(
        BOOTSTRAP,
        difference,
        percentiles(resampled),
        p,
        at_most=not sides,
        samples=count,
    )
