"""Matrices that say where a pixel comes from; places are counted from the middle of an image.

Of an image W wide, x is from -W/2 to W/2, the middle of the first pixel being half a pixel further
in; so what is turned, scaled or sheared about the middle needs no offset. All matrices lead back,
from what a step makes to what it is made of: those of several steps are multiplied in the order of
the steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .entries import Entry, column, plus, times

Size = tuple[int, int]
"""Height and width."""

Matrix = tuple[Entry, Entry, Entry, Entry, Entry, Entry, Entry, Entry, Entry]
"""Row by row."""

IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def linear(a: Entry, b: Entry, c: Entry, d: Entry) -> Matrix:
    """x from a*x + b*y, y from c*x + d*y."""
    return (a, b, 0.0, c, d, 0.0, 0.0, 0.0, 1.0)


def mirrored(horizontal: Entry, vertical: Entry) -> Matrix:
    """Whether left and right, top and bottom are exchanged: 1.0 or 0.0 for each image."""
    return linear(1 - 2 * horizontal, 0.0, 0.0, 1 - 2 * vertical)


def turned(degrees: Tensor) -> Matrix:
    """Anti-clockwise."""
    angle = degrees.deg2rad()
    cos, sin = angle.cos(), angle.sin()
    return linear(cos, -sin, sin, cos)


def scaled(factor: Tensor) -> Matrix:
    """Larger."""
    back = 1 / factor
    return linear(back, 0.0, 0.0, back)


def moved(right: Entry, down: Entry) -> Matrix:
    """By pixels."""
    return (1.0, 0.0, -right, 0.0, 1.0, -down, 0.0, 0.0, 1.0)


def sheared(x: Entry, y: Entry) -> Matrix:
    """Tangents: rows pushed against x by their distance from the middle, columns against y."""
    # Of the same two steps as torchvision's: first x, then y, undone in reverse.
    return linear(plus(1.0, times(x, y)), x, y, 1.0)


def part(left: Tensor, top: Tensor, width: Tensor, height: Tensor, size: Size, out: Size) -> Matrix:
    """A part of an image of `size`, counted from its upper left corner, made as large as `out`."""
    x, y = left + width / 2 - size[1] / 2, top + height / 2 - size[0] / 2
    return (width / out[1], 0.0, x, 0.0, height / out[0], y, 0.0, 0.0, 1.0)


def from_corner(matrix: Matrix, size: Size, out: Size) -> Matrix:
    """The same as a matrix of places that are counted from the upper left corner."""
    there = moved(size[1] / 2, size[0] / 2)
    return product(there, product(matrix, moved(-out[1] / 2, -out[0] / 2)))


def quadrilateral(corners: Tensor, size: Size) -> Matrix:
    """The corners of an image (N x 4 x 2: upper left, upper right, lower right, lower left) move to
    other places. As torchvision has it, corners are the first and last pixels' numbers."""
    height, width = size
    unit = _from_unit_square(corners)
    pixels = linear(1 / max(1, width - 1), 0.0, 0.0, 1 / max(1, height - 1))
    back = from_corner(_inverse(product(unit, pixels)), size, size)
    # Three corners in a line leave nothing to look at.
    usable = torch.stack([column(entry, corners[:, 0, 0]) for entry in back]).isfinite().all(0)
    return chosen(usable, back, IDENTITY)


def product(one: Matrix, other: Matrix) -> Matrix:
    return tuple(  # type: ignore[return-value]
        plus(
            plus(times(one[row], other[column]), times(one[row + 1], other[column + 3])),
            times(one[row + 2], other[column + 6]),
        )
        for row in (0, 3, 6)
        for column in (0, 1, 2)
    )


def chosen(where: Tensor, one: Matrix, other: Matrix) -> Matrix:
    """Of some images one, of the others the other."""
    return tuple(  # type: ignore[return-value]
        torch.where(where, a, b) if isinstance(a, Tensor) or isinstance(b, Tensor) or a != b else a
        for a, b in zip(one, other, strict=True)
    )


def _from_unit_square(corners: Tensor) -> Matrix:
    """Heckbert, 1989: (0, 0), (1, 0), (1, 1), (0, 1) to four corners."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (each.unbind(-1) for each in corners.unbind(1))
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    scale = dx1 * dy2 - dx2 * dy1
    g = (sx * dy2 - dx2 * sy) / scale
    h = (dx1 * sy - sx * dy1) / scale
    return (
        x1 - x0 + g * x1, x3 - x0 + h * x3, x0,
        y1 - y0 + g * y1, y3 - y0 + h * y3, y0,
        g, h, 1.0,
    )  # fmt: skip


def _inverse(m: Matrix) -> Matrix:
    """Up to a factor, which a homography does not mind; scaled to end in 1."""
    a, b, c, d, e, f, g, h, i = m
    end = a * e - b * d
    found = (
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h,
    )  # fmt: skip
    return (*(entry / end for entry in found), 1.0)  # type: ignore[return-value]
