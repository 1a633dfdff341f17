"""Python's garbage collector, paused while many objects are made or walked: parsing, building and
analysing a large network leave no garbage, and looking for some would take as long as they do."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Also a decorator: `@gc_paused()`."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
