"""The receptive field: what of the network's input an output can depend on.

Exact, position by position: through upsampling neighbouring outputs may see windows of different
size, through branches they see the hull of what each path sees. Windows are not clipped to the
input: what they cover of the padding counts, as in the published figures.

Where paths with different strides meet, the result is the smallest windows at the wider stride
that hold both; that is sound, and the one place where more may be stated than is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from math import floor, lcm
from typing import NamedTuple, TypeAlias

from ...dsl.gc_pause import gc_paused
from ..network import Network, Node
from ..ops.base import EVERYTHING, POINT
from ..shapes import Shape

Number: TypeAlias = int | Fraction

MAX_PERIOD = 64
"""Upsampling multiplies how many different windows an axis has; with more than these, all of it is
said to be seen. A 64-fold upsampling is beyond what anybody builds."""


class Axis(NamedTuple):
    """What the outputs see along one axis of the input.

    Output `i` sees from `first[i % period] + i // period * step` to the same of `last`; the period,
    the length of both, is 1 unless something is upsampled.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    jump: Number
    """How far apart, in the input, neighbouring outputs look."""
    places: int
    """How many positions there are (after `flatten`: were)."""
    whole: bool = False
    """Every output sees all that the map before could see: after a global pool, a fully connected
    layer. Its `jump` is then what a window of that size would have moved by."""

    @property
    def size(self) -> int:
        """Of the widest window."""
        return max(map(int.__sub__, self.last, self.first)) + 1

    @property
    def start(self) -> int:
        """Where the window of the first output begins; negative in the padding."""
        return self.first[0]

    def at(self, position: int) -> tuple[int, int]:
        """The first and last place seen from a position, unclipped."""
        if self.whole:
            return self.first[0], self.last[0]
        round, phase = divmod(position, len(self.first))
        moved = round * int(self.jump * len(self.first))
        return self.first[phase] + moved, self.last[phase] + moved

    def extent(self) -> tuple[int, int]:
        """The first and last place seen from any position."""
        return self.at(0)[0], self.at(self.places - 1)[1]


class Field(NamedTuple):
    """The receptive field of a node."""

    height: Axis
    width: Axis

    @property
    def size(self) -> tuple[int, int]:
        return self.height.size, self.width.size

    @property
    def jump(self) -> tuple[Number, Number]:
        return self.height.jump, self.width.jump

    @property
    def start(self) -> tuple[int, int]:
        return self.height.start, self.width.start

    @property
    def whole(self) -> bool:
        return self.height.whole and self.width.whole


@gc_paused()
def fields(network: Network) -> list[Field]:
    """Of every node, by its index."""
    found: list[Field] = []
    for node in network.nodes:
        if not node.inputs:
            found.append(_arriving(node.shape))
            continue
        if len(node.inputs) == 1:
            height, width = found[node.inputs[0].index]
        else:
            arriving = [found[source.index] for source in node.inputs]
            height = _merge([field.height for field in arriving])
            width = height if _square(arriving) else _merge([field.width for field in arriving])
        window = node.op.window(node.shape, *node.input_shapes)
        if window == EVERYTHING:
            field = Field(_everything(height), _everything(width))
        elif window == POINT:
            field = Field(height, width)
        else:
            size, stride, start = window
            top = _slide(height, size[0], stride[0], start[0])
            alike = height == width and all(pair[0] == pair[1] for pair in window)
            left = top if alike else _slide(width, size[1], stride[1], start[1])
            field = Field(top, left)
        found.append(_counted(field, node))
    return found


def _arriving(shape: Shape) -> Field:
    """Of the input itself; of a vector, all of it."""
    if len(shape) < 3:
        point = Axis((0,), (0,), 1, 1, True)
        return Field(point, point)
    return Field(Axis((0,), (0,), 1, shape[1]), Axis((0,), (0,), 1, shape[2]))


def _counted(field: Field, node: Node) -> Field:
    """With the number of positions that the shape says."""
    if len(node.shape) != 3:
        return field
    _, rows, columns = node.shape
    height, width = field
    if height.places == rows and width.places == columns:
        return field
    top = height._replace(places=rows)
    return Field(
        top, top if height is width and rows == columns else width._replace(places=columns)
    )


def _square(arriving: Sequence[Field]) -> bool:
    return all(field.height is field.width for field in arriving)


def _slide(axis: Axis, size: int, stride: Number, start: Number) -> Axis:
    """Through a window: output i sees `size` positions from `start + i * stride` on."""
    first, last, jump, places, whole = axis
    stride, start = _plain(stride), _plain(start)
    if whole:
        return Axis(first, last, _plain(jump * stride), places, True)
    if len(first) == 1 and type(jump) is type(stride) is type(start) is int:
        moved = start * jump
        return Axis(
            (first[0] + moved,),
            (last[0] + moved + (size - 1) * jump,),
            jump * stride,
            places,
        )
    period, stride = len(first), Fraction(stride)
    # After so many outputs a whole number of rounds of the windows below has gone by.
    repeats = lcm(stride.numerator, period) // stride.numerator * stride.denominator
    if repeats > MAX_PERIOD:
        return _everything(axis)
    looks = [floor(start + output * stride) for output in range(repeats)]
    return Axis(
        tuple([axis.at(place)[0] for place in looks]),
        tuple([axis.at(place + size - 1)[1] for place in looks]),
        _plain(jump * stride),
        places,
    )


def _everything(axis: Axis) -> Axis:
    """Through an operation whose every output sees the whole map."""
    low, high = axis.extent()
    return Axis((low,), (high,), _plain(axis.jump * axis.places), 1, True)


def _merge(axes: list[Axis]) -> Axis:
    """Where paths meet."""
    one = axes[0]
    if all(axis is one or axis == one for axis in axes):
        return one
    places = max(axis.places for axis in axes)
    maps = [axis for axis in axes if not axis.whole]
    if len(maps) < len(axes) or any(axis.places != places for axis in axes):
        # A gate, or something else that is the same for all positions.
        extents = [axis.extent() for axis in axes]
        low, high = min(low for low, _ in extents), max(high for _, high in extents)
        leading = next((axis for axis in maps if axis.places == places), one)
        return Axis((low,), (high,), leading.jump, places, True)
    return reduce(_hull, sorted(maps, key=lambda axis: axis.jump, reverse=True))


def _hull(wide: Axis, other: Axis) -> Axis:
    """Of two paths with as many positions each, in the stride of the first."""
    period = lcm(len(wide.first), len(other.first))
    if period > MAX_PERIOD:
        return _everything(wide)._replace(places=wide.places)
    if wide.jump == other.jump:
        pairs = [(wide.at(place), other.at(place)) for place in range(period)]
        return Axis(
            tuple([min(one[0], two[0]) for one, two in pairs]),
            tuple([max(one[1], two[1]) for one, two in pairs]),
            wide.jump,
            wide.places,
        )
    # Outputs a period apart, the difference grows evenly: it is largest in the first or last round.
    ends = {*range(min(period, wide.places)), *range(max(0, wide.places - period), wide.places)}
    pairs = [(wide.at(place), other.at(place)) for place in ends]
    before = max(0, *(one[0] - two[0] for one, two in pairs))
    after = max(0, *(two[1] - one[1] for one, two in pairs))
    return Axis(
        tuple([first - before for first in wide.first]),
        tuple([last + after for last in wide.last]),
        wide.jump,
        wide.places,
    )


def _plain(number: Number) -> Number:
    """A whole number as such: arithmetic with it is many times faster."""
    return int(number) if number.denominator == 1 else number
