"""Makes maps of views: adds the layers (`slice`, `flatten`, `shuffle`, `permute`, …) that give the
numbers of a map the order in which a tensor has them, where a layer depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from ....dsl.source import Span
from ...ops import REGISTRY
from ...shapes import Shape, ShapeError, axes_of
from ..graph import GraphBuilder, Layer
from . import known
from .program import Constant
from .views import BATCH, Axis, Part, View, cut, length, merged, plain, whole

MOST_AXES = 4
"""Of a map, its channels included."""


class Arranger:
    """Adds layers that rearrange."""

    def __init__(self, builder: GraphBuilder, batch: int) -> None:
        self.builder = builder
        self.batch = batch
        self.known: dict[tuple[object, ...], Layer] = {}
        """What has been cut out or rearranged, so that it is once."""

    def map_of(self, view: View, span: Span) -> Layer | None:
        """A map whose axes are those of the tensor, after the batch; None if there is none."""
        view_or_none = self.settled(view, span)
        if view_or_none is None or not view_or_none.axes:
            return None
        view = view_or_none
        images = merged([Part(BATCH, 1, self.batch)])
        if view.axes[0] != images or not 2 <= len(view.axes) <= 1 + MOST_AXES:
            return None
        if any(part.axis < 0 for axis in view.axes[1:] for part in axis):
            return self._spread(view, span)
        shape = view.shape[1:]
        layer = view.layer
        if plain(layer, self.batch).axes == view.axes and layer.shape == shape:
            return layer
        return self._kept(("map", layer.index, view.axes), lambda: self._arranged(view, span))

    def settled(self, view: View, span: Span) -> View | None:
        """With all of its map in it: what the tensor leaves out is cut away by layers."""
        strided = self._strided(view, span)
        ranges = None if strided is None else cut(strided)
        if strided is None or ranges is None:
            return self._gathered(view, span)
        view = strided
        layer, shape = view.layer, view.layer.shape
        if ranges == tuple([(0, side) for side in shape]):
            return view
        smaller = self._kept(("cut", layer.index, ranges), lambda: self._cut(layer, ranges, span))
        return None if smaller is None else view.of(smaller)

    def channels_last(self, view: View, axis: int) -> View:
        """The tensor with an axis in the place of the channels, right after the batch."""
        order = [0, axis, *(n for n in range(1, len(view.axes)) if n != axis)]
        return view._replace(axes=tuple([view.axes[n] for n in order]))

    # ---- parts of a map ----

    def _cut(self, layer: Layer, ranges: Sequence[tuple[int, int]], span: Span) -> Layer | None:
        start, stop = ranges[0]
        result: Layer | None = layer
        if (start, stop) != (0, layer.shape[0]):
            result = self._add("slice", [result], span, channels=(start, stop))
        sides = list(zip(ranges[1:], layer.shape[1:], strict=True))
        if any(each != (0, side) for each, side in sides):
            names = (("front", "back"), ("top", "bottom"), ("left", "right"))[-len(sides) :]
            off = {
                name: number
                for both, ((first, last), side) in zip(names, sides, strict=True)
                for name, number in zip(both, (first, side - last), strict=True)
                if number
            }
            result = self._add("crop", [result], span, **off)
        return result

    def _strided(self, view: View, span: Span) -> View | None:
        """Every second pixel along the spatial axes is a pool of windows of one."""
        shape = view.layer.shape
        steps, stops = [1] * axes_of(shape), list(shape)
        for axis in range(1, len(shape)):
            parts = [part for part in view.parts if part.axis == axis]
            least = min([part.step for part in parts], default=1)
            if least > 1:
                steps[axis - 1] = least
        if max(steps, default=1) == 1:
            return view
        ranges = [(0, shape[0])]
        for axis in range(1, len(shape)):
            step, first = steps[axis - 1], view.first[axis]
            count = prod(part.size for part in view.parts if part.axis == axis)
            stop = shape[axis] if step > 1 and not first else first + (count - 1) * step + 1
            ranges.append((first, max(stop, first + 1)) if step > 1 else (0, stops[axis]))
        layer = view.layer
        source = self._kept(
            ("cut", layer.index, tuple(ranges)), lambda: self._cut(layer, ranges, span)
        )
        if source is None:
            return None
        ones = (1,) * len(steps)
        layer_or_none = self._kept(
            ("strided", source.index, tuple(steps)),
            lambda: self._add("pool max", [source], span, kernel=ones, stride=tuple(steps)),
        )
        if layer_or_none is None:
            return None
        moved = tuple(
            [at if axis == 0 or steps[axis - 1] == 1 else 0 for axis, at in enumerate(view.first)]
        )
        axes = [
            merged(
                [
                    part._replace(step=part.step // steps[part.axis - 1]) if part.axis > 0 else part
                    for part in axis
                ]
            )
            for axis in view.axes
        ]
        return View(layer_or_none, tuple(axes), moved)

    def _gathered(self, view: View, span: Span) -> View | None:
        """Channels that lie apart, as the queries of each head do, are brought together first."""
        channels = view.layer.shape[0]
        own = sorted([part for part in view.parts if part.axis == 0], reverse=True)
        if min(view.first) < 0 or len(view.first) < 2:
            return None
        if len(own) == 2 and own[0].step * own[0].size == channels and own[1].step == 1:
            return self._of_each_block(view, own, span)
        digits = _digits(channels, own)
        if digits is None or view.layer.shape[1:] == ():
            return None
        kept = [digit for digit in digits if digit in own]
        gone = [digit for digit in digits if digit not in own]
        base = view.first[0]
        start = 0
        for digit in digits:
            at, base = divmod(base, digit.step)
            if digit in own and at:
                return None
            if digit in gone:
                start = start * digit.size + at
        inside = prod(part.size for part in kept)
        order = (*gone, *kept)
        places = [Part(n, 1, side) for n, side in enumerate(view.layer.shape) if n]
        axes = (merged([Part(BATCH, 1, self.batch)]), merged(order), *(merged([p]) for p in places))
        sorted_layer = self.map_of(View(view.layer, axes, (0,) * len(view.first)), span)
        if sorted_layer is None:
            return None
        step, moved = inside, {}
        for digit in kept:
            step //= digit.size
            moved[digit] = digit._replace(step=step)
        first = (start * inside, *view.first[1:])
        again = [merged([moved.get(part, part) for part in axis]) for axis in view.axes]
        return self.settled(View(sorted_layer, tuple(again), first), span)

    def _of_each_block(self, view: View, own: Sequence[Part], span: Span) -> View | None:
        """The same channels of each block of channels, as the keys of each head are."""
        layer, (blocks, inside) = view.layer, own
        block, first, *sides = blocks.step, view.first[0], *layer.shape[1:]
        after = block - first - inside.size
        if after < 0:
            return None
        key = ("blocks", layer.index, blocks, inside, first)

        def made() -> Layer | None:
            filters = layer.op.word == "conv" and layer.weights
            if filters and getattr(layer.op, "groups", 1) == 1:
                return self._some_filters(layer, blocks, inside, first)
            apart = self._reshaped(layer, (blocks.size, block, prod(sides)), span)
            if apart is None:
                return None
            off = {name: n for name, n in (("top", first), ("bottom", after)) if n}
            cropped = self._add("crop", [apart], span, **off) if off else apart
            if cropped is None:
                return None
            return self._reshaped(cropped, (blocks.size * inside.size, *sides), span)

        result = self._kept(key, made)
        if result is None:
            return None
        moved = blocks._replace(step=inside.size)
        axes = [merged([moved if p == blocks else p for p in axis]) for axis in view.axes]
        return self.settled(View(result, tuple(axes), (0, *view.first[1:])), span)

    def _some_filters(self, layer: Layer, blocks: Part, inside: Part, first: int) -> Layer | None:
        """A convolution with some of the filters of another: nothing is cut out behind it."""
        given = {**layer.op.arguments, "out": blocks.size * inside.size}
        made = self.builder.add("conv", layer.inputs, layer.name, layer.span, **given)
        if made is not None:
            stop = first + inside.size
            weights = {key: Constant(each, "") for key, each in layer.weights.items()}
            chosen = {
                key: known.rows(each, blocks.size, first, stop) for key, each in weights.items()
            }
            self.builder.weigh(made, {key: each.value for key, each in chosen.items()})
        return made

    # ---- another order ----

    def _arranged(self, view: View, span: Span) -> Layer | None:
        layer, shape = view.layer, view.shape[1:]
        parts = view.parts
        groups = _groups(layer.shape, parts)
        if groups == sorted(groups):  # nothing changes places
            if len(shape) == 1:
                return self._add("flatten", [layer], span)
            return self._reshaped(layer, shape, span)
        known = self._known(view, span)
        if known is not None:
            return known
        # `reshape`, `permute`, `reshape`: with the fewest axes that do it.
        raster = sorted(range(len(groups)), key=lambda n: groups[n])
        runs = _runs(raster, [part.size for part in parts])
        if len(runs[0]) > MOST_AXES:
            return None
        sizes, order = runs
        one = self._reshaped(layer, sizes, span)
        if one is None:
            return None
        two = self._add("permute", [one], span, axes=order)
        return None if two is None else self._reshaped(two, shape, span)

    def _known(self, view: View, span: Span) -> Layer | None:
        """A rearrangement that has a name."""
        layer, axes = view.layer, view.axes[1:]
        for word, given in _named(layer.shape, view):
            kind = REGISTRY[word]
            try:
                output = kind.make(**given).on_axes(axes_of(layer.shape)).output(layer.shape)
            except ShapeError:
                continue
            if output == view.shape[1:] and _axes_of(word, given, layer.shape) == axes:
                return self._add(word, [layer], span, **given)
        return None

    def _spread(self, view: View, span: Span) -> Layer | None:
        """One number for each channel, repeated over a map."""
        shape = view.shape[1:]
        once = view._replace(
            axes=tuple([tuple([p for p in axis if p.axis >= -1]) for axis in view.axes])
        )
        layer = self.map_of(once, span)
        if layer is None or axes_of(shape) == 0 or layer.shape[0] != shape[0]:
            return None
        if any(side not in (1, whole_) for side, whole_ in zip(layer.shape, shape, strict=True)):
            return None
        return self._add("upsample", [layer], span, to=shape[1:])

    def _reshaped(self, layer: Layer, shape: Shape, span: Span) -> Layer | None:
        if layer.shape == shape:
            return layer
        return self._add("reshape", [layer], span, to=shape)

    def _kept(self, key: tuple[object, ...], make: object) -> Layer | None:
        if key not in self.known:
            made: Layer | None = make()  # type: ignore[operator]
            if made is None:
                return None
            self.known[key] = made
        return self.known[key]

    def _add(
        self, word: str, inputs: Sequence[Layer | None], span: Span, **given: object
    ) -> Layer | None:
        return self.builder.add(word, inputs, "", span, **given)


def _digits(side: int, own: Sequence[Part]) -> list[Part] | None:
    """An axis divided so that some parts of it are digits of its places; slowest first."""
    edges = {1, side}
    for part in own:
        edges |= {part.step, part.step * part.size}
    ordered = sorted(edges)
    if any(high % low for low, high in pairwise(ordered)):
        return None
    digits = [Part(own[0].axis if own else 0, a, b // a) for a, b in pairwise(ordered)]
    return digits[::-1] if all(part in digits for part in own) else None


def _groups(shape: Shape, parts: Sequence[Part]) -> list[tuple[int, int]]:
    """For each part, where it stands in the map: sorted, they are its order."""
    return [(part.axis, -part.step) for part in parts]


def _runs(raster: Sequence[int], sizes: Sequence[int]) -> tuple[Shape, tuple[int, ...]]:
    """The sizes of the fewest axes of a map, and how they are ordered anew; `raster` has, in the
    order of the map, where each part of it goes."""
    runs: list[list[int]] = []
    for number in raster:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    ordered = sorted(range(len(runs)), key=lambda n: runs[n][0])
    return tuple([prod(sizes[n] for n in run) for run in runs]), tuple(ordered)


def _named(shape: Shape, view: View) -> list[tuple[str, dict[str, object]]]:
    """Layers that might make the shape of a view of another."""
    to = view.shape[1:]
    if len(shape) != len(to) or len(shape) < 2:
        return []
    if shape == to:
        groups = {part.size for part in view.axes[1][-1:]}
        return [("shuffle", {"groups": size}) for size in groups]
    larger, smaller = max(shape[1], to[1]), min(shape[1], to[1])
    given: dict[str, object] = {"block": larger // smaller}
    if larger % smaller or not 2 <= larger // smaller <= 64:
        return []
    if to[1] > shape[1]:
        return [("pixel_shuffle", given), ("depth_to_space", given)]
    return [("pixel_unshuffle", given), ("space_to_depth", given)]


def _axes_of(word: str, given: dict[str, object], shape: Shape) -> tuple[Axis, ...]:
    """What such a layer does, as a view of its input."""
    channels, sides = shape[0], shape[1:]
    spatial = range(1, 1 + len(sides))
    if word == "shuffle":
        groups = int(given["groups"])  # type: ignore[call-overload]
        each = channels // groups
        return (
            merged([Part(0, 1, each), Part(0, each, groups)]),
            *(whole(shape, axis) for axis in spatial),
        )
    block = int(given["block"])  # type: ignore[call-overload]
    count = block ** len(sides)
    if word in ("pixel_unshuffle", "space_to_depth"):
        inside = [Part(axis, 1, block) for axis in spatial]
        own = [Part(0, 1, channels)]
        parts = own + inside if word == "pixel_unshuffle" else inside + own
        return (
            merged(parts),
            *(merged([Part(axis, block, shape[axis] // block)]) for axis in spatial),
        )
    left = channels // count
    together = word == "pixel_shuffle"  # the pixels of a channel
    own = [Part(0, count if together else 1, left)]
    steps = [(1 if together else left) * block ** (len(sides) - axis) for axis in spatial]
    return (
        merged(own),
        *(
            merged([Part(axis, 1, shape[axis]), Part(0, step, block)])
            for axis, step in zip(spatial, steps, strict=True)
        ),
    )


__all__ = ["Arranger", "length"]
