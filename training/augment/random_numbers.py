"""Random numbers that belong to an image: the same in any batch, process, worker and device.

    draws = Draws(layout.places, seed, device)
    numbers = draws(epoch, indices)        # places x images, each from 0 to 1, ends left out

A number is a hash (splitmix64, Steele et al., 2014) of seed, epoch, which image of the data it is,
and what it is for; nothing is drawn from a generator that others draw from, too.
"""

from __future__ import annotations

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = 2**64 - 1
_BITS = 23
"""As many as a float32 has room for, half a step included."""

MANY = 4096
"""Numbers that a directive may use up."""


class Layout:
    """Who gets which numbers: every directive its own, whatever stands beside it."""

    def __init__(self) -> None:
        self.places: list[int] = []

    def reserve(self, directive: int, first: int, count: int) -> slice:
        """`count` numbers of a directive, from its `first` one on; returns where they will be."""
        begin = len(self.places)
        self.places += range(directive * MANY + first, directive * MANY + first + count)
        return slice(begin, begin + count)


class Draws:
    """The numbers that a plan needs, drawn for a whole batch in one go."""

    def __init__(self, layout: Layout, seed: int) -> None:
        self._seed = seed
        hashed = [_signed(_mixed((place + 1) * _GOLDEN)) for place in layout.places]
        self._places = torch.tensor(hashed, dtype=torch.int64).view(-1, 1)

    def __call__(self, epoch: int, indices: Tensor) -> Tensor:
        """Places x images, float32, on the device of `indices`."""
        if self._places.device != indices.device:
            self._places = self._places.to(indices.device)
        key = _signed(_mixed(_mixed(self._seed * _GOLDEN + 1) + (epoch + 1) * _GOLDEN))
        image = _mix(indices.to(torch.int64) * _signed(_GOLDEN) + key)
        found = _mix(image ^ self._places)
        drawn: Tensor = (found >> (64 - _BITS)) & (2**_BITS - 1)
        return drawn.to(torch.float32).add_(0.5).mul_(2.0**-_BITS)


def _mixed(value: int) -> int:
    """splitmix64's last steps, of a number."""
    value &= _MASK
    value = (value ^ (value >> 30)) * _FIRST & _MASK
    value = (value ^ (value >> 27)) * _SECOND & _MASK
    return value ^ (value >> 31)


def _mix(values: Tensor) -> Tensor:
    """The same of many; int64 stands for 64 bits without a sign."""
    values = (values ^ _right(values, 30)) * _signed(_FIRST)
    values = (values ^ _right(values, 27)) * _signed(_SECOND)
    return values ^ _right(values, 31)


def _right(values: Tensor, bits: int) -> Tensor:
    """Shifted right, zeros moving in."""
    found: Tensor = (values >> bits) & (2 ** (64 - bits) - 1)
    return found


def _signed(value: int) -> int:
    value &= _MASK
    return value - 2**64 if value >= 2**63 else value


def within(uniform: Tensor, low: float, high: float) -> Tensor:
    """From 0..1 to a range."""
    return uniform * (high - low) + low


def whole(uniform: Tensor, low: Tensor | int, high: Tensor | int) -> Tensor:
    """Whole numbers from `low` to `high`, both included, as float32."""
    return (uniform * (high - low + 1)).floor() + low


def normal(first: Tensor, second: Tensor) -> Tensor:
    """Box and Muller, 1958: two even draws make a normal one."""
    return first.log().mul(-2).sqrt() * second.mul(2 * torch.pi).cos()
