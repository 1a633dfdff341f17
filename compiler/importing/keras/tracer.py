"""The values between layers. Ours have the channels first; what Keras has is known beside them: the
order of its axes, in which order a vector went through a map, and padding that may still become
part of the layer after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ....dsl.source import Span
from ...ops.padding import Sides
from ...shapes import Shape, axes_of, size
from ..graph import GraphBuilder, Result, Stored


class Value(NamedTuple):
    """What a layer of Keras gives."""

    layer: Result
    first: bool = False
    """Whether Keras has the channels first, too."""
    flat: tuple[Shape, ...] = ()
    """Of a vector: the maps, channels first, that Keras goes through channels last and we do not;
    a shape of one number is in order."""
    pads: Sides = ()
    """Zeros around the map that are not added yet."""

    @property
    def shape(self) -> Shape:
        """Ours, with the padding."""
        assert self.layer is not None
        channels, *sides = self.layer.shape
        if not self.pads:
            return self.layer.shape
        return channels, *(n + sum(pair) for n, pair in zip(sides, self.pads, strict=True))

    @property
    def order(self) -> tuple[int, ...]:
        """Which of our axes is each of Keras'."""
        assert self.layer is not None
        axes = range(len(self.layer.shape))
        return tuple(axes) if self.first else (*axes[1:], 0)

    @property
    def keras_shape(self) -> Shape:
        shape = self.shape
        return tuple([shape[axis] for axis in self.order])

    def axis(self, number: int) -> int | None:
        """Which of our axes a number of Keras' means, which counts the batch; None if none."""
        axes = len(self.order)
        index = number - 1 if number > 0 else number + axes
        return self.order[index] if 0 <= index < axes and number else None

    def of(self, layer: Result) -> Value:
        """Another layer's, of the same layout."""
        return self._replace(layer=layer)


class Tracer:
    """Adds layers, and remembers where their weights lie."""

    def __init__(self) -> None:
        self.builder = GraphBuilder()
        self.stored: list[Stored] = []
        self.places: dict[tuple[str, ...], tuple[str, ...]] = {}
        """Where Keras 3 has the weights of a layer."""
        self.uses: dict[tuple[str, ...], int] = {}
        """How often a layer is used."""
        self.reordered: list[str] = []
        """Layers whose rows are in another order, because a flatten goes through maps otherwise."""
        self._made: dict[tuple[object, ...], Result] = {}

    def add(
        self, word: str, inputs: Sequence[Result], name: str, span: Span, **given: object
    ) -> Result:
        return self.builder.add(word, inputs, name, span, **given)

    def _once(self, word: str, source: Result, name: str, span: Span, **given: object) -> Result:
        """A layer without weights, which need not be there twice."""
        if source is None:
            return None
        key = (word, source.index, repr(given))
        if key not in self._made:
            self._made[key] = self.add(word, [source], name, span, **given)
        return self._made[key]

    # ---- layouts ----

    def settled(self, value: Value, name: str, span: Span) -> Value:
        """With its padding added."""
        if not value.pads:
            return value
        if len({*value.pads}) == 1 and len({*value.pads[0]}) == 1:
            given: dict[str, object] = {"by": tuple([before for before, _ in value.pads])}
        else:
            names = (("front", "back"), ("top", "bottom"), ("left", "right"))[-len(value.pads) :]
            given = {
                side: number
                for both, pair in zip(names, value.pads, strict=True)
                for side, number in zip(both, pair, strict=True)
                if number
            }
        layer = self._once("pad", value.layer, name, span, **given)
        return value._replace(layer=layer, pads=())

    def plain(self, value: Value, name: str, span: Span) -> Value:
        """Settled, and a vector in Keras' order."""
        value = self.settled(value, name, span)
        source = value.layer
        if source is None or not value.flat:
            return value
        parts: list[Result] = []
        at = 0
        for shape in value.flat:
            part: Result = source
            if len(value.flat) > 1:
                end = at + size(shape)
                part = self._once("slice", source, name, span, channels=(at, end))
                at = end
            if len(shape) > 1:
                part = self.reshaped(part, shape, name, span)
                part = self.permuted(part, (*range(1, len(shape)), 0), name, span)
                part = self._once("flatten", part, name, span)
            parts.append(part)
        whole = parts[0] if len(parts) == 1 else self.add("concat", parts, name, span)
        return value._replace(layer=whole, flat=())

    def laid(self, value: Value, first: bool, name: str, span: Span) -> Value:
        """As a layer takes it that has the channels first, or last, in Keras."""
        value = self.settled(value, name, span)
        if value.layer is None or value.first == first or not axes_of(value.layer.shape):
            return value._replace(first=first)
        axes = range(len(value.layer.shape))
        order = (*axes[1:], 0) if first else (axes[-1], *axes[:-1])
        layer = self.permuted(value.layer, order, name, span)
        return value._replace(layer=layer, first=first)

    def reshaped(self, source: Result, shape: Shape, name: str, span: Span) -> Result:
        """In another shape; what only takes back the reshape before it takes its place."""
        if source is None or source.shape == shape:
            return source
        before = source
        while before.op.word in ("flatten", "reshape") and before.inputs:
            before = before.inputs[0]
            if before.shape == shape:
                return before
        if len(shape) == 1:
            return self._once("flatten", before, name, span)
        return self._once("reshape", before, name, span, to=shape)

    def permuted(self, source: Result, axes: tuple[int, ...], name: str, span: Span) -> Result:
        """With its axes in another order, if that makes a difference."""
        if source is None or axes == tuple(range(len(axes))):
            return source
        wide = [axis for axis in axes if source.shape[axis] > 1]
        if wide == sorted(wide):  # no number gets another place
            return self.reshaped(source, tuple([source.shape[n] for n in axes]), name, span)
        if source.op.word == "permute":
            axes = tuple([source.op.axes[axis] for axis in axes])  # type: ignore[attr-defined]
            return self.permuted(source.inputs[0], axes, name, span)
        return self._once("permute", source, name, span, axes=axes)

    # ---- weights ----

    def store(
        self,
        layer: Result,
        key: str,
        owner: tuple[str, ...],
        position: int,
        name: str,
        shape: Shape,
        *,
        axes: tuple[int, ...] = (),
        flat: tuple[Shape, ...] = (),
        part: int | None = None,
    ) -> None:
        """Where a weight lies in files."""
        if layer is not None:
            if flat and owner[-1] not in self.reordered:
                self.reordered.append(owner[-1])
            place = self.places.get(owner, ())
            self.stored.append(
                Stored(layer, key, owner, place, position, name, shape, axes, flat, part)
            )

    def constant(self, layer: Result, key: str, *values: float) -> None:
        """A weight that no file has."""
        if layer is not None:
            self.stored.append(Stored(layer, key, constant=values))


def flat_of(shape: Shape) -> tuple[Shape, ...]:
    """What a flatten of a map with channels last leaves to be known."""
    return (shape,) if shape[0] > 1 and math.prod(shape[1:]) > 1 else ()
