"""Arithmetic of numbers that are the same for a whole batch, or one for each image.

Most entries of most matrices are 0 or 1. Of those that are plain numbers nothing is worked out that
need not be: at 32 x 32 pixels, multiplying zeros would take longer than moving pixels.
"""

from __future__ import annotations

from torch import Tensor

Entry = Tensor | float
"""One for all images, or N."""


def times(a: Entry, b: Entry) -> Entry:
    if not isinstance(a, Tensor):
        a, b = b, a
    if not isinstance(b, Tensor):
        if b == 0:
            return 0.0
        if b == 1:
            return a
    return a * b


def plus(a: Entry, b: Entry) -> Entry:
    if not isinstance(a, Tensor):
        a, b = b, a
    if not isinstance(b, Tensor) and b == 0:
        return a
    return a + b


def column(entry: Entry, like: Tensor) -> Tensor:
    """N numbers, also where it is one."""
    if isinstance(entry, Tensor):
        return entry
    return like.new_full((1,), entry).expand(len(like))
