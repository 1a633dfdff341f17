"""What a computer lacks, or what happens to it, while an example of docs/diagnostics runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def situation(name: str) -> Iterator[None]:
    """The situation of this name; "" is the usual one."""
    yield
