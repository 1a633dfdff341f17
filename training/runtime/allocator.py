"""Keeps freed memory in the process for the next step, on Linux with a CPU (glibc's malloc).

Each step allocates and frees the same tensors. The C library returns blocks of some megabytes to
the system when they are freed, and requests them again, page by page, in the next step.
Measurements show that this takes up to a sixth of the time of a step (benchmarks/RESULTS.md).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Options of glibc's `mallopt`: how much memory may be free before it is returned to the system,
and how many blocks may be mapped separately."""
_DEFAULTS = {_TRIM_THRESHOLD: 2**26, _MMAP_MAX: 65536}
_KEEP = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}


@contextmanager
def freed_memory_kept(device: torch.device) -> Iterator[None]:
    """A context in which up to two gigabytes of freed memory are kept; they are returned at the
    end. It does nothing on a GPU, with another C library, or if the environment configures
    malloc."""
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
    environment = os.environ
    configured = any(name.startswith("MALLOC_") for name in environment)
    configured |= "glibc.malloc" in environment.get("GLIBC_TUNABLES", "")
    if configured or "LD_PRELOAD" in environment:
        return None
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    known = hasattr(library, "gnu_get_libc_version") and hasattr(library, "malloc_trim")
    return library if known else None
