"""Where one map lies on another that has a common origin with it: how far the first row of one is
from the first row of the other, in rows. Caffe's old `Crop` cuts off that much.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .graph import Layer


class Place(NamedTuple):
    """Row x of a map is row `scale * x + shift` of another, along each axis."""

    scale: tuple[Fraction, ...]
    shift: tuple[Fraction, ...]


def offsets(of: Layer, to: Layer) -> tuple[int, ...] | None:
    """How many rows and columns of the first map lie before the second; None if that is no whole
    number, or they do not lie on one another."""
    places = dict(_back(of))
    for layer, there in _back(to):
        here = places.get(layer)
        if here is not None:
            if here.scale != there.scale:
                return None
            found = [
                (second - first) / step
                for first, second, step in zip(here.shift, there.shift, here.scale, strict=True)
            ]
            whole = all(each.denominator == 1 and each >= 0 for each in found)
            return tuple([int(each) for each in found]) if whole else None
    return None


def _back(layer: Layer) -> list[tuple[Layer, Place]]:
    """Each map that it comes from, by way of first inputs, and its place there."""
    axes = len(layer.shape) - 1
    place = Place((Fraction(1),) * axes, (Fraction(0),) * axes)
    found = [(layer, place)]
    while layer.inputs:
        step = _step(layer)
        if step is None:
            break
        pairs = list(zip(step.scale, step.shift, place.scale, place.shift, strict=True))
        place = Place(
            tuple([outer * inner for outer, _, inner, _ in pairs]),
            tuple([outer * shift + own for outer, own, _, shift in pairs]),
        )
        layer = layer.inputs[0]
        found.append((layer, place))
    return found


def _step(layer: Layer) -> Place | None:
    """A row of a layer as one of its input."""
    op: Any = layer.op
    before = layer.inputs[0].shape
    axes = len(before) - 1
    if len(layer.shape) != len(before) or not axes:
        return None
    if op.word == "crop":
        starts = [start or 0 for start in op.starts(axes)]
        return Place((Fraction(1),) * axes, tuple([Fraction(start) for start in starts]))
    if "kernel" not in op.fields or op.kernel is None:
        same = layer.shape[1:] == before[1:]
        return Place((Fraction(1),) * axes, (Fraction(0),) * axes) if same else None
    steps = op.stride or op.kernel
    centers = [
        Fraction(rate * (kernel - 1), 2)
        for kernel, rate in zip(op.kernel, op.dilation, strict=True)
    ]
    if op.word == "deconv":
        pads = [op.padding(axis)[0] for axis in range(axes)]
        return Place(
            tuple([Fraction(1, step) for step in steps]),
            tuple(
                [
                    -(center - pad) / step
                    for center, pad, step in zip(centers, pads, steps, strict=True)
                ]
            ),
        )
    pads = [first for first, _ in op.sides(before)]
    return Place(
        tuple([Fraction(step) for step in steps]),
        tuple([center - pad for center, pad in zip(centers, pads, strict=True)]),
    )
