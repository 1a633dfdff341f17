"""How many layers of one kind it takes until an output sees a given number of pixels."""

from __future__ import annotations

from typing import NamedTuple


class Stack(NamedTuple):
    """Convolutions one after the other, and pools between them."""

    convs: int
    pools: int
    sees: int
    """The pixels along an axis that one output of the last layer sees."""


def convs_alone(pixels: int, kernel: int, dilation: int = 1) -> Stack | None:
    """The fewest convolutions of stride 1; None if any number of them sees one pixel."""
    step = (kernel - 1) * dilation
    if step < 1:
        return Stack(0, 0, 1) if pixels <= 1 else None
    convs = max(-(-(pixels - 1) // step), 0)
    return Stack(convs, 0, 1 + convs * step)


def convs_and_pools(
    pixels: int, kernel: int, dilation: int = 1, window: int = 2, stride: int = 2
) -> Stack | None:
    """The fewest convolutions, each followed by a pool but for the last, which needs none.

    With each pool the positions of the next layer lie `stride` times as far apart, so that the same
    filter reaches `stride` times as far.
    """
    step = (kernel - 1) * dilation
    if stride < 2 or (step < 1 and window < 2):
        return None
    sees, jump, convs = 1, 1, 0
    while sees < pixels:
        if convs:
            sees += (window - 1) * jump
            jump *= stride
        sees += step * jump
        convs += 1
    return Stack(convs, max(convs - 1, 0), sees)
