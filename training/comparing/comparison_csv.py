"""The results of a comparison as a table for spreadsheets: a row for each run and metric."""

from __future__ import annotations

import csv
import io
from math import isfinite

from .differences import Differences
from .run_comparison import Comparison

_HEAD = (
    "run", "runs", "metric", "value", "deviation", "low", "high", "difference",
    "difference_low", "difference_high", "test", "p", "p_holm", "parameters", "macs", "seconds",
)  # fmt: skip


def comparison_csv(comparison: Comparison, differences: Differences) -> str:
    """Unrounded; what is not known is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_HEAD)
    for by_metric in comparison.decisive:
        first = by_metric.standings[0]
        for place, each in enumerate(by_metric.standings):
            against = each.against
            tested = against.tested if against is not None else None
            writer.writerow(
                _known(
                    each.name,
                    len(each.values),
                    by_metric.label,
                    each.value,
                    each.deviation,
                    *(each.interval or (None, None)),
                    each.value - first.value if against is not None else None,
                    *((tested.interval if tested else None) or (None, None)),
                    tested.name if tested else None,
                    tested.p if tested else None,
                    against.p if against is not None else None,
                    differences.parameters(place),
                    differences.macs(place),
                    comparison.contenders[place].seconds,
                )
            )
    return file.getvalue()


def _known(*values: str | float | None) -> list[str | float]:
    return [
        "" if value is None or (isinstance(value, float) and not isfinite(value)) else value
        for value in values
    ]
