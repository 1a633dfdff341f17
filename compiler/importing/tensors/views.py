"""How a tensor of the source lies over a map of the spec. Reshapes, permutes and selections compute
nothing: they say anew which axis of the tensor is which part of which axis of the map. So a network
that works channels last, on tokens, by heads or within windows is read like any other, and a layer
is written only where the order of the numbers has an effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple

from ...shapes import Shape
from ..graph import Layer

BATCH = -1
REPEATED = -2
"""Of an expanded tensor: the same numbers again."""


class Part(NamedTuple):
    """Factor of an axis of the map: `size` positions, `step` apart."""

    axis: int
    """0 is channels, 1 and further are spatial; or `BATCH`, `REPEATED`."""
    step: int
    size: int


Axis = tuple[Part, ...]
"""An axis of a tensor, its slowest part first; nothing if its size is 1."""


class View(NamedTuple):
    """A tensor as a view of a map."""

    layer: Layer
    axes: tuple[Axis, ...]
    first: Shape
    """Where it begins, along each axis of the map; what is missing in it has been cut away."""

    @property
    def shape(self) -> Shape:
        return tuple([length(axis) for axis in self.axes])

    @property
    def parts(self) -> list[Part]:
        """Those of the map, in the order of the tensor."""
        return [part for axis in self.axes for part in axis if part.axis >= 0]

    def of(self, layer: Layer) -> View:
        """The same view of another map of this size."""
        return View(layer, self.axes, (0,) * len(layer.shape))

    def arranged(self, axes: Iterable[Iterable[Part]]) -> View:
        return self._replace(axes=tuple([merged(axis) for axis in axes]))


def length(axis: Axis) -> int:
    return prod(part.size for part in axis)


def merged(parts: Iterable[Part]) -> Axis:
    """Neighboring parts that are one."""
    result: list[Part] = []
    for part in parts:
        if part.size == 1:
            continue
        last = result[-1] if result else None
        if last and last.axis == part.axis and last.step == part.step * part.size:
            result[-1] = Part(part.axis, part.step, last.size * part.size)
        else:
            result.append(part)
    return tuple(result)


def whole(shape: Shape, axis: int) -> Axis:
    """An axis of a map."""
    return merged([Part(axis, 1, shape[axis])])


def plain(layer: Layer, batch: int) -> View:
    """The map as it is, with the axis of its batch before it."""
    axes = [whole(layer.shape, axis) for axis in range(len(layer.shape))]
    return View(layer, (merged([Part(BATCH, 1, batch)]), *axes), (0,) * len(layer.shape))


def reshaped(view: View, to: Shape) -> View | None:
    """None if an axis would be divided where the map is not."""
    parts = [part for axis in view.axes for part in axis][::-1]
    axes: list[list[Part]] = []
    for side in to:
        own: list[Part] = []
        left = side
        while left > 1:
            if not parts:
                return None
            axis, step, size = parts.pop()
            if left % size == 0:
                own.append(Part(axis, step, size))
                left //= size
            elif size % left == 0:
                inside = size // left
                own.append(Part(axis, step * inside, left))
                parts.append(Part(axis, step, inside))
                left = 1
            else:
                return None
        axes.append(own)
    return None if parts else view.arranged(axes)


def permuted(view: View, order: Sequence[int]) -> View:
    return view._replace(axes=tuple([view.axes[axis] for axis in order]))


def sliced(view: View, axis: int, start: int, stop: int, step: int) -> View | None:
    """Positions along an axis of the tensor; None if they are no part of an axis of the map."""
    if start == 0 and step == 1 and stop == length(view.axes[axis]):
        return view
    if len(view.axes[axis]) != 1 or view.axes[axis][0].axis < 0:
        return None
    (part,) = view.axes[axis]
    count = -(-(stop - start) // step)
    moved = list(view.first)
    moved[part.axis] += part.step * start
    kept = merged([Part(part.axis, part.step * step, count)])
    axes = (*view.axes[:axis], kept, *view.axes[axis + 1 :])
    return view._replace(axes=axes, first=tuple(moved))


def without(view: View, axes: Iterable[int], keep: bool) -> View:
    """With axes of size 1 where there were others, or without them."""
    gone = {*axes}
    return view._replace(
        axes=tuple(
            [
                () if number in gone else axis
                for number, axis in enumerate(view.axes)
                if keep or number not in gone
            ]
        )
    )


def cut(view: View) -> tuple[tuple[int, int], ...] | None:
    """The range of each axis of the map that the view covers; None if it skips positions."""
    ranges: list[tuple[int, int]] = []
    for axis, first in enumerate(view.first):
        count = 1
        for part in sorted([p for p in view.parts if p.axis == axis], key=lambda p: p.step):
            if part.step != count:
                return None
            count *= part.size
        if first < 0 or first + count > view.layer.shape[axis]:
            return None  # it reaches over the border
        ranges.append((first, first + count))
    return tuple(ranges)


def joined(views: Sequence[View], axis: int) -> View | None:
    """A concatenation of views of one map that is a view of it again: the inverse of a split."""
    one = views[0]
    if any(each.layer is not one.layer or each.axes != one.axes for each in views):
        return None
    count = len(views)
    steps = [tuple(b - a for a, b in zip(one.first, v.first, strict=True)) for v in views]
    moved = [number for number, step in enumerate(steps[-1]) if step]
    for along in moved:
        parts = list(_progression([step[along] for step in steps], along) or ())
        others = {tuple(s for n, s in enumerate(step) if n != along) for step in steps}
        if parts and len(others) == 1 and not any(next(iter(others))):
            axes = (*one.axes[:axis], merged([*parts, *one.axes[axis]]), *one.axes[axis + 1 :])
            return one._replace(axes=axes)
    if len(moved) == 2:  # focus: every second pixel, from each of four
        for slow, fast in (moved, moved[::-1]):
            inside = next((n for n, step in enumerate(steps) if step[slow]), count)
            outer = _progression([step[slow] for step in steps[::inside]], slow)
            inner = _progression([step[fast] for step in steps[:inside]], fast)
            again = [
                tuple(
                    a + b
                    for a, b in zip(steps[n // inside * inside], steps[n % inside], strict=True)
                )
                for n in range(count)
            ]
            if outer and inner and again == steps:
                parts = [*outer, *inner, *one.axes[axis]]
                axes = (*one.axes[:axis], merged(parts), *one.axes[axis + 1 :])
                return one._replace(axes=axes)
    return None


def _progression(places: Sequence[int], axis: int) -> Axis | None:
    step = places[1] - places[0] if len(places) > 1 else 0
    if step < 1 or any(place != n * step for n, place in enumerate(places)):
        return None
    return (Part(axis, step, len(places)),)
