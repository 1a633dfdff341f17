"""Pauses Python's garbage collector while many objects are created: parsing, building and analysing
a large network leave no garbage, and collecting would take as long as the work itself.
"""

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
