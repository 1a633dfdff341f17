"""How much of the results of a sweep each parameter explains by itself.

It is a share of variance: values of the parameter are put into a few bins, and trials into ranks by
their result, so that a trial that diverged does not count for more than any other bad one. The
share is corrected for the number of bins (epsilon squared), and compared with what random orders of
the same results give.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from ...compiler.plan.search_space import Search, Value

FEWEST = 6
"""With fewer trials, nothing is said."""
CERTAIN = 20
"""With fewer trials, it is said that they are few."""
MOST_BINS = 6
ORDERS = 200
CHANCE = 0.95
"""The share of random orders that explain less than the mark."""


class Importance(NamedTuple):
    name: str
    share: float
    """Of the variance of the ranks."""
    chance: float
    """What 95 % of random orders stay below."""

    @property
    def is_told(self) -> bool:
        """Whether it can be told from chance."""
        return self.share > self.chance


def importances(
    searches: Sequence[Search], values: Sequence[Sequence[Value | None]], results: Sequence[float]
) -> list[Importance]:
    """The importance of each parameter, the largest first; `values` has those of each one for all
    trials, in the order of their results."""
    if len(results) < FEWEST or len(set(results)) < 2:
        return []
    ranks = _ranks(results)
    orders = numpy.random.default_rng(0).permuted(numpy.tile(ranks, (ORDERS, 1)), axis=1)
    together = numpy.vstack([ranks, orders])
    found = []
    for search, column in zip(searches, values, strict=True):
        shares = _explained(together, _bins(search, column))
        chance = float(numpy.quantile(shares[1:], CHANCE))
        found.append(Importance(search.name, max(0.0, float(shares[0])), max(0.0, chance)))
    return sorted(found, key=lambda each: -each.share)


def _ranks(results: Sequence[float]) -> NDArray[numpy.float64]:
    """Mean ranks, the same for equal results."""
    array = numpy.asarray(results, dtype=float)
    _, inverse, counts = numpy.unique(array, return_inverse=True, return_counts=True)
    ends = numpy.cumsum(counts)
    means: NDArray[numpy.float64] = ends - (counts - 1) / 2
    return means[inverse]


def _bins(search: Search, column: Sequence[Value | None]) -> NDArray[numpy.int64]:
    """The bin of each value: its choice, or one of a few with about as many values each."""
    if search.choices:
        places = {value: place for place, value in enumerate(dict.fromkeys(column))}
        return numpy.asarray([places[value] for value in column])
    numbers = numpy.asarray(
        [float(value) if isinstance(value, (int, float)) else numpy.nan for value in column]
    )
    different = numpy.unique(numbers)
    most = max(2, min(MOST_BINS, round(len(numbers) ** 0.5)))
    if len(different) <= most:
        return numpy.searchsorted(different, numbers)
    edges = numpy.quantile(numbers, numpy.linspace(0, 1, most + 1)[1:-1])
    return numpy.searchsorted(numpy.unique(edges), numbers, side="right")


def _explained(
    orders: NDArray[numpy.float64], bins: NDArray[numpy.int64]
) -> NDArray[numpy.float64]:
    """For each order of the results, the share of its variance between the bins."""
    used, inverse, counts = numpy.unique(bins, return_inverse=True, return_counts=True)
    trials, many = len(bins), len(used)
    if many < 2 or trials <= many:
        return numpy.zeros(len(orders))
    member = numpy.zeros((trials, many))
    member[numpy.arange(trials), inverse] = 1
    means = orders @ member / counts
    mean = orders.mean(axis=1, keepdims=True)
    total = ((orders - mean) ** 2).sum(axis=1)
    between = (counts * (means - mean) ** 2).sum(axis=1)
    within = (total - between) / (trials - many)
    explained: NDArray[numpy.float64] = (between - (many - 1) * within) / total
    return explained
