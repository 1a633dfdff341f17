"""Receptive fields: the part of the network's input that an output can depend on. Exact for every
position: after upsampling, neighboring outputs may have windows of different sizes; after
branches, the window is the hull of those of all paths. Windows are not clipped to the input:
padding counts, as in published figures. Where paths with different strides meet, the result is the
smallest windows at the larger stride that contain both; that is an upper bound, and the only
inexact case.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import floor, lcm
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ...dsl.gc_pause import gc_paused
from ..network import Network, Node
from ..ops.base import EVERYTHING, POINT, Window
from ..shapes import PerAxis, Shape, axes_of, exact_ratio

if TYPE_CHECKING:
    from fractions import Fraction

Number: TypeAlias = "int | Fraction"

MAX_PERIOD = 64
"""Upsampling multiplies the number of different windows along an axis; beyond this number, outputs
are taken to see the whole axis. Nobody builds a 64-fold upsampling.
"""


class Axis(NamedTuple):
    """The windows of all outputs along one axis of the input. Output `i` sees from `first[i %
    period] + i // period * step` to the same expression with `last`; the period, which is the
    length of both, is 1 unless something is upsampled.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    jump: Number
    """The distance between the windows of neighboring outputs, in input pixels."""
    places: int
    """The number of positions (after `flatten`: before it)."""
    whole: bool = False
    """Every output sees everything that the map before could see: after a global pool or a fully
    connected layer. `jump` is then the stride that a window of that size would have.
    """

    @property
    def size(self) -> int:
        """The size of the widest window."""
        return max(map(int.__sub__, self.last, self.first)) + 1

    @property
    def start(self) -> int:
        """The first position of the first output's window; negative in the padding."""
        return self.first[0]

    def at(self, position: int) -> tuple[int, int]:
        """The first and last input position that an output sees, unclipped."""
        if self.whole:
            return self.first[0], self.last[0]
        round, phase = divmod(position, len(self.first))
        moved = round * int(self.jump * len(self.first))
        return self.first[phase] + moved, self.last[phase] + moved

    def extent(self) -> tuple[int, int]:
        """The first and last input position that any output sees."""
        return self.at(0)[0], self.at(self.places - 1)[1]


class Field(tuple[Axis, ...]):
    """The receptive field of a node: along each spatial axis of the network's input. (Of a vector,
    as of a map with one position.)
    """

    __slots__ = ()

    @property
    def size(self) -> PerAxis:
        return tuple([axis.size for axis in self])

    @property
    def jump(self) -> tuple[Number, ...]:
        return tuple([axis.jump for axis in self])

    @property
    def start(self) -> PerAxis:
        return tuple([axis.start for axis in self])

    @property
    def whole(self) -> bool:
        return all(axis.whole for axis in self)

    @property
    def alike(self) -> bool:
        """Whether it is the same along all axes, so that one stands for all."""
        return self == (self[0],) * len(self)


@gc_paused()
def fields(network: Network) -> list[Field]:
    """The receptive field of every node, by index."""
    node_fields: list[Field] = []
    axes = next(filter(None, (axes_of(each.shape) for each in network.inputs)), 2)
    for node in network.nodes:
        if not node.inputs:
            node_fields.append(_arriving(node.shape, axes))
            continue
        field = node_fields[node.inputs[0].index]
        if len(node.inputs) > 1:
            field = _together([node_fields[source.index] for source in node.sources])
        window = node.window
        if window == EVERYTHING:
            field = Field(map(_everything, field))
        elif window != POINT:
            field = _moved(field, window)
        node_fields.append(_counted(field, node))
    return node_fields


def _together(source_fields: Sequence[Field]) -> Field:
    """The field where paths merge. (Those of an input with another number of axes, of which all is
    seen, do not count.)
    """
    first = source_fields[0]
    source_fields = [field for field in source_fields if len(field) == len(first)]
    if all(field.alike for field in source_fields):
        return Field((_merge([field[0] for field in source_fields]),) * len(first))
    return Field(map(_merge, map(list, zip(*source_fields, strict=True))))


def _moved(field: Field, window: Window) -> Field:
    """The field after a sliding window."""
    size, stride, start = window
    axes = len(field)
    if len(size) != axes:
        return field  # of another number of axes than the input has: all of it is seen
    first = field[0]
    same = (size[0],) * axes, (stride[0],) * axes, (start[0],) * axes
    alike = field.alike and window == same
    moved = _slide(first, size[0], stride[0], start[0])
    if alike:
        return Field((moved,) * axes)
    rest = [_slide(field[n], size[n], stride[n], start[n]) for n in range(1, axes)]
    return Field((moved, *rest))


def _arriving(shape: Shape, axes: int) -> Field:
    """The receptive field of an input itself; of a vector all, along the axes of other inputs."""
    if len(shape) == 1:
        return Field((Axis((0,), (0,), 1, 1, True),) * axes)
    return Field(Axis((0,), (0,), 1, side) for side in shape[1:])


def _counted(field: Field, node: Node) -> Field:
    """The field with the number of positions from the shape."""
    sides = node.shape[1:]
    if len(sides) != len(field) or tuple([axis.places for axis in field]) == sides:
        return field
    first = field[0]._replace(places=sides[0])
    if field.alike and sides == (sides[0],) * len(sides):
        return Field((first,) * len(sides))
    rest = zip(field[1:], sides[1:], strict=True)
    return Field((first, *(axis._replace(places=side) for axis, side in rest)))


def _slide(axis: Axis, size: int, stride: Number, start: Number) -> Axis:
    """The field after a sliding window: output i reads `size` positions from `start + i * stride`
    on.
    """
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
    period, stride = len(first), exact_ratio(stride)
    # After this many outputs, the pattern of windows below repeats.
    repeats = lcm(stride.numerator, period) // stride.numerator * stride.denominator
    if repeats > MAX_PERIOD:
        return _everything(axis)
    positions = [floor(start + output * stride) for output in range(repeats)]
    return Axis(
        tuple([axis.at(place)[0] for place in positions]),
        tuple([axis.at(place + size - 1)[1] for place in positions]),
        _plain(jump * stride),
        places,
    )


def _everything(axis: Axis) -> Axis:
    """The field after an operation whose outputs each see the whole map."""
    low, high = axis.extent()
    return Axis((low,), (high,), _plain(axis.jump * axis.places), 1, True)


def _merge(axes: list[Axis]) -> Axis:
    """The field where paths merge."""
    first = axes[0]
    if all(axis is first or axis == first for axis in axes):
        return first
    places = max(axis.places for axis in axes)
    maps = [axis for axis in axes if not axis.whole]
    if len(maps) < len(axes) or any(axis.places != places for axis in axes):
        # A gate, or another path that is the same for all positions.
        extents = [axis.extent() for axis in axes]
        low, high = min(low for low, _ in extents), max(high for _, high in extents)
        leading = next((axis for axis in maps if axis.places == places), first)
        return Axis((low,), (high,), leading.jump, places, True)
    return reduce(_hull, sorted(maps, key=lambda axis: axis.jump, reverse=True))


def _hull(wide: Axis, other: Axis) -> Axis:
    """The hull of two paths with equally many positions, at the stride of the first."""
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
    # Between outputs one period apart the difference grows linearly: it is largest in the first or
    # last period.
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
    """Turns a whole Fraction into an int: arithmetic with it is many times faster."""
    return int(number) if number.denominator == 1 else number
