"""Formats durations, metrics, losses, learning rates and speeds for people to read."""

from __future__ import annotations

from math import floor, isfinite, log10

from ...compiler.plan.metric_names import METRICS, is_metric, metric_named
from ..data.diagnostic import plural_noun

_OF_CLASSES = ("iou", "average_precision", "threshold")
_SHARES = (*(name for name, metric in METRICS.items() if metric.share), *_OF_CLASSES)
"""Metrics between 0 and 1, which are shown in percent; the last three are of one class."""


def is_share(name: str) -> bool:
    """Whether a metric is between 0 and 1, and shown in percent."""
    return name.rpartition(".")[2] in _SHARES


def duration(seconds: float) -> str:
    """`0.8 s`, `42 s`, `3:07`, `2:03:07`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else clock(whole)


def clock(seconds: float) -> str:
    """`0:42`, `3:07`, `2:03:07`: a running clock, whose width does not jump."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def metric(name: str, value: float) -> str:
    """`97.50 %` for shares, `1,234` for errors in the units of the data, `27.91 dB`, `0.1234` for
    others."""
    known = metric_named(name) if is_metric(name) else None
    if known is not None and known.in_units:
        return amount(value)
    if known is not None and known.unit:
        return f"{value:.2f} {known.unit}"
    return f"{100 * value:.2f} %" if is_share(name) else loss(value)


def amount(value: float) -> str:
    """A number in units of the data, with four digits or more: `3.382`, `51,204`, `0.0123`."""
    if not isfinite(value) or 0 < abs(value) < 1e-5 or abs(value) >= 1e8:
        return f"{value:.3e}" if isfinite(value) else f"{value}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}".removesuffix(".")


def amount_of(value: float, deviation: float) -> str:
    """A number with as many decimals as numbers that spread so far need: the third digit of their
    standard deviation is the last."""
    if not isfinite(value) or not 1e-8 < deviation < 1e12:
        return f"{value:.5g}"
    return f"{value:,.{max(0, 2 - floor(log10(deviation)))}f}"


def loss(value: float) -> str:
    """`0.0512`, `2.303`, `1.3e+04`."""
    if value != value or abs(value) >= 1000 or 0 < abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}"


def rate(value: float) -> str:
    """A learning rate: `0.05`, `0.00123`, `2.5e-05`."""
    return f"{value:.3g}"


def speed(images_per_second: float, noun: str = "image") -> str:
    """`12,345 images/s`; below 10 with one decimal. `noun` is what an image is called."""
    number = f"{images_per_second:,.0f}" if images_per_second >= 10 else f"{images_per_second:.1f}"
    return f"{number} {plural_noun(noun)}/s"


def percent(share: float) -> str:
    """A share of the time: `2 %`."""
    return f"{100 * share:.0f} %"
