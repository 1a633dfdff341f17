"""Passes that look at each image by itself: done to a few at a time, so that they stay at hand.

What a processor has at hand is far quicker than memory. A batch of photographs does not fit there,
so on a CPU all passes are done to a piece of it before the next piece is begun; on a graphics card,
where starting a pass is what takes time, to all of it. What does not depend on pixels is worked out
for the whole batch first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Ready = Callable[[Tensor, slice], Tensor]
"""A pass over some images of a batch, and which ones they are. All passes but those that move
pixels take float32 of 0..255, and may change it in place."""

Done = Callable[[Tensor], Ready]
"""A pass, of the numbers drawn for a batch."""

PIECE = 2**18
"""How many numbers of images make a piece: a megabyte."""


class Alone:
    """Passes in a row, and which of them take bytes as they are."""

    def __init__(self, passes: Sequence[tuple[Done, bool]]) -> None:
        self._passes = tuple(passes)
        self._kept: Tensor | None = None
        """Memory of the images made last, where nobody needs them any longer."""

    def __call__(self, images: Tensor, drawn: Tensor, reuse: bool = False) -> Tensor:
        """uint8 or float32, left as it is. With `reuse`, what was made last is written over: to get
        fresh memory for a batch of photographs takes as long as some passes over it."""
        ready = [(done(drawn), takes_bytes) for done, takes_bytes in self._passes]
        count = max(1, PIECE // max(1, images[0].numel()))
        if images.device.type != "cpu" or images.requires_grad or count >= len(images):
            return _do(ready, images, slice(0, len(images)))
        first = _do(ready, images, slice(0, count))
        shape = (len(images), *first.shape[1:])
        found = self._kept
        if found is None or not reuse or found.shape != shape or found.dtype != first.dtype:
            found = first.new_empty(shape)
        self._kept = found if reuse else None
        found[:count] = first
        for start in range(count, len(images), count):
            piece = slice(start, min(start + count, len(images)))
            found[piece] = _do(ready, images, piece)
        return found


def _do(passes: Sequence[tuple[Ready, bool]], whole: Tensor, piece: slice) -> Tensor:
    given = images = whole[piece].contiguous()
    for done, takes_bytes in passes:
        if not takes_bytes:
            images = images.to(torch.float32, copy=images is given)
        images = done(images, piece)
    return images
