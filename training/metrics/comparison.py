"""What test-time augmentation and ensembles gain or lose: both metrics, and the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, sqrt
from typing import Any, NamedTuple

from ..display.number_format import loss, metric

_SIGMAS = 2.0
"""From this many standard errors on, a loss of accuracy is not chance."""


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
        points = 100 * (value - base)
        how = f"{abs(points):.2f} points {'more' if points > 0 else 'less'} than"
        if abs(points) < 0.005:
            how = "the same as"
        line = (
            f"{self.what}: {name} {metric(name, value)}, {how} {self.against}"
            f" ({metric(name, base)}); loss {loss(self.metrics['loss'])} instead of"
            f" {loss(self.base['loss'])}"
        )
        error = sqrt(max(base * (1 - base), 0.0) / max(1, self.images))
        if base - value > _SIGMAS * error:
            line += ". It makes predictions worse: leave it out"
        return line

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


def of_ensemble(
    images: int, metrics: Mapping[str, float], members: Sequence[Mapping[str, float]], metric: str
) -> Comparison:
    """An ensemble against its best network, by a metric."""
    best = max(members, key=lambda each: (each[metric], -each["loss"]))
    number = 1 + list(members).index(best)
    return Comparison(
        f"ensemble of {len(members)}",
        f"the best one, network {number}",
        images,
        metrics,
        best,
        metric,
    )
