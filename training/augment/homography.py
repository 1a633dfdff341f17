"""Homographies: 3 x 3 matrices from output to input coordinates, with the image center as origin.

In an image of width W, x goes from -W/2 to W/2, and the center of the first pixel is at -W/2 + 1/2;
so rotating, scaling and shearing about the center need no offset. All matrices are inverse maps,
from a place in the output of a step to its place in the input. So the matrices of several steps are
multiplied in the order of the steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .entries import Entry, column, plus, times

Size = tuple[int, int]
"""Height and width."""

Matrix = tuple[Entry, Entry, Entry, Entry, Entry, Entry, Entry, Entry, Entry]
"""The nine entries, row by row."""

IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def linear(a: Entry, b: Entry, c: Entry, d: Entry) -> Matrix:
    """The linear map to (a*x + b*y, c*x + d*y)."""
    return (a, b, 0.0, c, d, 0.0, 0.0, 0.0, 1.0)


def mirrored(horizontal: Entry, vertical: Entry) -> Matrix:
    """Flips: 1.0 for each image that is flipped in that direction, 0.0 for the others."""
    return linear(1 - 2 * horizontal, 0.0, 0.0, 1 - 2 * vertical)


def turned(degrees: Tensor) -> Matrix:
    """A rotation, anti-clockwise."""
    angle = degrees.deg2rad()
    cos, sin = angle.cos(), angle.sin()
    return linear(cos, -sin, sin, cos)


def scaled(factor: Tensor) -> Matrix:
    """Enlarges by `factor`."""
    back = 1 / factor
    return linear(back, 0.0, 0.0, back)


def moved(right: Entry, down: Entry) -> Matrix:
    """A shift by pixels."""
    return (1.0, 0.0, -right, 0.0, 1.0, -down, 0.0, 0.0, 1.0)


def sheared(x: Entry, y: Entry) -> Matrix:
    """A shear; `x` and `y` are the tangents of its angles."""
    # The same two steps as in torchvision: first x, then y; the inverse undoes them in reverse.
    return linear(plus(1.0, times(x, y)), x, y, 1.0)


def part(left: Tensor, top: Tensor, width: Tensor, height: Tensor, size: Size, out: Size) -> Matrix:
    """Scales a part of an image of `size` to the size `out`; `left` and `top` count from the upper
    left corner."""
    x, y = left + width / 2 - size[1] / 2, top + height / 2 - size[0] / 2
    return (width / out[1], 0.0, x, 0.0, height / out[0], y, 0.0, 0.0, 1.0)


def from_corner(matrix: Matrix, size: Size, out: Size) -> Matrix:
    """Converts a matrix for coordinates from the upper left corner to one for coordinates from the
    center."""
    there = moved(size[1] / 2, size[0] / 2)
    return product(there, product(matrix, moved(-out[1] / 2, -out[0] / 2)))


def quadrilateral(corners: Tensor, size: Size) -> Matrix:
    """The perspective map that moves the corners of an image to `corners` (N x 4 x 2: upper left,
    upper right, lower right, lower left). As in torchvision, corners are given as pixel indices."""
    height, width = size
    unit = _from_unit_square(corners)
    pixels = linear(1 / max(1, width - 1), 0.0, 0.0, 1 / max(1, height - 1))
    back = from_corner(_inverse(product(unit, pixels)), size, size)
    # If three corners are on one line, there is no inverse; the image is then left as it is.
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
    """The matrix `one` for the images in `where`, and `other` for the rest."""
    return tuple(  # type: ignore[return-value]
        torch.where(where, a, b) if isinstance(a, Tensor) or isinstance(b, Tensor) or a != b else a
        for a, b in zip(one, other, strict=True)
    )


def _from_unit_square(corners: Tensor) -> Matrix:
    """The homography from the unit square, (0, 0), (1, 0), (1, 1), (0, 1), to four corners
    (Heckbert, 1989)."""
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
    """The inverse homography, scaled so that its last entry is 1."""
    a, b, c, d, e, f, g, h, i = m
    end = a * e - b * d
    adjugate = (
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h,
    )  # fmt: skip
    return (*(entry / end for entry in adjugate), 1.0)  # type: ignore[return-value]
