"""A mistake of a classification, with its image."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Mistake(NamedTuple):
    """An image that the network misclassifies."""

    image: Tensor
    """uint8, C x H x W with one or three channels, on the CPU; a larger one is reduced. A series or
    a scan is drawn."""
    name: str
    """The image's name in its data set: a path, or a number."""
    label: str
    """Its class."""
    predicted: str
    confidence: float
    """The probability of the predicted class."""
    output: str = ""
    """The output of a network that has several."""

    def __str__(self) -> str:
        output = f"{self.output}: " if self.output else ""
        shown = f"{100 * self.confidence:.1f} %"
        return f"{self.name}: {output}{self.label}, predicted as {self.predicted} ({shown})"
