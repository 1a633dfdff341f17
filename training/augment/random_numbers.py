"""Reproducible random numbers for each image: the same in any batch, process, worker and device.

    draws = Draws(layout.places, seed, device)
    numbers = draws(epoch, indices)        # places x images, each between 0 and 1 (both excluded)

A number is a hash (splitmix64, Steele et al., 2014) of the seed, the epoch, the index of the image
in the data, and the purpose of the number; no shared generator is used.
"""

from __future__ import annotations

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15
FIRST, SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = 2**64 - 1
_BITS = 23
"""The bits that fit into a float32, with half a step added."""

MANY = 4096
"""The most random numbers that a directive may use."""


class Layout:
    """Assigns random numbers to directives: each has its own, independent of other directives."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.alternating: list[int] = []
        """Positions of numbers that are the same u in all even epochs, and 1 - u in odd ones."""

    def reserve(self, directive: int, first: int, count: int, *, alternate: bool = False) -> slice:
        """Reserves `count` numbers of a directive, starting with its number `first`; returns their
        position in the drawn numbers. With `alternate`, they depend on the image alone, and are
        the opposite in every second epoch."""
        start = len(self.places)
        self.alternating += range(start, start + count) if alternate else ()
        self.places += range(directive * MANY + first, directive * MANY + first + count)
        return slice(start, start + count)


class Draws:
    """Draws all random numbers of a plan for a whole batch at once."""

    def __init__(self, layout: Layout, seed: int, device: torch.device | None = None) -> None:
        """`device` is where numbers are drawn, if not where the indices are."""
        self._device = device
        self._seed = seed
        hashed = [_signed(_mixed((place + 1) * GOLDEN)) for place in layout.places]
        self._places = torch.tensor(hashed, dtype=torch.int64).view(-1, 1)
        self._alternating = tuple(layout.alternating)

    def __call__(self, epoch: int, indices: Tensor) -> Tensor:
        """Random numbers, places x images, float32."""
        device = self._device or indices.device
        if not len(self._places):
            return torch.empty(0, len(indices), device=device)
        indices = indices.to(device)
        if self._places.device != indices.device:
            self._places = self._places.to(indices.device)
        drawn = self._numbers(self._places, epoch, indices)
        for position in self._alternating:
            fixed = self._numbers(self._places[position], 0, indices)
            drawn[position] = 1 - fixed if epoch % 2 else fixed
        return drawn

    def _numbers(self, places: Tensor, epoch: int, indices: Tensor) -> Tensor:
        key = _signed(_mixed(_mixed(self._seed * GOLDEN + 1) + (epoch + 1) * GOLDEN))
        image = _mix(indices.to(torch.int64) * _signed(GOLDEN) + key)
        hashed = _mix(image ^ places)
        drawn: Tensor = (hashed >> (64 - _BITS)) & (2**_BITS - 1)
        return drawn.to(torch.float32).add_(0.5).mul_(2.0**-_BITS)


def _mixed(value: int) -> int:
    """The last steps of splitmix64, for one number."""
    value &= _MASK
    value = (value ^ (value >> 30)) * FIRST & _MASK
    value = (value ^ (value >> 27)) * SECOND & _MASK
    return value ^ (value >> 31)


def _mix(values: Tensor) -> Tensor:
    """The last steps of splitmix64, for a tensor; int64 stands for unsigned 64 bits."""
    values = (values ^ _right(values, 30)) * _signed(FIRST)
    values = (values ^ _right(values, 27)) * _signed(SECOND)
    return values ^ _right(values, 31)


def _right(values: Tensor, bits: int) -> Tensor:
    """A logical shift to the right."""
    shifted: Tensor = (values >> bits) & (2 ** (64 - bits) - 1)
    return shifted


def _signed(value: int) -> int:
    value &= _MASK
    return value - 2**64 if value >= 2**63 else value


def within(uniform: Tensor, low: float, high: float) -> Tensor:
    """Scales numbers from 0..1 to a range."""
    return uniform * (high - low) + low


def whole(uniform: Tensor, low: Tensor | int, high: Tensor | int) -> Tensor:
    """Whole numbers from `low` to `high`, both included, as float32."""
    return (uniform * (high - low + 1)).floor() + low


def normal(first: Tensor, second: Tensor) -> Tensor:
    """A normal number from two uniform ones (Box and Muller, 1958)."""
    return first.log().mul(-2).sqrt() * second.mul(2 * torch.pi).cos()
