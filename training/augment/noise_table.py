"""Noise that costs next to nothing: numbers drawn once, read from a place that an image draws.

To draw a normal number for each pixel takes longer than all the rest of an augmentation. Here a
table is filled once, and each image reads on from a place of its own: within an image the numbers
are as independent as those of the table, and two images seldom read the same ones at the same
pixels (once in four million pairs).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import torch
from torch import Tensor

SMALL = 2**14
"""Images of as many numbers and more are faster one by one on a CPU: nothing is laid out beside
them."""

_SIZE = 2**22
_FACTOR = 4
"""At least so many times as long as an image."""


class NoiseTable:
    """Numbers drawn once from a seed, on every device the same."""

    def __init__(self, seed: int, kind: Literal["normal", "uniform"]) -> None:
        self._seed = seed
        self._kind = kind
        self._numbers = torch.zeros(0)

    def numbers(self, count: int, device: torch.device) -> Tensor:
        """All of them, enough for images of `count` numbers."""
        wanted = max(_SIZE, _FACTOR * count)
        if len(self._numbers) < wanted or self._numbers.device != device:
            name = {"uniform": "even"}.get(self._kind, self._kind)  # runs of older versions go on
            digest = sha256(f"{name}/{self._seed}".encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
            if self._kind == "normal":
                drawn = torch.randn(wanted, generator=generator)
            else:
                drawn = torch.rand(wanted, generator=generator) * 2 - 1
            self._numbers = drawn.to(device)
        return self._numbers

    def starts(self, uniform: Tensor, count: int, device: torch.device) -> Tensor:
        """Where images of `count` numbers begin to read."""
        room = len(self.numbers(count, device)) - count
        return (uniform.double() * room).long() if device.type != "mps" else (uniform * room).long()

    def rows(self, uniform: Tensor, count: int) -> Tensor:
        """`count` numbers for each image."""
        numbers = self.numbers(count, uniform.device)
        starts = self.starts(uniform, count, uniform.device)
        return numbers.unfold(0, count, 1).index_select(0, starts)
