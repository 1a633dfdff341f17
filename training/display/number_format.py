"""Numbers of a training as people read them."""

from __future__ import annotations

SHARES = ("top1", "top5", "precision", "recall", "f1")
"""Metrics between 0 and 1, of which more is better."""


def duration(seconds: float) -> str:
    """`0.8 s`, `42 s`, `3:07`, `2:03:07`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(seconds: float) -> str:
    """`0:42`, `3:07`, `2:03:07`: of one width while it runs."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def metric(name: str, value: float) -> str:
    """`97.50 %` of what is a share, `0.1234` of what is not."""
    return f"{100 * value:.2f} %" if name in SHARES else loss(value)


def loss(value: float) -> str:
    """`0.0512`, `2.303`, `1.3e+04`."""
    if value != value or abs(value) >= 1000 or 0 < abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}"


def rate(value: float) -> str:
    """A learning rate: `0.05`, `0.00123`, `2.5e-05`."""
    return f"{value:.3g}"


def speed(images_per_second: float) -> str:
    """`12,345 images/s`; of slow ones a tenth more."""
    number = f"{images_per_second:,.0f}" if images_per_second >= 10 else f"{images_per_second:.1f}"
    return f"{number} images/s"


def percent(share: float) -> str:
    """`2 %`, of a share of the time."""
    return f"{100 * share:.0f} %"
