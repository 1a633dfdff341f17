"""Whether there are enough validation images to tell."""

from __future__ import annotations

from math import sqrt

from .facts import Facts, Finding, percent
from .limits import LIMITS


def few(facts: Facts) -> Finding | None:
    """With so few validation images, another set of them could give a very different accuracy."""
    top1 = facts.val_top1()
    images = facts.val.count
    if not top1 or not images or facts.masks:
        return None
    low, high = interval(max(top1), images)
    if (high - low) / 2 < LIMITS.uncertain:
        return None
    best = [each.epoch for each in facts.validated if each.val["top1"] == max(top1)]
    tied = f"; {len(best)} epochs have it" if len(best) > 1 else ""
    return Finding(
        "few",
        f"{images:,} validation images are few: on others of this kind, the best accuracy,"
        f" {percent(max(top1))}, could as well be {percent(low)} or {percent(high)}{tied}.",
    )


def interval(share: float, images: int) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share that was measured on so many images."""
    z2 = LIMITS.uncertain_deviations**2
    center = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = sqrt(z2 * (share * (1 - share) / images + z2 / (4 * images**2))) / (1 + z2 / images)
    return max(0.0, center - half), min(1.0, center + half)
