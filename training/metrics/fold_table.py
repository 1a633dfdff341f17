"""The table of a cross-validation: the metrics of each fold, their mean and standard deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan
from statistics import mean, stdev
from typing import Any, NamedTuple

from ..display.number_format import metric


class FoldTable(NamedTuple):
    """The metrics of all folds."""

    names: tuple[str, ...]
    """The metrics that are shown."""
    each: tuple[Mapping[str, float], ...]
    """The metrics of each fold, by name; NaN if they are not known."""

    @classmethod
    def of(cls, results: Sequence[Mapping[str, Any]], shown: Sequence[str]) -> FoldTable:
        """From the metrics in the records of all folds; `shown` are those that are shown."""
        every = list(dict.fromkeys(name for result in results for name in result))
        names = [name for name in shown if name in every] or every
        each = [{name: _number(result.get(name)) for name in every} for result in results]
        return cls(tuple(names), tuple(each))

    def mean(self, name: str) -> float:
        return mean(one[name] for one in self.each)

    def deviation(self, name: str) -> float:
        """The standard deviation of the folds (of a sample, n - 1)."""
        values = [one[name] for one in self.each]
        return stdev(values) if all(map(isfinite, values)) else nan

    def rows(self, together: Mapping[str, float]) -> list[list[str]]:
        """The table as texts, with its head; `together` are the metrics over all images, each with
        the network that was not trained on it."""
        of_folds = [
            (f"fold {number}", [one[name] for name in self.names])
            for number, one in enumerate(self.each, 1)
        ]
        rows = [
            *of_folds,
            ("mean", [self.mean(name) for name in self.names]),
            ("deviation", [self.deviation(name) for name in self.names]),
            ("all images", [together.get(name, nan) for name in self.names]),
        ]
        return [["", *self.names]] + [
            [what, *(_text(name, value) for name, value in zip(self.names, values, strict=True))]
            for what, values in rows
        ]

    def lines(self, together: Mapping[str, float]) -> list[str]:
        """The table for a terminal."""
        rows = self.rows(together)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]

    def to_json(self) -> dict[str, Any]:
        """For the record, all metrics."""
        every = list(self.each[0])
        return {
            "each": [{name: _plain(one[name]) for name in every} for one in self.each],
            "mean": {name: _plain(self.mean(name)) for name in every},
            "deviation": {name: _plain(self.deviation(name)) for name in every},
            "shown": list(self.names),
        }


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else nan


def _plain(value: float) -> float | None:
    return value if isfinite(value) else None


def _text(name: str, value: float) -> str:
    return metric(name, value) if isfinite(value) else "-"
