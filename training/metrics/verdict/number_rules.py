"""What the metrics of numbers show: their mean is guessed, or most of their spread explained."""

from __future__ import annotations

from .against_guessing import against_guessing
from .facts import Facts, Finding, complete
from .fitting import similar_losses
from .limits import LIMITS


def guesses_numbers(facts: Facts) -> Finding | None:
    """In no epoch, numbers are better than their mean, nor does the training loss fall."""
    r2, losses = complete(facts.validated, "val", "r2"), facts.train_loss()
    if not r2 or max(r2) > LIMITS.guessing_r2:
        return None
    if losses[0] > 0 and min(losses) < LIMITS.guessing_numbers_fall * losses[0]:
        return None
    return Finding(
        "guesses",
        f"R2 stays at {max(r2):.2f} or below, about that of predicting the mean for every image:"
        f" the network guesses. {against_guessing(facts)}.",
    )


def well_numbers(facts: Facts) -> Finding | None:
    """Most of what numbers differ by is explained, and the losses are about the same."""
    r2 = complete(facts.validated, "val", "r2")
    if not facts.numbers or len(r2) < 2 or r2[-1] < LIMITS.well_r2:
        return None
    losses = similar_losses(facts)
    if losses is None:
        return None
    return Finding(
        "well",
        f"R2 is {r2[-1]:.3f} on the validation set, and {losses}: it has learned, and does not"
        " overfit.",
    )
