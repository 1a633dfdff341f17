"""Arithmetic of numbers that are the same for a whole batch, or one for each image.

Most entries of most matrices are 0 or 1. Of those that are plain numbers nothing is worked out that
need not be: at 32 x 32 pixels, multiplying zeros would take longer than moving pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

Entry = Tensor | float
"""One for all images, or N."""


@lru_cache(maxsize=256)
def constant(numbers: Any, device: torch.device) -> Tensor:
    """Floats in tuples as a tensor, made once for each device: a graphics card would be waited for
    each time that something is sent there. Not to be changed."""
    with torch.inference_mode(False):  # what is kept may be needed for a gradient later
        return torch.tensor(numbers, dtype=torch.float32, device=device)


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
