"""Draws the regions of COCO annotations as masks: polygons, and run lengths (RLE) as lists or as
compressed text. The pixels are those of pycocotools.

A polygon's border is followed at five times the resolution of the image. Where it passes from one
column of pixels to the next, the pixels below it in that column change between inside and outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy

FINE = 5
"""Steps along a border for each pixel."""


class BadRegion(Exception):
    """A region that cannot be drawn; the text says why."""


def drawn(region: object, height: int, width: int) -> numpy.ndarray:
    """The pixels of a `segmentation` of COCO: bool, height x width. Raises BadRegion."""
    if isinstance(region, list):
        mask = numpy.zeros((height, width), bool)
        for polygon in region:
            mask |= of_polygon(polygon, height, width)
        return mask
    if isinstance(region, Mapping) and "counts" in region:
        return of_runs(region, height, width)
    raise BadRegion("its region is neither polygons nor run lengths")


def of_polygon(polygon: object, height: int, width: int) -> numpy.ndarray:
    """The pixels inside a polygon, `[x, y, x, y, …]`."""
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise BadRegion("a polygon has at least three points, each of two numbers")
    try:
        points = numpy.array(polygon, dtype=numpy.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        raise BadRegion("a polygon has something else than numbers") from None
    if not (numpy.abs(points) < 1e6).all():
        raise BadRegion("a polygon has a point that is far outside, or not a number")
    corners = numpy.trunc(FINE * points + 0.5).astype(numpy.int64)
    across, down = _border(numpy.concatenate([corners, corners[:1]]))
    moved = across[1:] != across[:-1]
    column = numpy.minimum(across[1:], across[:-1])[moved]
    row = numpy.minimum(down[1:], down[:-1])[moved]
    column = (column + 0.5) / FINE - 0.5
    inside = (column == numpy.floor(column)) & (column >= 0) & (column <= width - 1)
    row = numpy.ceil(((row[inside] + 0.5) / FINE - 0.5).clip(0, height))
    places = (column[inside] * height + row).astype(numpy.int64)
    changes = numpy.bincount(places, minlength=height * width + 1)[: height * width]
    return _by_columns((changes.cumsum() % 2).astype(bool), height, width)


def _border(corners: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The points along the border between corners, one step apart in the longer direction."""
    across, down = [], []
    for (x1, y1), (x2, y2) in pairwise(corners.tolist()):
        wide, tall = abs(x2 - x1), abs(y2 - y1)
        steps = numpy.arange(max(wide, tall) + 1)
        # Lines are the same in both directions, so that neighbors share their border exactly.
        turned = x1 > x2 if wide >= tall else y1 > y2
        (a, b), (c, d) = ((x2, y2), (x1, y1)) if turned else ((x1, y1), (x2, y2))
        if turned:
            steps = steps[::-1]
        if wide >= tall:
            xs, ys = a + steps, numpy.trunc(b + (d - b) / max(wide, 1) * steps + 0.5)
        else:
            xs, ys = numpy.trunc(a + (c - a) / tall * steps + 0.5), b + steps
        across.append(xs.astype(numpy.int64))
        down.append(ys.astype(numpy.int64))
    return numpy.concatenate(across), numpy.concatenate(down)


def of_runs(region: Mapping[str, Any], height: int, width: int) -> numpy.ndarray:
    """The pixels of run lengths, which alternate between outside and inside, column by column."""
    if region.get("size", [height, width]) != [height, width]:
        raise BadRegion(
            f"its run lengths are of {region['size']}, the image has [{height}, {width}]"
        )
    counts = region["counts"]
    runs = runs_of_text(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, Sequence) or not all(type(run) is int and run >= 0 for run in runs):
        raise BadRegion("its run lengths are not whole numbers")
    if sum(runs) != height * width:
        raise BadRegion(f"its run lengths add up to {sum(runs):,}, not {height * width:,} pixels")
    inside = numpy.arange(len(runs)) % 2 == 1
    return _by_columns(numpy.repeat(inside, runs), height, width)


def runs_of_text(text: str) -> list[int]:
    """Run lengths from COCO's compressed text: six bits a character, of which five are digits and
    one says that more follow; from the fourth number on, differences to the one before the last."""
    runs: list[int] = []
    number = shift = 0
    for sign in text:
        bits = ord(sign) - 48
        if not 0 <= bits < 64:
            raise BadRegion("its run lengths have a character that compressed ones do not have")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        runs.append(number + runs[-2] if len(runs) > 2 else number)
        number = shift = 0
    return runs


def _by_columns(flat: numpy.ndarray, height: int, width: int) -> numpy.ndarray:
    return flat.reshape(width, height).T
