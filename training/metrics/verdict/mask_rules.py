"""What the metrics of masks show: all pixels in one class, or classes that are never found."""

from __future__ import annotations

from .against_guessing import against_guessing
from .facts import Facts, Finding, complete, percent
from .limits import LIMITS


def guesses_masks(facts: Facts) -> Finding | None:
    """In no epoch, pixels are better told apart than by giving all of them the same class."""
    pixels, overlap = facts.val_top1(), complete(facts.validated, "val", "miou")
    if not pixels or not overlap:
        return None
    at_most = {name: share + LIMITS.guessing_top1 for name, share in facts.guess.shares.items()}
    trained = facts.train_guess.shares["pixels"] + LIMITS.guessing_top1
    if max(pixels) > at_most["pixels"] or max(overlap) > at_most["miou"]:
        return None
    if max(facts.train_top1(), default=1.0) > trained:
        return None
    return Finding(
        "guesses",
        f"mean IoU stays at {percent(max(overlap))}, about that of one class for all pixels: the"
        f" network guesses. {against_guessing(facts)}.",
    )


def never_found(facts: Facts) -> Finding | None:
    """Of some classes of masks, no pixel is found: they are rare, and the loss hardly sees them."""
    if not facts.masks or not facts.predicted:
        return None
    lost = [
        f"`{name}`"
        for name, found, there in zip(facts.classes, facts.predicted, facts.val.counts, strict=True)
        if there and not found
    ]
    if not lost:
        return None
    shown = ", ".join(lost[:_NAMED])
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    ways = ["more epochs"]
    if facts.plan.train.weights.classes == "equal" and facts.plan.train.loss.weighted:
        ways.append("`weights balanced`")
    if facts.plan.train.loss.weighted and not getattr(facts.plan.train.loss, "dice", None):
        ways.append("a loss with `dice=1`")
    return Finding("never-found", f"no pixel is taken for {shown}{more}. Try {' or '.join(ways)}.")


_NAMED = 4
