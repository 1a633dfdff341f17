"""Matrices that say where a pixel comes from: N x 3 x 3, places counted from the upper left edge.

The middle of the first pixel is at (0.5, 0.5); an image is from 0 to its width and to its height.
All of them lead back, from what a step makes to what it is made of, so that those of several steps
are multiplied in the order of the steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

Size = tuple[int, int]
"""Height and width."""


def identity(like: Tensor) -> Tensor:
    return torch.eye(3, device=like.device, dtype=like.dtype).repeat(len(like), 1, 1)


def rows(like: Tensor, *entries: Tensor | float) -> Tensor:
    """Nine entries, each a number or one for every image."""
    made = [
        entry if isinstance(entry, Tensor) else like.new_full(like.shape, entry)
        for entry in entries
    ]
    return torch.stack(made, -1).view(len(like), 3, 3)


def about_middle(
    size: Size, a: Tensor | float, b: Tensor | float, c: Tensor | float, d: Tensor | float,
    like: Tensor,
) -> Tensor:  # fmt: skip
    """x from a*x + b*y, y from c*x + d*y, the middle of the image staying where it is."""
    y, x = size[0] / 2, size[1] / 2
    return rows(like, a, b, x - a * x - b * y, c, d, y - c * x - d * y, 0.0, 0.0, 1.0)


def mirrored(horizontal: Tensor, vertical: Tensor, size: Size) -> Tensor:
    """Whether left and right, top and bottom are exchanged: 1.0 or 0.0 for each image."""
    height, width = size
    return rows(
        horizontal,
        1 - 2 * horizontal, 0.0, width * horizontal,
        0.0, 1 - 2 * vertical, height * vertical,
        0.0, 0.0, 1.0,
    )  # fmt: skip


def turned(degrees: Tensor, size: Size) -> Tensor:
    """Anti-clockwise about the middle."""
    angle = degrees.deg2rad()
    cos, sin = angle.cos(), angle.sin()
    return about_middle(size, cos, -sin, sin, cos, degrees)


def scaled(factor: Tensor, size: Size) -> Tensor:
    """Larger about the middle."""
    return about_middle(size, 1 / factor, 0.0, 0.0, 1 / factor, factor)


def moved(right: Tensor, down: Tensor) -> Tensor:
    """By pixels."""
    return rows(right, 1.0, 0.0, -right, 0.0, 1.0, -down, 0.0, 0.0, 1.0)


def sheared(x: Tensor, y: Tensor, size: Size) -> Tensor:
    """Tangents: rows pushed against x by their distance from the middle, columns against y."""
    # Of the same two steps as torchvision's: first x, then y, undone in reverse.
    return about_middle(size, 1 + x * y, x, y, 1.0, x)


def part(left: Tensor, top: Tensor, width: Tensor, height: Tensor, out: Size) -> Tensor:
    """A part of the image, made as large as `out`."""
    return rows(
        left, width / out[1], 0.0, left, 0.0, height / out[0], top, 0.0, 0.0, 1.0
    )  # fmt: skip


def quadrilateral(corners: Tensor, size: Size) -> Tensor:
    """The corners of an image (N x 4 x 2: upper left, upper right, lower right, lower left) move to
    other places. As torchvision has it, corners are the first and last pixels' numbers."""
    height, width = size
    unit = _from_unit_square(corners)
    flat = unit.new_tensor(
        [[1 / max(1, width - 1), 0, 0], [0, 1 / max(1, height - 1), 0], [0, 0, 1]]
    )
    back = _adjugate(unit @ flat)
    # Three corners in a line leave nothing to look at.
    usable = back.isfinite().flatten(1).all(1).view(-1, 1, 1)
    return torch.where(usable, back, torch.eye(3, device=back.device))


def _from_unit_square(corners: Tensor) -> Tensor:
    """Heckbert, 1989: (0, 0), (1, 0), (1, 1), (0, 1) to four corners."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (each.unbind(-1) for each in corners.unbind(1))
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    scale = dx1 * dy2 - dx2 * dy1
    g = (sx * dy2 - dx2 * sy) / scale
    h = (dx1 * sy - sx * dy1) / scale
    return rows(
        x0,
        x1 - x0 + g * x1, x3 - x0 + h * x3, x0,
        y1 - y0 + g * y1, y3 - y0 + h * y3, y0,
        g, h, 1.0,
    )  # fmt: skip


def _adjugate(m: Tensor) -> Tensor:
    """The inverse up to a factor, which a homography does not mind; scaled to end in 1."""
    a, b, c, d, e, f, g, h, i = m.flatten(1).unbind(1)
    made = rows(
        a,
        e * i - f * h, c * h - b * i, b * f - c * e,
        f * g - d * i, a * i - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h, a * e - b * d,
    )  # fmt: skip
    return made / made[:, 2:, 2:]
