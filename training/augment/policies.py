"""RandAugment and TrivialAugment: random operations from a list, drawn for each image.

The operations and their ranges are those of torchvision, which follow the papers. Interpolation is
bilinear, as in all augmentation here. As published, every operation takes and returns whole levels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment import POLICY, RandAugment, Trivial
from ...compiler.plan.fusion import Step
from . import homography as h
from .color import GRAY
from .entries import constant
from .per_image import BoundPass
from .random_numbers import whole
from .registry import Resources, implements
from .transforms import Border, Transform
from .warp import Fill, InverseMap, warp

BINS = 31
"""The number of strengths."""


class Change(NamedTuple):
    """An operation of the list."""

    name: str
    randaugment: float | None
    """The strongest value; None for an operation without a strength."""
    trivial: float | None
    signed: bool = False
    per_side: bool = False
    """In RandAugment, the strength is a share of the image's width (or height)."""


CHANGES = (
    Change("identity", None, None),
    Change("shear_x", 0.3, 0.99, True),
    Change("shear_y", 0.3, 0.99, True),
    Change("translate_x", 150 / 331, 32.0, True, True),
    Change("translate_y", 150 / 331, 32.0, True, True),
    Change("rotate", 30.0, 135.0, True),
    Change("brightness", 0.9, 0.99, True),
    Change("color", 0.9, 0.99, True),
    Change("contrast", 0.9, 0.99, True),
    Change("sharpness", 0.9, 0.99, True),
    Change("posterize", 4.0, 6.0),
    Change("solarize", 1.0, 1.0),
    Change("autocontrast", None, None),
    Change("equalize", None, None),
)
_NAMES = [change.name for change in CHANGES]
_SIGNED = tuple(float(change.signed) for change in CHANGES)
_SOFTER = ((1 / 13,) * 3, (1 / 13, 5 / 13, 1 / 13), (1 / 13,) * 3)
_GEOMETRY = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")


class Policy:
    """A pass of one or more rounds; in each, every image gets an operation of its own."""

    def __init__(self, directive: RandAugment | Trivial, step: Step, resources: Resources) -> None:
        self._size = step.input_size
        fill = directive.fill
        self._fill: Fill = (0.0,) if isinstance(fill, str) else fill
        self._border: Border = fill if fill in ("nearest", "reflect", "mirror") else "constant"
        reserve = resources.layout.reserve
        self._at = [reserve(step.number, 3 * round, 3) for round in range(directive.rounds)]

    def __call__(self, drawn: Tensor) -> BoundPass:
        rounds = []
        for at in self._at:
            which, strength, sign = drawn[at]
            chosen = whole(which, 0, len(CHANGES) - 1).long()
            rounds.append((chosen, chosen.tolist(), self._strengths(chosen, strength, sign)))

        def change(images: Tensor, piece: slice) -> Tensor:
            """Augments images; the result has whole levels."""
            images = images.clamp(0, 255).round_()
            for chosen, kinds, strengths in rounds:
                images = self._round(images, chosen[piece], kinds[piece], strengths[piece])
            return images

        return change

    def _round(self, images: Tensor, chosen: Tensor, kinds: list[int], strengths: Tensor) -> Tensor:
        """Applies its operation to each image; images with the same operation are done together."""
        changed = images.clone()
        groups: dict[str, list[int]] = {}
        for index, kind in enumerate(kinds):
            name = _NAMES[kind]
            groups.setdefault("geometry" if name in _GEOMETRY else name, []).append(index)
        groups.pop("identity", None)
        for name, members in groups.items():
            some = torch.tensor(members, device=images.device)
            if name == "geometry":
                changed[some] = self._moved(images[some], chosen[some], strengths[some])
            else:
                changed[some] = _OPERATIONS[name](images[some], strengths[some])
        return changed.round_()

    def _strengths(self, chosen: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
        """Strengths in the units of each operation, with a random sign if the operation has one."""
        largest = tuple(self._largest(change) for change in CHANGES)
        strengths = constant(largest, chosen.device)[chosen] * (self._bin(strength) / (BINS - 1))
        signed = constant(_SIGNED, chosen.device)[chosen] > 0
        return torch.where(signed & (sign <= 0.5), -strengths, strengths)

    def _largest(self, change: Change) -> float:
        """The largest strength of an operation."""
        raise NotImplementedError

    def _bin(self, uniform: Tensor) -> Tensor | int:
        """Which of the strengths to use."""
        raise NotImplementedError

    def _moved(self, images: Tensor, chosen: Tensor, strength: Tensor) -> Tensor:
        size = (images.shape[-2], images.shape[-1])
        zero = torch.zeros_like(strength)

        def only(name: str) -> Tensor:
            return torch.where(chosen == _NAMES.index(name), strength, zero)

        # About the upper left corner, and by whole pixels, as published.
        x, y = only("shear_x"), only("shear_y")
        back = h.from_corner(h.linear(1.0, x, y, 1.0), size, size)
        moved = h.moved(only("translate_x").trunc(), only("translate_y").trunc())
        back = h.product(back, h.product(moved, h.turned(only("rotate"))))
        inverse = InverseMap([Transform(back, self._border, size)], strength, size)
        return warp(images, inverse, slice(0, len(images)), self._fill)


@implements(RandAugment, POLICY)
class RandAugmentPolicy(Policy):
    """RandAugment: all operations have the same strength."""

    def __init__(self, directive: RandAugment, step: Step, resources: Resources) -> None:
        super().__init__(directive, step, resources)
        self._magnitude = directive.magnitude

    def _largest(self, change: Change) -> float:
        side = self._size[1 if change.name.endswith("x") else 0] if change.per_side else 1
        return (change.randaugment or 0.0) * side

    def _bin(self, uniform: Tensor) -> Tensor | int:
        return self._magnitude


@implements(Trivial, POLICY)
class TrivialPolicy(Policy):
    """TrivialAugment: each operation has a random strength."""

    def _largest(self, change: Change) -> float:
        return change.trivial or 0.0

    def _bin(self, uniform: Tensor) -> Tensor | int:
        return whole(uniform, 0, BINS - 1)


# ---- changes of levels -----------------------------------------------------------------------


def _brightness(images: Tensor, strength: Tensor) -> Tensor:
    return (images * _each(1 + strength)).clamp_(0, 255)


def _color(images: Tensor, strength: Tensor) -> Tensor:
    """Changes the saturation; images without colors are returned unchanged."""
    if images.shape[1] != 3:
        return images
    return _blend(images, _gray(images).floor(), strength)


def _contrast(images: Tensor, strength: Tensor) -> Tensor:
    gray = _gray(images).floor() if images.shape[1] == 3 else images
    return _blend(images, gray.mean((1, 2, 3), keepdim=True), strength)


def _sharpness(images: Tensor, strength: Tensor) -> Tensor:
    """Moves images towards a 3 x 3 blur or away from it; the border does not change."""
    if min(images.shape[-2:]) <= 2:
        return images
    kernel = constant(_SOFTER, images.device)
    flat = images.flatten(0, 1).unsqueeze(1)
    soft = images.clone()
    inside = F.conv2d(flat, kernel.view(1, 1, 3, 3)).round_()
    soft[:, :, 1:-1, 1:-1] = inside.view(*images.shape[:2], *inside.shape[2:])
    return _blend(images, soft, strength)


def _posterize(images: Tensor, strength: Tensor) -> Tensor:
    step = _each(2.0 ** strength.round())
    return (images / step).floor() * step


def _solarize(images: Tensor, strength: Tensor) -> Tensor:
    return torch.where(images >= 255 * (1 - _each(strength)), 255 - images, images)


def _autocontrast(images: Tensor, _: Tensor) -> Tensor:
    """Stretches each channel to 0..255."""
    least, greatest = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    span = greatest - least
    stretched = ((images - least) * (255 / span.clamp(min=1))).floor()
    return torch.where(span > 0, stretched, images)


def _equalize(images: Tensor, _: Tensor) -> Tensor:
    """Equalizes the histogram of each channel, as Pillow does."""
    levels = images.flatten(2).long()
    counts = torch.zeros(*levels.shape[:2], 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(2, levels, torch.ones_like(levels))
    below = counts.cumsum(2)
    greatest = levels.amax(2, keepdim=True)
    step = (levels.shape[2] - counts.gather(2, greatest)) // 255
    table = ((below[..., :-1] + step // 2) // step.clamp(min=1)).clamp_(0, 255)
    table = F.pad(table, (1, 0))
    equalized = table.gather(2, levels).view(images.shape).float()
    return torch.where(step.unsqueeze(-1) > 0, equalized, images)


def _gray(images: Tensor) -> Tensor:
    return (images * constant(GRAY, images.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _blend(images: Tensor, other: Tensor, strength: Tensor) -> Tensor:
    by = _each(1 + strength)
    return (images * by + other * (1 - by)).clamp_(0, 255)


def _each(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


_OPERATIONS = {
    "brightness": _brightness,
    "color": _color,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
}
