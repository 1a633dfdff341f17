"""Translation: a piece of another tool's code, its place, and its replacement."""

from __future__ import annotations

from typing import NamedTuple


class Translation(NamedTuple):
    """Code of another tool, and its replacement or advice."""

    start: int
    end: int
    """Its place: offsets in the text."""
    message: str
    """The message: "this is a line of Python"."""
    written: str | None = None
    """The replacement; "" to delete it; None if there is only `advice`."""
    advice: str = ""
    """Advice in words, in addition to the replacement or instead."""
