"""What the channels of images that a network answers with are called."""

from __future__ import annotations

_NAMES = {1: ("gray",), 3: ("red", "green", "blue")}


def channel_names(count: int) -> tuple[str, ...]:
    return _NAMES.get(count) or tuple(f"channel {number + 1}" for number in range(count))
