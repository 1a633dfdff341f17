"""Where the weights of a network lie in a file of weights, and how they are laid out there. The
reader of the structure says it, layer by layer; training/importing/stored_weights.py then fetches
them from files of any format.
"""

from __future__ import annotations

from typing import NamedTuple

from ..shapes import Shape
from .graph import Layer


class Stored(NamedTuple):
    """One weight of a layer, as a file has it."""

    layer: Layer
    key: str
    """In the layer's state dict: `running_mean`."""
    owner: tuple[str, ...] = ()
    """Whose it is in the file: the name of its layer there, after those of the models around it.
    Empty for constants."""
    place: tuple[str, ...] = ()
    """Where the owner is, in formats that number layers by their kinds."""
    position: int = 0
    """Which of the owner's tensors it is."""
    name: str = ""
    """What that is called there: `moving_mean`."""
    shape: Shape = ()
    """Its shape in the file."""
    axes: tuple[int, ...] = ()
    """The axes of the file in our order, before it gets the shape that the layer has; empty if they
    are in order."""
    flat: tuple[Shape, ...] = ()
    """The maps, channels first, that its first axis goes through channels last."""
    part: int | None = None
    """Which part of the first axis it is."""
    constant: tuple[float, ...] = ()
    """Its values, if no file has them: one for all, or one for each channel."""
