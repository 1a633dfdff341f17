"""What a piece of another tool's code comes to, and where it stands in the text."""

from __future__ import annotations

from typing import NamedTuple


class Translation(NamedTuple):
    """Code of another tool, and what to do about it."""

    start: int
    end: int
    """Where it stands: offsets in the text."""
    message: str
    """What it is: "this is a line of Python"."""
    written: str | None = None
    """What to write in its place; "" to take it out; None where only `advice` can be given."""
    advice: str = ""
    """What to do, in words, where nothing can be written, or to go with it."""
