"""The regions of a mask as polygons: outlines and holes along the edges of pixels.

Corners are whole numbers, in pixels from the upper left corner of the image. Filling the outline of
a polygon without its holes gives its pixels again, exactly. Pixels of a region touch each other at
their sides; those that touch at corners alone are of different polygons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy
from torch import Tensor

Ring = list[tuple[int, int]]
"""The corners of a closed line, x and y."""


class Polygon(NamedTuple):
    number: int
    """The class number."""
    pixels: int
    outline: Ring
    """Clockwise, as it is seen."""
    holes: list[Ring]
    """Counterclockwise."""


def polygons(mask: Tensor, classes: int) -> list[Polygon]:
    """The polygons of a mask (height x width), class by class, from top to bottom."""
    values = mask.numpy()
    there = numpy.bincount(values.ravel(), minlength=classes)[:classes].nonzero()[0].tolist()
    return [each for number in there for each in _of_class(number, values == number)]


class _Traced(NamedTuple):
    corners: Ring
    area: int
    """Negative for a hole."""


def _of_class(number: int, inside: numpy.ndarray) -> Iterator[Polygon]:
    rings, ring_at = _rings(inside)
    found = {
        place: Polygon(number, ring.area, ring.corners, [])
        for place, ring in enumerate(rings)
        if ring.area > 0
    }
    areas = dict.fromkeys(found, 0)
    for place, ring in enumerate(rings):
        if ring.area < 0:
            outer = _around(place, rings, ring_at, inside)
            found[outer].holes.append(ring.corners)
            areas[outer] += ring.area
    for place, polygon in found.items():
        yield polygon._replace(pixels=polygon.pixels + areas[place])


def _rings(inside: numpy.ndarray) -> tuple[list[_Traced], dict[tuple[int, int], int]]:
    """The lines around a region, and which line each upright edge of a pixel belongs to, by the
    place of its upper end. Walking along an edge, the region is on the right."""
    padded = numpy.pad(inside, 1).astype(numpy.int8)
    across = numpy.diff(padded, axis=0)[:, 1:-1]  # 1: the region is below this edge
    upright = numpy.diff(padded, axis=1)[1:-1]  # 1: the region is right of this edge
    ahead: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for edges, sign, (right, down), step in (
        (across, 1, (0, 0), (1, 0)),
        (across, -1, (1, 0), (-1, 0)),
        (upright, 1, (0, 1), (0, -1)),
        (upright, -1, (0, 0), (0, 1)),
    ):
        for y, x in numpy.argwhere(edges == sign).tolist():
            ahead.setdefault((x + right, y + down), []).append(step)
    rings: list[_Traced] = []
    ring_at: dict[tuple[int, int], int] = {}
    for first in sorted(ahead, key=lambda corner: (corner[1], corner[0])):
        while ahead[first]:
            rings.append(_traced(first, ahead, ring_at, len(rings)))
    return rings, ring_at


def _traced(
    first: tuple[int, int],
    ahead: dict[tuple[int, int], list[tuple[int, int]]],
    ring_at: dict[tuple[int, int], int],
    number: int,
) -> _Traced:
    corners: Ring = []
    area, before, (x, y) = 0, (0, 0), first
    while ahead[x, y]:
        steps = ahead[x, y]
        step = steps[0]
        if len(steps) == 2:  # two pixels touch at this corner: turn right, to stay at the same one
            right = (-before[1], before[0])
            step = right if right in steps else steps[0]
        steps.remove(step)
        if step != before:
            corners.append((x, y))
        if step[0] == 0:
            ring_at[x, min(y, y + step[1])] = number
            area += x * step[1]
        before, (x, y) = step, (x + step[0], y + step[1])
        if (x, y) == first and (not ahead[x, y] or _closes(before, corners, ahead[x, y])):
            break
    if len(corners) > 2 and _straight(corners[-1], corners[0], corners[1]):
        corners = corners[1:]
    return _Traced(corners, area)


def _closes(before: tuple[int, int], corners: Ring, steps: list[tuple[int, int]]) -> bool:
    """Whether a line that is back at its first corner ends there: the turn to the right is done."""
    return (-before[1], before[0]) not in steps


def _straight(one: tuple[int, int], two: tuple[int, int], three: tuple[int, int]) -> bool:
    return one[0] == two[0] == three[0] or one[1] == two[1] == three[1]


def _around(
    hole: int,
    rings: list[_Traced],
    ring_at: dict[tuple[int, int], int],
    inside: numpy.ndarray,
) -> int:
    """The outline around a hole: the line that is met first to the left of its uppermost corner, or
    the outline around that, if it is a hole as well."""
    while rings[hole].area < 0:
        x, y = min(rings[hole].corners, key=lambda corner: (corner[1], corner[0]))
        row = inside[y]
        left = x - 1
        while left > 0 and row[left - 1]:
            left -= 1
        hole = ring_at[left, y]
    return hole
