"""Passes that look at each image by itself: done to a few at a time, so that they stay at hand.

What a processor has at hand is far quicker than memory. A batch of photographs does not fit there,
so on a CPU all passes are done to a piece of it before the next piece is begun; on a graphics card,
where starting a pass is what takes time, to all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .geometry import Geometry

Done = Callable[[Tensor, Tensor], Tensor]
"""A pass over images of 0..255, with the numbers drawn for them. All but those that move pixels
take float32, and may change it in place."""

PIECE = 2**18
"""How many numbers of images make a piece: a megabyte."""


class Alone:
    """Passes in a row."""

    def __init__(self, passes: Sequence[Done]) -> None:
        self._passes = tuple(passes)

    def __call__(self, images: Tensor, drawn: Tensor) -> Tensor:
        """uint8 or float32, left as it is."""
        count = max(1, PIECE // max(1, images[0].numel()))
        if images.device.type != "cpu" or images.requires_grad or count >= len(images):
            return self._done(images, drawn)
        first = self._done(images[:count], drawn[:, :count])
        found = first.new_empty(len(images), *first.shape[1:])
        found[:count] = first
        for start in range(count, len(images), count):
            piece = slice(start, start + count)
            found[piece] = self._done(images[piece], drawn[:, piece])
        return found

    def _done(self, images: Tensor, drawn: Tensor) -> Tensor:
        given = images
        for done in self._passes:
            if not isinstance(done, Geometry):
                images = images.to(torch.float32, copy=images is given)
            images = done(images, drawn)
        return images
