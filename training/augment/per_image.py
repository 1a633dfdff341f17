"""Passes that treat each image by itself: done to a few images at a time, which fit into the cache.

A batch of photographs does not fit there, so on a CPU all passes are done to a piece of it before
the next piece is begun; on a GPU, where launching a pass is what takes time, to all of it. What
does not depend on pixels is worked out for the whole batch first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .entries import constant

BoundPass = Callable[[Tensor, slice], Tensor]
"""A pass with its random numbers, called with some images of a batch and which ones they are. All
passes but those that move pixels take float32 of 0..255, and may change it in place."""

ImagePass = Callable[[Tensor], BoundPass]
"""A pass, called with the random numbers of a batch."""

PIECE = 2**18
"""How many numbers of images make a piece: a megabyte."""


class Normalize:
    """The last step: a factor and an offset for each channel, and channels in reverse order.
    `normalization` is for the channels as they come."""

    def __init__(self, normalization: tuple[Tensor, Tensor] | None, reverse: bool) -> None:
        self._numbers = normalization and [
            tuple((each.flip(0) if reverse else each).tolist()) for each in normalization
        ]
        self._reverse = reverse

    def __call__(self, images: Tensor, out: Tensor | None = None) -> Tensor:
        if self._reverse:
            images = images.flip(1)
        if self._numbers is None:
            return images if out is None else out.copy_(images)
        factor, offset = (constant(each, images.device).view(1, -1, 1, 1) for each in self._numbers)
        return torch.mul(images, factor, out=out).add_(offset)


class PerImage:
    """Passes in a row, and which of them take bytes as they are; then normalisation."""

    def __init__(
        self, passes: Sequence[tuple[ImagePass, bool]], normalize: Normalize | None = None
    ) -> None:
        self._passes = tuple(passes)
        self._normalize = normalize or Normalize(None, False)
        self._kept: Tensor | None = None
        """Memory of the images made last, where nobody needs them any longer."""

    def __call__(self, images: Tensor, drawn: Tensor, reuse: bool = False) -> Tensor:
        """uint8 or float32 to float32; left as it is. With `reuse`, what was made last is written
        over: fresh memory for a batch of photographs takes as long as some passes over it."""
        passes = [(one(drawn), takes_bytes) for one, takes_bytes in self._passes]
        pieces = round(len(images) / max(1, PIECE // max(1, images[0].numel())))
        if images.device.type != "cpu" or images.requires_grad or pieces <= 1:
            return self._normalize(_do(passes, images, slice(0, len(images))))
        count = -(-len(images) // pieces)  # all of about the same size
        found: Tensor | None = None
        for start in range(0, len(images), count):
            piece = slice(start, min(start + count, len(images)))
            made = _do(passes, images, piece)
            if found is None:
                found = self._memory((len(images), *made.shape[1:]), reuse)
            self._normalize(made, found[piece])
        assert found is not None
        return found

    def _memory(self, shape: tuple[int, ...], reuse: bool) -> Tensor:
        found = self._kept
        if not reuse or found is None or found.shape != shape:
            found = torch.empty(shape)
        self._kept = found if reuse else None
        return found


def _do(passes: Sequence[tuple[BoundPass, bool]], whole: Tensor, piece: slice) -> Tensor:
    given = images = whole[piece].contiguous()
    for one, takes_bytes in passes:
        if not takes_bytes:
            images = images.to(torch.float32, copy=images is given)
        images = one(images, piece)
    return images.to(torch.float32)
