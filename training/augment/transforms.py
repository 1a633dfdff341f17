"""Geometric augmentations (flip, rotate, scale, crop, …): a matrix and a border for each image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...compiler.plan.augment.augmentation import Augmentation
from ...compiler.plan.augment.geometric import Flip, Perspective, Rotate, Scale, Shear, Shift
from ...compiler.plan.augment.passes import MOVE, WARP, Size
from ...compiler.plan.augment.resizing import Crop
from ...compiler.plan.fusion import Step
from . import homography as h
from .entries import Entry, constant, times
from .random_numbers import Layout, whole, within
from .registry import Resources, implements

Border = Literal["inside", "constant", "nearest", "reflect", "mirror", "part"]
"""The pixels beyond the border of a step's input. `inside`: they are never used; `constant`: one
color; `nearest`: the pixels at the border; `reflect`: the image, reflected at its edge; `mirror`:
reflected at the centers of its outermost pixels, which are not repeated; `part`: the pixels at the
border of the part that is cut out."""


@dataclass(frozen=True, eq=False)
class Transform:
    """A step of a geometric pass, for each image of a batch."""

    back: h.Matrix
    """The inverse map: from a place in the output to its place in the input."""
    border: Border
    size: Size
    """The size of the input."""
    part: Tensor | None = None
    """The part that is cut out, N x 4: left, top, right, bottom."""
    projective: bool = False
    """Whether the last row of the matrix is not 0, 0, 1."""
    bijective: bool = False
    """Whether it maps the whole input to the whole output, pixel to pixel."""


MakeTransform = Callable[[Tensor], Transform]
"""Makes a transform from the random numbers of a batch."""


def border_of(step: Step) -> Border:
    fill = step.fill
    return fill if isinstance(fill, str) else "constant"  # type: ignore[return-value]


@implements(Flip, MOVE)
def flip(directive: Flip, step: Step, resources: Resources) -> MakeTransform:
    first_at = resources.layout.reserve(step.number, 0, 1, alternate=directive.alternate)
    second_at = resources.layout.reserve(step.number, 1, 1)

    def make(drawn: Tensor) -> Transform:
        first = (drawn[first_at][0] < directive.p).float()
        second = (drawn[second_at][0] < directive.p).float()
        axes: dict[str, tuple[Entry, Entry]] = {
            "horizontal": (first, 0.0),
            "vertical": (0.0, first),
            "both": (first, second),
        }
        horizontal, vertical = axes[directive.axis]
        back = h.mirrored(horizontal, vertical)
        return Transform(back, "inside", step.input_size, bijective=True)

    return make


@implements(Rotate, WARP)
def rotate(directive: Rotate, step: Step, resources: Resources) -> MakeTransform:
    return _sometimes(
        directive, directive.p, step, resources.layout, 1,
        lambda drawn: h.turned(within(drawn[0], *directive.degrees)),
    )  # fmt: skip


@implements(Scale, WARP)
def scale(directive: Scale, step: Step, resources: Resources) -> MakeTransform:
    return _sometimes(
        directive, directive.p, step, resources.layout, 1,
        lambda drawn: h.scaled(within(drawn[0], *directive.factor)),
    )  # fmt: skip


@implements(Shift, WARP)
def shift(directive: Shift, step: Step, resources: Resources) -> MakeTransform:
    height, width = step.input_size
    x, y = (axis or directive.by or (0.0, 0.0) for axis in (directive.x, directive.y))
    return _sometimes(
        directive, directive.p, step, resources.layout, 2,
        lambda drawn: h.moved(
            times(_in_range(drawn[0], *x), width), times(_in_range(drawn[1], *y), height)
        ),
    )  # fmt: skip


@implements(Shear, WARP)
def shear(directive: Shear, step: Step, resources: Resources) -> MakeTransform:
    return _sometimes(
        directive, directive.p, step, resources.layout, 2,
        lambda drawn: h.sheared(
            _tangent(drawn[0], *directive.x), _tangent(drawn[1], *directive.y)
        ),
    )  # fmt: skip


@implements(Perspective, WARP)
def perspective(directive: Perspective, step: Step, resources: Resources) -> MakeTransform:
    size = step.input_size
    return _sometimes(
        directive, directive.p, step, resources.layout, 8,
        lambda drawn: h.quadrilateral(corners(drawn, directive.distortion, size), size),
    )  # fmt: skip


def _sometimes(
    directive: Augmentation,
    p: float,
    step: Step,
    layout: Layout,
    count: int,
    matrix: Callable[[Tensor], h.Matrix],
) -> MakeTransform:
    """A transform that is applied with probability `p`; otherwise the image is not changed.
    `matrix` gets `count` random numbers for each image."""
    chance, at = layout.reserve(step.number, 0, 1), layout.reserve(step.number, 1, count)
    border = border_of(step)

    def make(drawn: Tensor) -> Transform:
        back = matrix(drawn[at])
        if p < 1:
            back = h.chosen(drawn[chance][0] < p, back, h.IDENTITY)
        return Transform(back, border, step.input_size, projective=directive.projective)

    return make


def _in_range(uniform: Tensor, low: float, high: float) -> Entry:
    """Random numbers in a range; one plain number if low and high are the same."""
    return within(uniform, low, high) if low < high else low


def _tangent(uniform: Tensor, low: float, high: float) -> Entry:
    """The tangent of a random angle, whose range is given in degrees."""
    degrees = _in_range(uniform, low, high)
    if isinstance(degrees, Tensor):
        return degrees.deg2rad().tan()
    return math.tan(math.radians(degrees))


# ---- crops -----------------------------------------------------------------------------------


@implements(Crop, MOVE)
def crop(directive: Crop, step: Step, resources: Resources) -> MakeTransform:
    """A random crop of the size of the output, without resizing."""
    size, out, border = step.input_size, step.output_size, border_of(step)
    at, whole_steps = resources.layout.reserve(step.number, 1, 2), resources.step

    def make(drawn: Tensor) -> Transform:
        top, left = (
            whole(uniform, *(place // whole_steps for place in _places(have, want, directive.pad)))
            * whole_steps
            for uniform, have, want in zip(drawn[at], size, out, strict=True)
        )
        return Transform(h.from_corner(h.moved(-left, -top), size, out), border, size)

    return make


@implements(Crop, WARP)
def resized_crop(directive: Crop, step: Step, resources: Resources) -> MakeTransform:
    """A random crop of random size, interpolated to the size of the output."""
    size, out = step.input_size, step.output_size
    at = resources.layout.reserve(step.number, 1, PART_DRAWS)

    def make(drawn: Tensor) -> Transform:
        left, top, width, height = parts(drawn[at], directive, size).unbind(1)
        edges = torch.stack([left, top, left + width, top + height], 1)
        return Transform(h.part(left, top, width, height, size, out), "part", size, edges)

    return make


def _places(have: int, want: int, pad: int) -> tuple[int, int]:
    """The first and the last position of a crop, within the image and its padding. If the image is
    smaller than the crop, all of it stays inside."""
    one, other = -pad, have + pad - want
    return min(one, other), max(one, other)


_TRIES = 10
PART_DRAWS = 2 * _TRIES + 2


def parts(drawn: Tensor, crop: Crop, size: tuple[Entry, Entry]) -> Tensor:
    """Random parts, N x 4: left, top, width, height, as torchvision's RandomResizedCrop draws them.
    An area and a ratio that do not fit into the image are drawn again, up to ten times; then the
    center is used. Height and width of the images are the same for all, or one for each."""
    assert crop.scale is not None
    assert crop.ratio is not None
    rows, columns = (
        side if isinstance(side, Tensor) else constant(float(side), drawn.device) for side in size
    )
    area = within(drawn[0:_TRIES], *crop.scale) * (rows * columns)
    low, high = map(math.log, crop.ratio)
    ratio = within(drawn[_TRIES : 2 * _TRIES], low, high).exp()
    width, height = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (width >= 1) & (width <= columns) & (height >= 1) & (height <= rows)
    first = fits.to(torch.uint8).argmax(0, keepdim=True)
    width, height = width.gather(0, first)[0], height.gather(0, first)[0]
    any_fits = fits.any(0)
    wide, tall = middle(rows, columns, crop.ratio)
    width, height = torch.where(any_fits, width, wide), torch.where(any_fits, height, tall)
    left = whole(drawn[2 * _TRIES], 0, columns - width)
    top = whole(drawn[2 * _TRIES + 1], 0, rows - height)
    left = torch.where(any_fits, left, ((columns - wide) / 2).floor())
    top = torch.where(any_fits, top, ((rows - tall) / 2).floor())
    return torch.stack([left, top, width, height], 1)


def middle(rows: Tensor, columns: Tensor, ratio: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Width and height of the largest part whose aspect ratio is allowed."""
    wide = torch.where(columns / rows > ratio[1], (rows * ratio[1]).round(), columns)
    tall = torch.where(columns / rows < ratio[0], (columns / ratio[0]).round(), rows)
    return wide, tall


# ---- perspective -----------------------------------------------------------------------------


def corners(drawn: Tensor, distortion: float, size: Size) -> Tensor:
    """The new corners of a perspective, in whole pixels: N x 4 x 2. Each moves inwards by at most
    `distortion` times half the image."""
    height, width = size
    # Opposite corners must not meet.
    far = tuple(min(int(distortion * (side // 2)), (side - 1) // 2) for side in (width, height))
    many = constant(far * 4, drawn.device).view(-1, 1) + 1
    inwards = (drawn * many).floor().t().view(-1, 4, 2)
    right, bottom = width - 1, height - 1
    fixed_corners = constant(((0, 0), (right, 0), (right, bottom), (0, bottom)), drawn.device)
    signs = constant(((1, 1), (-1, 1), (-1, -1), (1, -1)), drawn.device)
    return fixed_corners + signs * inwards
