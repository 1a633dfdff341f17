"""The rows of the table of runs: single runs, or those that differ only in their seed together; in
which order they come, and what each differs in from the one above it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...compiler.plan.plan_differences import Change
from .run_differences import SEED, main_changes, run_changes
from .run_facts import RunFacts
from .run_values import Values, largest_first
from .seed_groups import seed_groups


@dataclass(frozen=True, eq=False)
class Row:
    """A run; or several that differ only in their seed."""

    runs: Sequence[RunFacts]
    differs: Sequence[Change] = ()
    """From the row above."""
    main: Sequence[Change] = ()
    """Of these, the ones that somebody wrote; the others follow from them."""

    @property
    def first(self) -> RunFacts:
        return self.runs[0]

    def values(self, name: str) -> list[Any]:
        """The values of a name that its runs have."""
        found = (Values(run).get(name) for run in self.runs)
        return [value for value in found if value is not None]

    def numbers(self, name: str) -> list[float]:
        """Of those, the finite numbers."""
        return [
            float(value)
            for value in self.values(name)
            if isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
        ]

    def mean(self, name: str) -> float | None:
        numbers = self.numbers(name)
        return statistics.fmean(numbers) if numbers else None

    def deviation(self, name: str) -> float | None:
        """The standard deviation of a sample; None for a single value."""
        numbers = self.numbers(name)
        return statistics.stdev(numbers) if len(numbers) > 1 else None

    def sort_key(self, name: str) -> Any:
        """None if it has no value."""
        mean = self.mean(name)
        if mean is not None:
            return mean
        value = next(iter(self.values(name)), None)
        if isinstance(value, float) and math.isnan(value):
            return None
        return value.timestamp() if isinstance(value, datetime) else value


def rows_of(
    runs: Sequence[RunFacts],
    *,
    sort: str = "",
    reverse: bool = False,
    by_seed: bool = False,
) -> list[Row]:
    """The rows of runs. Without `sort` they stay as they are, in the order in which they were
    started."""
    rows = [Row(group) for group in (seed_groups(runs) if by_seed else ([run] for run in runs))]
    if sort:
        measured = [row.first for row in rows if row.first.metric]
        largest = sort == "best" and bool(measured) and measured[0].higher_is_better
        largest = largest or largest_first(sort)
        rows = _sorted(rows, lambda row: row.sort_key(sort), largest != reverse)
    elif reverse:
        rows.reverse()
    return list(_with_differences(rows))


def _sorted(rows: Sequence[Row], key: Callable[[Row], Any], largest: bool) -> list[Row]:
    """Those without a value come last."""
    keyed = [(key(row), row) for row in rows]
    known = [pair for pair in keyed if pair[0] is not None]
    numbers = all(isinstance(value, int | float) for value, _ in known)
    known.sort(key=lambda pair: pair[0] if numbers else str(pair[0]), reverse=largest)
    return [row for _, row in known] + [row for value, row in keyed if value is None]


def _with_differences(rows: Sequence[Row]) -> Iterator[Row]:
    above: Row | None = None
    for row in rows:
        if above is None:
            yield row
        else:
            found = run_changes(above.first, row.first)
            if max(len(above.runs), len(row.runs)) > 1:
                found = [each for each in found if each.name != SEED]
            yield Row(row.runs, found, main_changes(above.first, row.first, found))
        if row.first.plan is not None:
            above = row
