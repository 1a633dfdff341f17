"""What to try if a network guesses."""

from __future__ import annotations

from itertools import pairwise

from .facts import Facts
from .limits import LIMITS


def against_guessing(facts: Facts) -> str:
    """What to try if a network guesses."""
    optimizer = facts.plan.train.optimizer
    losses = facts.train_loss()
    rose = any(later > LIMITS.guessing_jump * sooner for sooner, later in pairwise(losses[1:]))
    tries = f"`cnn show {facts.spec} --gradients` shows whether gradients reach the first layers"
    if optimizer.lr <= LIMITS.slow_rate * optimizer.usual_lr:
        tries = f"try ten times the learning rate ({optimizer.lr:.3g}); {tries}"
    elif optimizer.lr > optimizer.usual_lr or rose:
        tries = f"try a tenth of the learning rate ({optimizer.lr:.3g}); {tries}"
    if facts.early:
        return f"Train for longer first, as {facts.early}; if that does not help, {tries}"
    return f"{tries[0].upper()}{tries[1:]}"
