"""Pictures of measured receptive fields: the gradient as heat over the image, the square from
theory, and the square with 95 % of the gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..input_images import InputImage
from ..pictures.adjust import boxed, framed, in_color
from ..pictures.heat_colors import heat_colors
from ..pictures.picture_sheet import Cell, Group, PictureSheet
from ..subject import Subject
from .measured_field import MeasuredField, Square, sides

_SIDE = 640
_THEORY, _MEASURED = (54, 112, 184), (39, 138, 85)
_EMPTY = 245


def field_sheet(
    subject: Subject, fields: Sequence[MeasuredField], image: InputImage | None
) -> PictureSheet:
    """A picture for each layer, over an image if there is one."""
    return PictureSheet(
        f"Receptive fields of {subject.network.name}",
        "The gradient of one output with respect to each pixel is drawn as heat.",
        (Group("", tuple(_cell(each, image) for each in fields)),),
        notes=(
            "Blue: the square from theory; outside the image it is padding. Green: the smallest"
            " square around its center with 95 % of the gradient.",
        ),
    )


def _cell(measured: MeasuredField, image: InputImage | None) -> Cell:
    height, width = measured.gradient.shape
    times = max(_SIDE // max(height, width), 1)
    top, bottom, left, right = measured.theory
    # What is outside the image is padding: the theoretical square may begin there.
    out = max(-top, bottom - height + 1, -left, right - width + 1, 0)
    border = min(out, max(height, width)) + 2
    picture = _blended(measured.gradient, image)
    picture = framed(picture.repeat_interleave(times, 1).repeat_interleave(times, 2), 30)
    picture = F.pad(picture, [border * times - 1] * 4, value=255)
    picture = _squared(picture, measured.theory, border, times, _THEORY)
    theory = f"in theory (blue): {sides(measured.theory)} pixels"
    square = measured.square
    told = "no gradient arrives"
    if square is not None:
        picture = _squared(picture, square, border, times, _MEASURED)
        told = f"95 % of the gradient (green): {sides(square)} pixels"
    return Cell(picture, (measured.node.name, theory, told))


def _squared(
    picture: Tensor,
    square: Square,
    border: int,
    times: int,
    color: tuple[int, int, int],
) -> Tensor:
    """The picture with a square of input pixels, as far as that is on it."""
    ends = []
    for (first, last), side in zip((square[:2], square[2:]), picture.shape[1:], strict=True):
        ends += [max((first + border) * times, 0), min((last + 1 + border) * times, side) - 1]
    return boxed(picture, (ends[0], ends[1], ends[2], ends[3]), color)


def _blended(gradient: Tensor, image: InputImage | None) -> Tensor:
    """The image in gray with the gradient as heat; its root, so that the outskirts are visible."""
    heat = (gradient / gradient.max().clamp(min=1e-30)).sqrt().float()
    if image is None or image.pixels is None:
        base = torch.full((1, *gradient.shape), float(_EMPTY))
    else:
        base = in_color(image.pixels).float().mean(0, keepdim=True)
    mixed = base * (1 - 0.75 * heat) + heat_colors(heat) * 0.75 * heat
    return mixed.round().clamp(0, 255).to(torch.uint8)
