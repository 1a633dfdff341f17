"""What a task asks of a spec that `cnn new --data` writes for it."""

from __future__ import annotations

from typing import NamedTuple


class TaskRecipe(NamedTuple):
    """By default that of one class for each image."""

    ends: str = "fc classes"
    """How the network ends."""
    loss: str = "loss cross_entropy smoothing=0.1"
    why_loss: str = "One class for each image. Smoothing keeps the network from being too sure."
    least_crop: float | None = 0.35
    """The smallest part of an image for which its labels still hold, as a share of its area; None
    if they may not hold for any part of it."""
    mirrored: bool = True
    """Whether labels still hold for a mirrored image, unless their names say otherwise."""
    why_still: str = ""
    """Why labels do not hold for an image that is moved."""
    balanced: bool = True
    """Whether rare classes get more weight."""
