"""The palette of masks: a color for each class number, as different from the others as possible.

The color of a class depends on its number and its name alone, so that it is the same on pages, in
PNG files and in overlays, and from run to run. Colors differ in lightness as well as in hue: they
can be told apart with any kind of color vision, on light and on dark ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy
import torch
from torch import Tensor

BACKGROUND = frozenset(
    {"background", "_background_", "void", "unlabeled", "unlabelled", "ignore", "nothing", "none"}
)
"""Names of classes that are what is left over: they are gray, and not painted over an image."""

_GRAY = (96, 102, 112)
_FIRST = ((38, 110, 200), (240, 150, 30))
"""Of class 0 and class 1; the others follow, each as far as possible from all before it."""


def class_colors(classes: Sequence[str]) -> Tensor:
    """The color of each class: uint8, classes x 3 (red, green, blue)."""
    colors = _palette(len(classes)).copy()
    for number, name in enumerate(classes):
        if is_background(name):
            colors[number] = _GRAY
    return torch.from_numpy(colors)


def is_background(name: str) -> bool:
    return name.strip().lower() in BACKGROUND


@cache
def _palette(count: int) -> numpy.ndarray:
    """The first colors of the palette; more do not change those before them."""
    candidates, places = _candidates()
    chosen = [numpy.array(color, dtype=numpy.uint8) for color in _FIRST[:count]]
    nearest = numpy.full(len(candidates), numpy.inf)
    for color in (*_FIRST[:count], _GRAY):
        nearest = numpy.minimum(nearest, _distances(places, _lab(numpy.array([color]))[0]))
    while len(chosen) < count:
        farthest = int(nearest.argmax())
        chosen.append(candidates[farthest])
        nearest = numpy.minimum(nearest, _distances(places, places[farthest]))
    return numpy.array(chosen, dtype=numpy.uint8).reshape(-1, 3)


def _distances(places: numpy.ndarray, place: numpy.ndarray) -> numpy.ndarray:
    distances: numpy.ndarray = numpy.square(places - place).sum(1)
    return distances


@cache
def _candidates() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Colors that are neither pale nor gray, neither nearly black nor nearly white, and their
    places in a space where distances are those that people see."""
    levels = numpy.arange(0, 256, 15)
    colors = numpy.stack(numpy.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    places = _lab(colors)
    chroma = numpy.hypot(places[:, 1], places[:, 2])
    fitting = (places[:, 0] > 0.38) & (places[:, 0] < 0.93) & (chroma > 0.09) & (chroma < 0.235)
    return colors[fitting].astype(numpy.uint8), places[fitting]


def _lab(colors: numpy.ndarray) -> numpy.ndarray:
    """Colors in the space OKLab (Ottosson, 2020): lightness, green to red, blue to yellow."""
    share = colors / 255
    linear = numpy.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    places: numpy.ndarray = numpy.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    return places


_TO_CONES = numpy.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = numpy.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
