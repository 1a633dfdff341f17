"""Layers that merge several values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...shapes import axes_of
from ..graph import Result
from .call import Call, reads
from .tracer import Value


def together(call: Call, values: Sequence[Value]) -> list[Value]:
    """Values in one layout, with vectors beside maps as Keras spreads them."""
    values = [call.settled(value) for value in values]
    if any(value.layer is None for value in values):
        return values
    if len({value.flat for value in values}) > 1:
        values = [call.plain(value) for value in values]
    maps = [value for value in values if value.layer and axes_of(value.layer.shape)]
    first = maps[0].first if maps else values[0].first
    return [call.tracer.laid(value, first, call.name, call.span) for value in values]


def elementwise(call: Call, word: str, values: Sequence[Value]) -> Value:
    """A sum, product or maximum, of maps or of a map and one number for each channel."""
    values = together(call, values)
    layers = [value.layer for value in values]
    if len(values) == 1:
        return values[0]
    present = [layer for layer in layers if layer is not None]
    if len(present) < len(layers):
        return Value(call.add(word, *layers))
    shapes = [layer.shape for layer in present]
    wide = max(shapes, key=len)
    mixed = len({*map(len, shapes)}) > 1
    largest = tuple(map(max, zip(*[s for s in shapes if len(s) == len(wide)], strict=True)))
    result_like = next(v for v in values if v.layer and len(v.layer.shape) == len(wide))
    if mixed and (result_like.first or any(1 < len(shape) < len(wide) for shape in shapes)):
        return call.cannot_say("its inputs have different numbers of axes")
    if len({*shapes}) > 1 and word == "maximum":
        return call.cannot_say("the maximum of maps of different shapes")
    if word == "mul" and len(present) == 2:
        for one, other in (present, present[::-1]):
            if other.op.word == "hardsigmoid" and other.inputs[0] is one:
                return result_like.of(call.add("hardswish", one))
    if len({*shapes}) > 1 and word == "mul":
        layers = [_vector(layer, largest) for layer in layers]
    return result_like.of(call.add(word, *layers))


def _vector(layer: Result, largest: tuple[int, ...]) -> Result:
    """One number for each channel as a vector, if it was one before a reshape."""
    if (
        layer is not None
        and layer.op.word == "reshape"
        and max(layer.shape[1:]) == 1 < len(largest)
    ):
        (source,) = layer.inputs
        if source.shape == layer.shape[:1]:
            return source
    return layer


def _only(call: Call, word: str) -> Value:
    return elementwise(call, word, call.inputs)


@reads("Add")
def add(call: Call) -> Value:
    return _only(call, "add")


@reads("Multiply")
def multiply(call: Call) -> Value:
    return _only(call, "mul")


@reads("Maximum")
def maximum(call: Call) -> Value:
    return _only(call, "maximum")


@reads("Minimum")
def minimum(call: Call) -> Value:
    """The negative of the maximum of the negatives."""
    values = [_times(call, value, -1.0) for value in together(call, call.inputs)]
    return _times(call, elementwise(call, "maximum", values), -1.0)


@reads("Average")
def average(call: Call) -> Value:
    return _times(call, _only(call, "add"), 1 / len(call.inputs))


@reads("Subtract")
def subtract(call: Call) -> Value:
    if len(call.inputs) != 2:
        call.mistake("it does not have two inputs")
        return Value(None)
    return elementwise(call, "add", [call.inputs[0], _times(call, call.inputs[1], -1.0)])


def _times(call: Call, value: Value, factor: float) -> Value:
    value = call.settled(value)
    return value.of(call.add("scale_by", value.layer, factor=factor))


@reads("CustomScaleLayer")
def scaled_sum(call: Call) -> Value:
    """Of Keras' Inception-ResNet: the first input, and the second times a factor."""
    if len(call.inputs) != 2:
        call.mistake("it does not have two inputs")
        return Value(None)
    scale = call.settings.number("scale", usual=1.0)
    return elementwise(call, "add", [call.inputs[0], _times(call, call.inputs[1], scale)])


@reads("Concatenate")
def concatenate(call: Call) -> Value:
    axis = call.settings.get("axis")
    return joined(call, call.inputs, -1 if axis is None else axis)


def joined(call: Call, inputs: Sequence[Value], axis: Any) -> Value:
    """Values side by side along one of Keras' axes."""
    values = [call.settled(value) for value in inputs]
    layers = [value.layer for value in values]
    present = [layer for layer in layers if layer is not None]
    if len(present) < len(layers):
        return Value(call.add("concat", *layers))
    axes = axes_of(present[0].shape)
    if any(axes_of(layer.shape) != axes for layer in present):
        call.mistake("its inputs have different numbers of axes")
        return Value(None)
    if not axes:
        flat = tuple([part for value in values for part in (value.flat or (value.keras_shape,))])
        whole = Value(None, values[0].first, flat if any(len(s) > 1 for s in flat) else ())
    else:
        values = together(call, values)
        layers = [value.layer for value in values]
        whole = values[0]
    at = values[0].axis(axis) if type(axis) is int else None
    if at is None:
        call.mistake("`axis` is not one of its inputs' axes")
        return Value(None)
    if len(layers) == 1:
        return whole.of(layers[0])
    if at == 0:
        return whole.of(call.add("concat", *layers))
    order = list(range(axes + 1))
    order[0], order[at] = at, 0
    tracer = call.tracer
    swapped = [tracer.permuted(layer, tuple(order), call.name, call.span) for layer in layers]
    side = call.add("concat", *swapped)
    return whole.of(tracer.permuted(side, tuple(order), call.name, call.span))


@reads("Merge")
def merge(call: Call) -> Value:
    """Of Keras 1."""
    mode = call.settings.text("mode", usual="sum")
    match mode:
        case "concat":
            return joined(
                call,
                call.inputs,
                call.settings.whole("concat_axis", usual=1)
                if call.settings.get("concat_axis") not in (-1, None)
                else -1,
            )
        case "sum" | "ave":
            result = _only(call, "add")
            return _times(call, result, 1 / len(call.inputs)) if mode == "ave" else result
        case "mul":
            return _only(call, "mul")
        case "max":
            return _only(call, "maximum")
    return call.cannot_say(f"it merges by `{mode[:20]}`")
