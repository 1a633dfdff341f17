"""The axes of plots of a sweep: linear, logarithmic, or of choices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from ...compiler.plan.search_space import Search, Value
from ..page.chart import round_numbers
from ..sweep.trial_text import value_text


@dataclass(frozen=True)
class PlotAxis:
    label: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[str, ...] = ()
    text: Callable[[float], str] = "{:.4g}".format
    whole: bool = False
    """Whether there is nothing between whole numbers: epochs, trials, widths."""

    def share(self, value: Value | None) -> float | None:
        """Where a value is, from 0 to 1; None for one that has no place."""
        if self.choices:
            if value not in self.choices:
                return None
            return (self.choices.index(str(value)) + 0.5) / len(self.choices)
        if value is None or isinstance(value, str) or not isfinite(value):
            return None
        low, high, at = self.low, self.high, float(value)
        if self.log:
            if at <= 0:
                return None
            low, high, at = log10(low), log10(high), log10(at)
        return 0.5 if high == low else min(1.0, max(0.0, (at - low) / (high - low)))

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """Places, from 0 to 1, and what stands there."""
        values: Sequence[Value]
        if self.choices:
            values = self.choices
        elif self.log:
            values = _powers(self.low, self.high, most)
        elif self.low == self.high:
            values = [self.low]
        else:
            slack = 1e-9 * (self.high - self.low)
            values = [
                number
                for number in round_numbers(self.low, self.high, most)
                if self.low - slack <= number <= self.high + slack
                and (number == round(number) or not self.whole)
            ]
        placed = [(self.share(value), value) for value in values]
        return [
            (place, value if isinstance(value, str) else self.text(value))
            for place, value in placed
            if place is not None
        ]


def _powers(low: float, high: float, most: int) -> list[float]:
    """Powers of ten within a range; of a short range, 2 and 5 times these, too."""
    first, last = floor(log10(low)), ceil(log10(high))
    every = max(1, ceil((last - first) / most))
    powers = [10.0**power for power in range(first, last + 1, every)]
    inside = [each for each in powers if low * 0.999 <= each <= high * 1.001]
    if len(inside) < 3:
        finer = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
        inside = [each for each in finer if low * 0.999 <= each <= high * 1.001]
    return inside or [low, high]


def axis_of_search(search: Search, values: Sequence[Value | None]) -> PlotAxis:
    """The axis of a parameter; the spec as written may have a value outside of its range."""
    if search.choices:
        others = {str(value) for value in values if value is not None} - {*search.choices}
        return PlotAxis(search.name, choices=(*search.choices, *sorted(others)))
    numbers = [float(value) for value in values if isinstance(value, (int, float))]
    numbers = [each for each in numbers if isfinite(each) and (each > 0 or not search.log)]
    low, high = min([search.low, *numbers]), max([search.high, *numbers])

    def text(value: float) -> str:
        return value_text(search, value)

    return PlotAxis(
        search.name, low, high, log=search.log and low > 0, text=text, whole=search.whole
    )


def axis_of_results(
    label: str,
    values: Sequence[float],
    text: Callable[[float], str],
    *,
    complete: Sequence[float] = (),
    higher: bool | None = None,
) -> PlotAxis:
    """The axis of what trials reached.

    Values of different magnitudes are shown by their logarithm. If it is known which end is better,
    a few results that are far worse than those of `complete` trials are drawn at the edge: they
    would leave no room for the differences between the others.
    """
    finite = sorted(each for each in values if isfinite(each))
    if not finite:
        return PlotAxis(label, text=text)
    low, high = finite[0], finite[-1]
    if low > 0 and high / low > _MAGNITUDES:
        return PlotAxis(label, low, high, log=True, text=text)
    typical = sorted((each for each in complete if isfinite(each)), reverse=bool(higher))
    if higher is not None and len(typical) >= _TYPICAL:
        best, quarter = typical[0], typical[3 * len(typical) // 4]
        limit = best + _FAR * (quarter - best)
        low, high = (max(low, limit), high) if higher else (low, min(high, limit))
    pad = 0.04 * (high - low) or abs(high) * 0.05 or 1.0
    return PlotAxis(label, low - pad, high + pad, text=text)


_MAGNITUDES = 50.0
_TYPICAL = 3
"""The fewest complete trials that say what is far from them."""
_FAR = 4.0
"""So many times the distance between the best trial and the worst quarter is far."""
