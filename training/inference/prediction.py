"""The prediction for an image: its most likely classes, its mask, its numbers, or another image."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Guess(NamedTuple):
    name: str
    """The name of the class."""
    probability: float


class Share(NamedTuple):
    """The share of an image that a class covers."""

    name: str
    """The name of the class."""
    pixels: int
    share: float
    """Of all pixels, from 0 to 1."""


class PredictedNumber(NamedTuple):
    name: str
    """What the data calls it."""
    value: float
    """In the units of the data."""


class Prediction(NamedTuple):
    """The prediction for one image."""

    image: str
    guesses: tuple[Guess, ...]
    """The most likely class first; empty if the image cannot be used."""
    reason: str = ""
    """Why the image cannot be used; empty if it can."""
    mask: Tensor | None = None
    """Of a network that answers for each pixel, step or voxel: the class number of each (uint8, the
    size of the image, the series or the scan)."""
    shares: tuple[Share, ...] = ()
    """The classes of the mask, that with the most pixels first."""
    numbers: tuple[PredictedNumber, ...] = ()
    """Of a network that predicts numbers: all of them, in the order of the data."""
    present: tuple[Guess, ...] = ()
    """Of a network that decides each class by itself: the classes whose probability is at least
    their threshold, the most probable first; all of them, however many guesses there are."""
    outputs: Mapping[str, Any] = NOTHING
    """Of a network with several outputs: the prediction of each, a `Prediction`, by its name."""
    picture: Tensor | None = None
    """Of a network that answers with an image: that image (uint8, channels x height x width), as
    large as the network makes one of this size."""


Image = Any
"""A path, the bytes of a file, a Pillow image or an array; or a BadImage that says what is wrong.
"""
