"""Keeps freed memory for the next step, on Linux and a CPU.

Each step makes and frees the same tensors. The C library gives blocks of some megabytes back to the
system when they are freed, and gets them anew, page by page, when the next step needs them: that
was measured to take up to a sixth of the time of a step (benchmarks/RESULTS.md).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""What glibc's `mallopt` calls them: how much may be free before it is given back, and how many
blocks may have pages of their own."""
_DEFAULTS = {_TRIM_THRESHOLD: 2**26, _MMAP_MAX: 65536}
_KEEP = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}


@contextmanager
def freed_memory_kept(device: torch.device) -> Iterator[None]:
    """Up to two gigabytes, until the end; then it is given back. Where something else than a
    processor computes, where somebody has set up the C library by its environment, or it is another
    one, nothing is changed."""
    library = _glibc() if device.type == "cpu" else None
    if library is None:
        yield
        return
    try:
        for what, value in _KEEP.items():
            library.mallopt(what, value)
        yield
    finally:
        for what, value in _DEFAULTS.items():
            library.mallopt(what, value)
        library.malloc_trim(0)


def _glibc() -> Any:
    told = any(name.startswith("MALLOC_") for name in os.environ)
    if told or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or "LD_PRELOAD" in os.environ:
        return None
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    known = hasattr(library, "gnu_get_libc_version") and hasattr(library, "malloc_trim")
    return library if known else None
