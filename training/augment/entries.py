"""Arithmetic with matrix entries that are one number for the whole batch, or one for each image.

Most entries of most matrices are 0 or 1. Operations on those are skipped: for images of 32 x 32
pixels, multiplying by zeros would take longer than moving the pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

Entry = Tensor | float
"""One number for all images, or a tensor of N."""


@lru_cache(maxsize=256)
def constant(numbers: Any, device: torch.device) -> Tensor:
    """A cached tensor of (nested tuples of) floats on a device: each copy to a GPU would make the
    program wait for it. Callers must not change the tensor in place."""
    with torch.inference_mode(False):  # the cached tensor may be needed for a gradient later
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
    """An entry as a tensor of N numbers."""
    if isinstance(entry, Tensor):
        return entry
    return like.new_full((1,), entry).expand(len(like))
