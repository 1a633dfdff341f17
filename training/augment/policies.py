"""RandAugment and TrivialAugment: random operations from a list, drawn for each image.

The operations and their ranges are those of torchvision, which follow the papers. Interpolation is
bilinear, as in all augmentation here. As published, every operation takes and returns whole levels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...compiler.plan.augment.passes import POLICY
from ...compiler.plan.augment.rand_augment import RandAugment, Trivial
from ...compiler.plan.fusion import Step
from ..runtime.to_device import to_device
from . import homography as h
from .color import GRAY
from .entries import constant
from .per_image import ChosenOnCpu, Moving
from .random_numbers import whole
from .registry import Resources, implements
from .transforms import Border, Transform
from .warp import Fill, InverseMap, warp, warp_masks

BINS = 31
"""The number of strengths."""

Counts = Mapping[str, int]
"""The number of images of each operation, in the order of the images."""


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
"""The operations that move pixels: one interpolation does them all."""
_BLENDS = ("brightness", "color", "contrast", "sharpness")
"""The operations that mix an image with another one: black, its gray, its mean, or a blur of it."""
_TABLES = ("posterize", "solarize", "autocontrast", "equalize")
"""The operations that are a table of levels for each image."""


class Policy(ChosenOnCpu):
    """A pass of one or more rounds; in each, every image gets an operation of its own.

    Operations are chosen on the CPU, and the images of a batch are sorted by them: then each kind
    of operation is started once for all its images, and a GPU never has to say which those are.
    """

    def __init__(self, directive: RandAugment | Trivial, step: Step, resources: Resources) -> None:
        self._size = step.input_size
        fill = directive.fill
        self._fill: Fill = (0.0,) if isinstance(fill, str) else fill
        self._border: Border = fill if fill in ("nearest", "reflect", "mirror") else "constant"
        reserve = resources.on_cpu.reserve
        self._at = [reserve(step.number, 3 * round, 3) for round in range(directive.rounds)]

    def __call__(self, drawn: Tensor) -> Moving:
        rounds = []
        for at in self._at:
            which, strength, sign = drawn[at]
            chosen = whole(which, 0, len(CHANGES) - 1).long()
            rounds.append((chosen.tolist(), self._strengths(chosen, strength, sign)))

        def change(images: Tensor, piece: slice) -> Tensor:
            """Augments images; the result has whole levels."""
            images = images.clamp(0, 255).round_()
            for kinds, strengths in rounds:
                images = self._round(images, kinds[piece], strengths[piece])
            return images

        def move(masks: Tensor, piece: slice) -> Tensor:
            for kinds, strengths in rounds:
                masks = self._round_of_maps(masks, kinds[piece], strengths[piece])
            return masks

        def move_answers(answers: Tensor, piece: slice) -> Tensor:
            answers = answers.float()
            for kinds, strengths in rounds:
                answers = self._round_of_maps(answers, kinds[piece], strengths[piece], images=True)
            return answers

        return Moving(change, move, move_answers)

    def _round(self, images: Tensor, kinds: list[int], strengths: Tensor) -> Tensor:
        """Applies its operation to each image."""
        members = _members(kinds)
        if images.shape[1] != 3:  # without colors
            members["color"].clear()
        if min(images.shape[-2:]) <= 2:  # all border
            members["sharpness"].clear()
        groups = [
            {name: len(members[name]) for name in names} for names in (_GEOMETRY, _BLENDS, _TABLES)
        ]
        order = torch.tensor(
            [index for counts in groups for name in counts for index in members[name]]
        ).long()
        sizes = [sum(counts.values()) for counts in groups]
        places = torch.split(to_device(order, images.device), sizes)
        moved, *values = torch.split(strengths[order], sizes)
        changed = images.clone()
        for number, (counts, at) in enumerate(zip(groups, places, strict=True)):
            if not sizes[number]:
                continue
            some = images.index_select(0, at)
            if number == 0:
                done = self._moved(some, counts, moved)
            else:
                operation = _blended if number == 1 else _by_table
                done = operation(some, counts, to_device(values[number - 1], images.device))
            changed.index_copy_(0, at, done)
        return changed.round_()

    def _round_of_maps(
        self, maps: Tensor, kinds: list[int], strengths: Tensor, *, images: bool = False
    ) -> Tensor:
        """Moves the masks of the images that are moved, or the images that are answered."""
        members = _members(kinds)
        places = torch.tensor([index for name in _GEOMETRY for index in members[name]]).long()
        if not len(places):
            return maps
        at = to_device(places, maps.device)
        some = maps.index_select(0, at)
        counts = {name: len(members[name]) for name in _GEOMETRY}
        inverse = self._inverse(some, counts, strengths[places])
        piece = slice(0, len(some))
        moved = warp(some, inverse, piece) if images else warp_masks(some, inverse, piece)
        return maps.index_copy(0, at, moved)

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

    def _moved(self, images: Tensor, counts: Counts, strength: Tensor) -> Tensor:
        inverse = self._inverse(images, counts, strength)
        return warp(images, inverse, slice(0, len(images)), self._fill)

    def _inverse(self, images: Tensor, counts: Counts, strength: Tensor) -> InverseMap:
        size = (images.shape[-2], images.shape[-1])
        by = {name: torch.zeros_like(strength) for name in counts}
        for name, part in _parts(counts):
            by[name][part] = strength[part]
        # About the upper left corner, and by whole pixels, as published.
        back = h.from_corner(h.linear(1.0, by["shear_x"], by["shear_y"], 1.0), size, size)
        moved = h.moved(by["translate_x"].trunc(), by["translate_y"].trunc())
        back = h.product(back, h.product(moved, h.turned(by["rotate"])))
        transforms = [Transform(back, self._border, size)]
        return InverseMap(transforms, strength, size, images.device)


def _members(kinds: list[int]) -> dict[str, list[int]]:
    """The images of each operation."""
    members: dict[str, list[int]] = {name: [] for name in _NAMES}
    for index, kind in enumerate(kinds):
        members[_NAMES[kind]].append(index)
    return members


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


def _blended(images: Tensor, counts: Counts, strength: Tensor) -> Tensor:
    """Images moved towards another one, or away from it."""
    other = torch.zeros_like(images)
    for name, part in _parts(counts):
        if name in _OTHERS:
            other[part] = _OTHERS[name](images[part])
    by = (1 + strength).view(-1, 1, 1, 1)
    return (images * by + other * (1 - by)).clamp_(0, 255)


def _gray(images: Tensor) -> Tensor:
    gray = (images * constant(GRAY, images.device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    return gray.floor()


def _mean(images: Tensor) -> Tensor:
    gray = _gray(images) if images.shape[1] == 3 else images
    return gray.mean((1, 2, 3), keepdim=True)


def _soft(images: Tensor) -> Tensor:
    """A 3 x 3 blur; the border does not change."""
    kernel = constant(_SOFTER, images.device)
    flat = images.flatten(0, 1).unsqueeze(1)
    soft = images.clone()
    inside = F.conv2d(flat, kernel.view(1, 1, 3, 3)).round_()
    soft[:, :, 1:-1, 1:-1] = inside.view(*images.shape[:2], *inside.shape[2:])
    return soft


_OTHERS = {"color": _gray, "contrast": _mean, "sharpness": _soft}
"""What an image is mixed with; for `brightness`, black."""


def _by_table(images: Tensor, counts: Counts, strength: Tensor) -> Tensor:
    """Images with each level replaced by that in a table, images x channels x 256."""
    pixels = images.flatten(2).long()
    levels = torch.arange(256, device=images.device, dtype=torch.float32)
    tables = [
        _TABLE_OF[name](levels, images[part], pixels[part], strength[part].view(-1, 1, 1))
        for name, part in _parts(counts)
    ]
    table = torch.cat([each.expand(-1, images.shape[1], -1) for each in tables])
    return table.gather(2, pixels).view(images.shape)


def _posterized(levels: Tensor, images: Tensor, pixels: Tensor, strength: Tensor) -> Tensor:
    step = 2.0 ** strength.round()
    return (levels / step).floor() * step


def _solarized(levels: Tensor, images: Tensor, pixels: Tensor, strength: Tensor) -> Tensor:
    return torch.where(levels >= 255 * (1 - strength), 255 - levels, levels)


def _stretched(levels: Tensor, images: Tensor, pixels: Tensor, _: Tensor) -> Tensor:
    """Stretches each channel to 0..255."""
    least, greatest = (each.unsqueeze(2) for each in (images.amin((2, 3)), images.amax((2, 3))))
    span = greatest - least
    stretched = ((levels - least) * (255 / span.clamp(min=1))).floor()
    return torch.where(span > 0, stretched, levels)


def _equalized(levels: Tensor, images: Tensor, pixels: Tensor, _: Tensor) -> Tensor:
    """Equalizes the histogram of each channel, as Pillow does."""
    count, channels, size = pixels.shape
    # Counted in one dimension: on a GPU, torch is deterministic only in that.
    planes = torch.arange(count * channels, device=pixels.device).view(count, channels, 1)
    counts = torch.zeros(count * channels * 256, dtype=torch.int64, device=pixels.device)
    ones = counts.new_ones(1).expand(pixels.numel())
    counts.scatter_add_(0, (pixels + 256 * planes).flatten(), ones)
    counts = counts.view(count, channels, 256)
    below = counts.cumsum(2)
    greatest = pixels.amax(2, keepdim=True)
    step = (size - counts.gather(2, greatest)) // 255
    table = ((below[..., :-1] + step // 2) // step.clamp(min=1)).clamp_(0, 255)
    return torch.where(step > 0, F.pad(table, (1, 0)).float(), levels)


_TABLE_OF = {
    "posterize": _posterized,
    "solarize": _solarized,
    "autocontrast": _stretched,
    "equalize": _equalized,
}
"""The table of an operation, from the levels, the images, the same as flat whole numbers, and the
strengths."""


def _parts(counts: Counts) -> Iterator[tuple[str, slice]]:
    """Where the images of each operation are, which come one after the other."""
    start = 0
    for name, count in counts.items():
        if count:
            yield name, slice(start, start + count)
        start += count
