"""Layers that give a map another shape or size."""

from __future__ import annotations

import math

from ...ops.padding import Sides
from ...shapes import Shape, axes_of, size
from .call import Call, reads
from .tracer import Value, flat_of


@reads("Flatten")
def flatten(call: Call) -> Value:
    value = call.laid(first=False) if call.first != call.value.first else call.settled()
    if value.layer is None or not axes_of(value.layer.shape):
        return value
    # Since Keras 2, `channels_first` says that the channels are put last before.
    last = not value.first or call.settings.text("data_format") == "channels_first"
    flat = flat_of(value.layer.shape) if last else ()
    result = call.tracer.reshaped(value.layer, (size(value.layer.shape),), call.name, call.span)
    return Value(result, value.first, flat)


@reads("Reshape")
def reshape(call: Call) -> Value:
    wanted = call.settings.get("target_shape", "dims")
    if not isinstance(wanted, list) or any(type(side) is not int for side in wanted):
        call.mistake("its `target_shape` is not a list of whole numbers")
        return Value(None)
    return reshaped(call, call.settled(), wanted)


def reshaped(call: Call, value: Value, wanted: list[int]) -> Value:
    """A value in another of Keras' shapes, in which -1 stands for what is left."""
    if value.layer is None:
        return value
    total = size(value.layer.shape)
    known = math.prod([side for side in wanted if side != -1])
    dims = [total // known if side == -1 and known > 0 else side for side in wanted]
    if not dims or min(dims) < 1 or math.prod(dims) != total or wanted.count(-1) > 1:
        shown = "x".join(map(str, value.keras_shape))
        call.mistake(f"its `target_shape` {wanted} does not hold the {total:,} numbers of {shown}")
        return Value(None)
    if len(dims) > 4:
        return call.cannot_say(f"the shape has {len(dims)} axes, and 4 are the most here")
    tracer, name, span = call.tracer, call.name, call.span
    ours: Shape = tuple(dims) if value.first else (dims[-1], *dims[:-1])
    if value.first:
        return value.of(tracer.reshaped(value.layer, ours, name, span))
    if len(ours) == 1:
        if not axes_of(value.layer.shape):
            return value
        flat = flat_of(value.layer.shape)
        return Value(tracer.reshaped(value.layer, ours, name, span), flat=flat)
    if value.flat in ((), (ours,)) and (value.flat or size(ours[1:]) == 1 or _keeps(value, ours)):
        return Value(tracer.reshaped(value.layer, ours, name, span))
    value = call.plain(value)
    source = value.layer
    if source is None:
        return value
    axes = range(len(source.shape))
    ordered = tracer.permuted(source, (*axes[1:], 0), name, span)
    whole = tracer.reshaped(ordered, tuple(dims), name, span)
    axes = range(len(dims))
    return Value(tracer.permuted(whole, (axes[-1], *axes[:-1]), name, span))


def _keeps(value: Value, ours: Shape) -> bool:
    """Whether the channels stay what they are, and only the places are arranged otherwise."""
    assert value.layer is not None
    shape = value.layer.shape
    return axes_of(shape) > 0 and shape[0] == ours[0]


@reads("Permute")
def permute(call: Call) -> Value:
    value = call.settled()
    dims = call.settings.get("dims")
    if value.layer is None:
        return value
    count = len(value.layer.shape)
    if not isinstance(dims, list) or sorted(map(str, dims)) != sorted(
        str(n) for n in range(1, count + 1)
    ):
        call.mistake(f"its `dims` do not order the {count} axes of its input")
        return Value(None)
    order = value.order
    wanted = [order[dim - 1] for dim in dims]
    # Our axes in the order that Keras has then; the channels may come to stand first or last.
    if wanted == list(range(count)):
        return Value(value.layer, first=True)
    if wanted == [*range(1, count), 0]:
        return Value(value.layer, first=False)
    ours = wanted if value.first else [wanted[-1], *wanted[:-1]]
    return value.of(call.tracer.permuted(value.layer, tuple(ours), call.name, call.span))


@reads("RepeatVector")
def repeat_vector(call: Call) -> Value:
    value = call.plain()
    count = call.settings.whole("n", least=1)
    if value.layer is None:
        return value
    column = call.add("reshape", value.layer, to=(*value.layer.shape, 1))
    return Value(call.add("upsample", column, factor=(count,)))


def _pairs(call: Call, *names: str) -> Sides | None:
    """What is before and behind each axis; None if that is not said."""
    axes = call.axes
    value = call.settings.get(*names)
    if isinstance(value, dict):  # of Keras 1
        sides = ("top_pad", "bottom_pad", "left_pad", "right_pad")
        value = [[value.get(a, 0), value.get(b, 0)] for a, b in (sides[:2], sides[2:])]
    if value is None:
        value = 1
    if axes == 1 and isinstance(value, list) and len(value) == 2:
        value = [value]
    several = value if isinstance(value, list) else [value] * axes
    if axes == 2 and len(several) == 4:  # of Keras 1: top, bottom, left, right
        several = [several[:2], several[2:]]
    pairs = [each if isinstance(each, list) else [each, each] for each in several]
    fits = all(len(pair) == 2 and all(type(n) is int and n >= 0 for n in pair) for pair in pairs)
    if len(pairs) != axes or not fits or max(map(max, pairs)) > 10**6:
        call.mistake(f"`{names[0]}` does not say what is before and behind {axes} axes")
        return None
    return tuple([(pair[0], pair[1]) for pair in pairs])


@reads("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(call: Call) -> Value:
    value = call.map()
    pairs = _pairs(call, "padding")
    if value is None or value.layer is None or pairs is None:
        return Value(None)
    if not any(map(any, pairs)):
        return value
    return call.settled(value)._replace(pads=pairs)


@reads("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(call: Call) -> Value:
    value = call.map()
    pairs = _pairs(call, "cropping")
    if value is None or value.layer is None or pairs is None:
        return Value(None)
    value = call.settled(value)
    names = (("front", "back"), ("top", "bottom"), ("left", "right"))[-len(pairs) :]
    given = {
        side: number
        for both, pair in zip(names, pairs, strict=True)
        for side, number in zip(both, pair, strict=True)
        if number
    }
    return value.of(call.add("crop", value.layer, **given)) if given else value


@reads("UpSampling1D", "UpSampling2D", "UpSampling3D")
def upsampling(call: Call) -> Value:
    value = call.map()
    if value is None or value.layer is None:
        return Value(None)
    value = call.settled(value)
    factor = call.settings.sides(call.axes, "size", "length", usual=2)
    mode = call.settings.text("interpolation", usual="nearest")
    if mode == "nearest":
        return value.of(call.add("upsample", value.layer, factor=factor))
    if mode == "bilinear":
        return value.of(call.add("upsample", value.layer, factor=factor, mode=mode))
    return call.cannot_say(f"its interpolation, {mode[:20]}, is another one here")
