"""What the directives that move pixels come to for each image: matrices, and what is beyond."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...compiler.plan.augment import Crop, Flip, Perspective, Rotate, Scale, Shear, Shift
from ...compiler.plan.fusion import Size, Step, filling
from . import homography as h
from .entries import Entry, constant, times
from .random_numbers import Layout, whole, within

Rule = Literal["free", "constant", "nearest", "reflect", "part"]
"""What is beyond the border of what a step works on: nothing ever looks there, a colour, the border
drawn out, a mirror; `part`: the border of the part that is cut out, drawn out."""


@dataclass(frozen=True, eq=False)
class Turn:
    """A step as numbers, for each image of a batch."""

    back: h.Matrix
    """From a place in what it makes to that in what it is made of."""
    rule: Rule
    size: Size
    """Of what it works on."""
    part: Tensor | None = None
    """N x 4: left, top, right, bottom."""
    projective: bool = False
    """Its last row is not 0, 0, 1."""
    bijective: bool = False
    """Takes the whole of what arrives to the whole of what leaves, pixel to pixel."""


Turner = Callable[[Tensor], Turn]
"""From the numbers drawn for a batch."""

Choice = Callable[[Tensor, float], Tensor]
"""Of values, those of the images that a step is done to, and one that leaves the others alone."""


def turner(step: Step, layout: Layout) -> Turner:
    """Reserves what a directive draws; what is returned makes it into matrices."""
    directive, size, number = step.directive, step.arrives, step.number
    fill = filling(step)
    rule: Rule = fill if isinstance(fill, str) else "constant"  # type: ignore[assignment]
    place = layout.reserve(number, 0, 1)
    match directive:
        case Flip():
            both = layout.reserve(number, 1, 1)

            def flip(drawn: Tensor) -> Turn:
                first = (drawn[place][0] < directive.p).float()
                second = (drawn[both][0] < directive.p).float()
                axes: dict[str, tuple[Entry, Entry]] = {
                    "horizontal": (first, 0.0),
                    "vertical": (0.0, first),
                    "both": (first, second),
                }
                across, down = axes[directive.axis]
                return Turn(h.mirrored(across, down), "free", size, bijective=True)

            return flip
        case Rotate():
            at = layout.reserve(number, 1, 1)
            return _maybe(
                directive.p, place, rule, size,
                lambda drawn: h.turned(within(drawn[at][0], *directive.degrees)),
            )  # fmt: skip
        case Scale():
            at = layout.reserve(number, 1, 1)
            return _maybe(
                directive.p, place, rule, size,
                lambda drawn: h.scaled(within(drawn[at][0], *directive.factor)),
            )  # fmt: skip
        case Shift():
            at = layout.reserve(number, 1, 2)
            across, down = (
                axis or directive.by or (0.0, 0.0) for axis in (directive.x, directive.y)
            )
            return _maybe(
                directive.p, place, rule, size,
                lambda drawn: h.moved(
                    times(_drawn(drawn[at][0], *across), size[1]),
                    times(_drawn(drawn[at][1], *down), size[0]),
                ),
            )  # fmt: skip
        case Shear():
            at = layout.reserve(number, 1, 2)
            return _maybe(
                directive.p, place, rule, size,
                lambda drawn: h.sheared(
                    _tangent(drawn[at][0], *directive.x), _tangent(drawn[at][1], *directive.y)
                ),
            )  # fmt: skip
        case Perspective():
            at = layout.reserve(number, 1, 8)
            return _maybe(
                directive.p, place, rule, size,
                lambda drawn: h.quadrilateral(corners(drawn[at], directive.distortion, size), size),
                projective=True,
            )  # fmt: skip
        case Crop():
            if directive.scale is None:
                at = layout.reserve(number, 1, 2)
                return lambda drawn: _cut(directive, drawn[at], step, rule)
            at = layout.reserve(number, 1, PART_DRAWS)

            def part(drawn: Tensor) -> Turn:
                box = parts(drawn[at], directive, size)
                left, top, width, height = box.unbind(1)
                edges = torch.stack([left, top, left + width, top + height], 1)
                back = h.part(left, top, width, height, size, step.leaves)
                return Turn(back, "part", size, edges)

            return part
        case other:
            raise AssertionError(other.word)


def _maybe(
    p: float,
    place: slice,
    rule: Rule,
    size: Size,
    matrix: Callable[[Tensor], h.Matrix],
    projective: bool = False,
) -> Turner:
    """With a probability; else pixels stay where they are."""

    def made(drawn: Tensor) -> Turn:
        back = matrix(drawn)
        if p < 1:
            back = h.chosen(drawn[place][0] < p, back, h.IDENTITY)
        return Turn(back, rule, size, projective=projective)

    return made


def _drawn(uniform: Tensor, low: float, high: float) -> Entry:
    """From a range, which may be a number."""
    return within(uniform, low, high) if low < high else low


def _tangent(uniform: Tensor, low: float, high: float) -> Entry:
    """Of degrees from a range."""
    degrees = _drawn(uniform, low, high)
    if isinstance(degrees, Tensor):
        return degrees.deg2rad().tan()
    return math.tan(math.radians(degrees))


# ---- crops -----------------------------------------------------------------------------------


def _cut(crop: Crop, drawn: Tensor, step: Step, rule: Rule) -> Turn:
    """A part as large as wanted, from anywhere, pixel for pixel."""
    size, out = step.arrives, step.leaves
    top, left = (
        whole(uniform, *_places(have, want, crop.pad))
        for uniform, have, want in zip(drawn, size, out, strict=True)
    )
    return Turn(h.from_corner(h.moved(-left, -top), size, out), rule, size)


def _places(have: int, want: int, pad: int) -> tuple[int, int]:
    """Where a cut may begin: within the image and what is put around it; of a smaller image, so
    that all of it is there."""
    one, other = -pad, have + pad - want
    return min(one, other), max(one, other)


_TRIES = 10
PART_DRAWS = 2 * _TRIES + 2


def parts(drawn: Tensor, crop: Crop, size: Size) -> Tensor:
    """N x 4: left, top, width, height, as torchvision's RandomResizedCrop draws them. An area and a
    ratio that do not fit into the image are drawn anew, up to ten times; then it is the middle."""
    assert crop.scale is not None
    assert crop.ratio is not None
    rows, columns = size
    area = within(drawn[0:_TRIES], *crop.scale) * (rows * columns)
    low, high = map(math.log, crop.ratio)
    ratio = within(drawn[_TRIES : 2 * _TRIES], low, high).exp()
    width, height = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (width >= 1) & (width <= columns) & (height >= 1) & (height <= rows)
    first = fits.to(torch.uint8).argmax(0, keepdim=True)
    width, height = width.gather(0, first)[0], height.gather(0, first)[0]
    found = fits.any(0)
    wide, tall = middle(size, crop.ratio)
    width, height = torch.where(found, width, wide), torch.where(found, height, tall)
    left = whole(drawn[2 * _TRIES], 0, columns - width)
    top = whole(drawn[2 * _TRIES + 1], 0, rows - height)
    left = torch.where(found, left, (columns - wide) // 2)
    top = torch.where(found, top, (rows - tall) // 2)
    return torch.stack([left, top, width, height], 1)


def middle(size: Size, ratio: tuple[float, float]) -> tuple[int, int]:
    """Width and height of the largest part with a ratio that is allowed."""
    rows, columns = size
    if columns / rows < ratio[0]:
        return columns, round(columns / ratio[0])
    if columns / rows > ratio[1]:
        return round(rows * ratio[1]), rows
    return columns, rows


# ---- perspective -----------------------------------------------------------------------------


def corners(drawn: Tensor, distortion: float, size: Size) -> Tensor:
    """Where the corners go, by whole pixels: N x 4 x 2, each up to `distortion` of half the image
    inwards."""
    height, width = size
    # Opposite corners must not meet.
    far = tuple(min(int(distortion * (side // 2)), (side - 1) // 2) for side in (width, height))
    many = constant(far * 4, drawn.device).view(-1, 1) + 1
    inwards = (drawn * many).floor().t().view(-1, 4, 2)
    right, bottom = width - 1, height - 1
    still = constant(((0, 0), (right, 0), (right, bottom), (0, bottom)), drawn.device)
    signs = constant(((1, 1), (-1, 1), (-1, -1), (1, -1)), drawn.device)
    return still + signs * inwards
