"""Fast noise: a table of random numbers drawn once, which each image reads from a random offset.

Drawing a normal number for each pixel takes longer than all the rest of the augmentation. Here a
table is filled once, and each image reads it from an offset of its own. Within an image the numbers
are as independent as those of the table; two images rarely have the same noise at the same pixels
(once in four million pairs).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import torch
from torch import Tensor

SMALL = 2**14
"""Images of this many numbers or more are processed one by one on a CPU: that is faster, because
the noise of the batch is not copied first."""

_SIZE = 2**22
_FACTOR = 4
"""The table is at least this many times as long as an image."""


class NoiseTable:
    """Random numbers drawn once from a seed, the same on every device."""

    def __init__(self, seed: int, kind: Literal["normal", "uniform"]) -> None:
        self._seed = seed
        self._kind = kind
        self._numbers = torch.zeros(0)

    def numbers(self, count: int, device: torch.device) -> Tensor:
        """The table, long enough for images of `count` numbers."""
        wanted = max(_SIZE, _FACTOR * count)
        if len(self._numbers) < wanted or self._numbers.device != device:
            # Runs of older versions, which called it `even`, can be resumed.
            name = {"uniform": "even"}.get(self._kind, self._kind)
            digest = sha256(f"{name}/{self._seed}".encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
            if self._kind == "normal":
                drawn = torch.randn(wanted, generator=generator)
            else:
                drawn = torch.rand(wanted, generator=generator) * 2 - 1
            self._numbers = drawn.to(device)
        return self._numbers

    def starts(self, uniform: Tensor, count: int, device: torch.device) -> Tensor:
        """The offsets at which images of `count` numbers start to read."""
        room = len(self.numbers(count, device)) - count
        return (uniform.double() * room).long() if device.type != "mps" else (uniform * room).long()

    def rows(self, uniform: Tensor, count: int) -> Tensor:
        """The noise: `count` numbers for each image."""
        numbers = self.numbers(count, uniform.device)
        starts = self.starts(uniform, count, uniform.device)
        return numbers.unfold(0, count, 1).index_select(0, starts)
