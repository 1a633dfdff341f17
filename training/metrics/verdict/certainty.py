"""Whether there are enough validation images to tell."""

from __future__ import annotations

from ...significance.intervals import wilson
from .facts import Facts, Finding, percent
from .limits import LIMITS


def few(facts: Facts) -> Finding | None:
    """With so few validation images, another set of them could give a very different accuracy."""
    top1 = facts.val_top1()
    images = facts.val.count
    if not top1 or not images or facts.masks:
        return None
    low, high = wilson(max(top1), images, LIMITS.uncertain_deviations)
    if (high - low) / 2 < LIMITS.uncertain:
        return None
    best = [each.epoch for each in facts.validated if each.val["top1"] == max(top1)]
    tied = f"; {len(best)} epochs have it" if len(best) > 1 else ""
    return Finding(
        "few",
        f"{images:,} validation images are few: on others of this kind, the best accuracy,"
        f" {percent(max(top1))}, could as well be {percent(low)} or {percent(high)}{tied}.",
    )
