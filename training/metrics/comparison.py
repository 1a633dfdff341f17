"""What test-time augmentation and ensembles gain or lose: both metrics, and the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, nan, sqrt
from typing import Any, NamedTuple

from ...compiler.plan.metric_names import metric_named
from ..display.number_format import loss, metric

_SIGMAS = 2.0
"""From this many standard errors on, a loss of accuracy is not chance."""
_WORSE = 0.05
"""From this share on, a larger error of numbers is not chance: their standard error is not known,
but both were measured on the same images."""


INPUT = "the input itself"


class Comparison(NamedTuple):
    """The same images, evaluated in a simple and in a more expensive way."""

    what: str
    """The more expensive way: `tta crops=10`, `ensemble of 3`."""
    against: str
    """The simple way: `one view`, `the best one, network 2`."""
    images: int
    metrics: Mapping[str, float]
    base: Mapping[str, float]
    """The metrics of the simple way."""
    metric: str = "top1"
    """The metric that is compared."""

    @property
    def text(self) -> str:
        """A line about the gain or loss, and a warning if it is certainly a loss."""
        name = self.metric
        value, base = self.metrics[name], self.base[name]
        how = self._how(value, base)
        line = (
            f"{self.what}: {name} {metric(name, value)}, {how} {self.against}"
            f" ({metric(name, base)})"
        )
        losses = [each.get("loss", nan) for each in (self.metrics, self.base)]
        if all(map(isfinite, losses)):
            line += f"; loss {loss(losses[0])} instead of {loss(losses[1])}"
        worse = base - value if metric_named(name).higher else value - base
        if worse > self._by_chance(base) and self.against != INPUT:
            line += ". It makes predictions worse: leave it out"
        return line

    def _how(self, value: float, base: float) -> str:
        metric = metric_named(self.metric)
        if metric.unit:
            difference = value - base
            if abs(difference) < 0.005:
                return "the same as"
            return (
                f"{abs(difference):.2f} {metric.unit} {'more' if difference > 0 else 'less'} than"
            )
        return self._points(value - base) if metric.share else _percent(value, base)

    @staticmethod
    def _points(difference: float) -> str:
        points = 100 * difference
        if abs(points) < 0.005:
            return "the same as"
        return f"{abs(points):.2f} points {'more' if points > 0 else 'less'} than"

    def _by_chance(self, base: float) -> float:
        """So much worse, a metric may be by chance."""
        if not metric_named(self.metric).share:
            return _WORSE * abs(base)
        return _SIGMAS * sqrt(max(base * (1 - base), 0.0) / max(1, self.images))

    def to_json(self) -> dict[str, Any]:
        def plain(values: Mapping[str, float]) -> dict[str, float | None]:
            return {name: value if isfinite(value) else None for name, value in values.items()}

        return {
            "what": self.what,
            "against": self.against,
            "images": self.images,
            "metrics": plain(self.metrics),
            "base": plain(self.base),
            "text": self.text,
        }


def _percent(value: float, base: float) -> str:
    """How a metric that is not a share compares."""
    change = 100 * (value - base) / abs(base) if base else 0.0
    if not isfinite(change) or abs(change) < 0.05:
        return "about the same as"
    return f"{abs(change):.1f} % {'more' if change > 0 else 'less'} than"


def of_ensemble(
    images: int, metrics: Mapping[str, float], members: Sequence[Mapping[str, float]], metric: str
) -> Comparison:
    """An ensemble against its best network, by a metric."""
    sign = 1 if metric_named(metric).higher else -1
    best = max(members, key=lambda each: (sign * each[metric], -each["loss"]))
    number = 1 + list(members).index(best)
    return Comparison(
        f"ensemble of {len(members)}",
        f"the best one, network {number}",
        images,
        metrics,
        best,
        metric,
    )
