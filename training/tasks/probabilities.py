"""Probabilities of classes, from the logits that a network returns."""

from __future__ import annotations

from torch import Tensor


def probabilities_of(logits: Tensor, independent: bool) -> Tensor:
    """Probabilities as float32: the sigmoid of logits where each class is decided by itself, else
    the softmax."""
    return logits.float().sigmoid() if independent else logits.float().softmax(1)
