"""The sides and modes of padding, for convolutions, pools and `pad`: rows and columns around a map,
steps before and after a series.
"""

from __future__ import annotations

from math import prod

from ..shapes import LINES, Pair, Shape, ShapeError

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")

Sides = tuple[Pair, ...]
"""What is added before and after, along each spatial axis: rows above and below, columns left and
right."""


def check_padding(mode: str, sides: Sides, input_shape: Shape) -> None:
    """Raises ShapeError if the map is too small to fill its padding from."""
    if mode not in ("reflect", "circular"):
        return
    for pair, number, name in zip(sides, input_shape[1:], LINES[len(sides)], strict=True):
        if mode == "reflect" and max(pair) >= number:
            raise ShapeError(
                f"{max(pair)} {name} of padding cannot be mirrored from an input of {number}: the"
                " border itself is not repeated",
                "pad less, or write `mode=replicate`",
            )
        if mode == "circular" and max(pair) > number:
            raise ShapeError(
                f"{max(pair)} {name} of padding would wrap around an input of {number}"
                " more than once",
                "pad less, or write `mode=replicate`",
            )


def upper_sides(side: int, reach: int, stride: int) -> Pair:
    """What `same_upper` adds before and after: the odd one at the end."""
    total = max((-(-side // stride) - 1) * stride + reach - side, 0)
    return total // 2, total - total // 2


def source_position(mode: str, position: int, side: int) -> int | None:
    """The row or column of the input that a position shows, which may lie in the padding.

    None for padding with a constant.
    """
    if 0 <= position < side:
        return position
    match mode:
        case "reflect":
            return -position if position < 0 else 2 * (side - 1) - position
        case "replicate":
            return min(max(position, 0), side - 1)
        case "circular":
            return position % side
    return None


def padded_size(sides: Sides, input_shape: Shape) -> int:
    """The number of elements of the padded map."""
    channels, *lengths = input_shape
    return channels * prod(n + sum(pair) for n, pair in zip(lengths, sides, strict=True))


def flat_sides(sides: Sides) -> tuple[int, ...]:
    """`(left, right, top, bottom)`: torch begins with the last axis."""
    return tuple(number for pair in reversed(sides) for number in pair)


def pad_text(sides: Sides, mode: str) -> str:
    """`F.pad({0}, (left, right, top, bottom))`."""
    filled = "" if mode == "zeros" else f', mode="{mode}"'
    return f"F.pad({{0}}, {flat_sides(sides)}{filled})"
