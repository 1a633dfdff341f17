"""Activations: layers, and the `activation` that other layers have."""

from __future__ import annotations

from typing import Any

from .call import LAYERS, Call, reads
from .tracer import Value

SAME = {
    "relu": "relu", "relu6": "relu6", "sigmoid": "sigmoid", "tanh": "tanh", "selu": "selu",
    "softplus": "softplus", "softsign": "softsign", "swish": "silu", "silu": "silu", "mish": "mish",
    "hard_silu": "hardswish", "hard_swish": "hardswish", "elu": "elu",
}  # fmt: skip
"""What Keras calls them, and we."""


def activate(call: Call, value: Value, activation: Any) -> Value:
    """The value after an activation, as a layer is configured with it."""
    name, config = _named(activation)
    if name in ("", "linear") or value.layer is None:
        return value
    value = call.settled(value)

    def added(word: str, **given: object) -> Value:
        return value.of(call.add(word, value.layer, **given))

    if name in SAME:
        return added(SAME[name])
    match name:
        case "softmax":
            return softmax(call, value, -1)
        case "gelu":
            return added("gelu", **({"approximate": "tanh"} if config.get("approximate") else {}))
        case "hard_sigmoid" if call.version >= 3:
            return added("hardsigmoid")
        case "hard_sigmoid":  # x/5 + 1/2, and ours is x/6 + 1/2
            return value.of(call.add("hardsigmoid", call.add("scale_by", value.layer, factor=1.2)))
        case "leaky_relu":
            slope = config.get("negative_slope", 0.2)
            return added("leaky", slope=slope if type(slope) is float else 0.2)
        case "LeakyReLU" | "ReLU" | "ELU" | "Softmax" | "PReLU" | "Activation":
            inner = Call(call.tracer, name, config, [value], call.owner, call.span, call.version)
            inner.count = call.count
            return LAYERS[name](inner)
    call.tracer.builder.cannot_say(
        f"activation {name[:40]}", "the language has no such activation", call.span, [value.layer]
    )
    return Value(None)


def activated(call: Call, value: Value) -> Value:
    """The value after the activation that the layer is configured with."""
    return activate(call, value, call.settings.get("activation"))


def _named(activation: Any) -> tuple[str, dict[str, Any]]:
    """The name of an activation, and what it is configured with, if it is a layer."""
    if isinstance(activation, str):
        return activation, {}
    if not isinstance(activation, dict):
        return "", {}
    kind, config = activation.get("class_name"), activation.get("config")
    if isinstance(config, str):  # a function of Keras 3
        return config, {}
    return str(kind).rpartition(">")[2], config if isinstance(config, dict) else {}


def softmax(call: Call, value: Value, axis: object) -> Value:
    """Over the channels."""
    value = call.plain(value) if len(value.flat) > 1 else call.settled(value)
    if value.layer is None:
        return value
    if isinstance(axis, list) and len(axis) == 1:
        (axis,) = axis
    if type(axis) is not int or value.axis(axis) is None:
        call.mistake("`axis` is not one of its input's axes")
        return Value(None)
    if value.axis(axis) != 0:
        return call.cannot_say("it works along another axis than the channels")
    return value.of(call.add("softmax", value.layer))


@reads("Activation")
def activation(call: Call) -> Value:
    return activated(call, call.settled())


@reads("Softmax")
def softmax_layer(call: Call) -> Value:
    axis = call.settings.get("axis")
    return softmax(call, call.value, -1 if axis is None else axis)


@reads("ReLU")
def relu(call: Call) -> Value:
    settings, value = call.settings, call.settled()
    slope = settings.number("negative_slope", usual=0.0)
    threshold = settings.number("threshold", usual=0.0)
    most = settings.optional_number("max_value")
    if threshold or (slope and most is not None):
        return call.cannot_say("its threshold, or slope and maximum together")
    if most is None:
        if slope:
            return value.of(call.add("leaky", value.layer, slope=slope))
        return value.of(call.add("relu", value.layer))
    if most == 6:
        return value.of(call.add("relu6", value.layer))
    if most <= 0:
        return call.cannot_say("its maximum is not above 0")
    scaled = call.add("relu6", call.add("scale_by", value.layer, factor=6 / most))
    return value.of(call.add("scale_by", scaled, factor=most / 6))


@reads("LeakyReLU")
def leaky(call: Call) -> Value:
    value = call.settled()
    slope = call.settings.number("negative_slope", "alpha", usual=0.3)
    return value.of(call.add("leaky", value.layer, slope=slope))


@reads("ELU")
def elu(call: Call) -> Value:
    value = call.settled()
    return value.of(call.add("elu", value.layer, alpha=call.settings.number("alpha", usual=1.0)))


@reads("PReLU")
def prelu(call: Call) -> Value:
    value = call.settled()
    if value.layer is None:
        return value
    shape = value.keras_shape
    shared = call.settings.get("shared_axes") or []
    if not isinstance(shared, list) or any(type(axis) is not int for axis in shared):
        call.mistake("`shared_axes` is not a list of axes")
        return Value(None)
    kept = {value.axis(axis + 1) for axis in range(len(shape))} - {
        value.axis(axis) for axis in shared
    }
    slopes = tuple([1 if axis + 1 in shared else n for axis, n in enumerate(shape)])
    if kept - {0} and any(value.shape[axis] > 1 for axis in kept if axis):
        return call.cannot_say("it has a slope for each place (`shared_axes` says which share one)")
    per = "channel" if 0 in kept else "layer"
    result = call.add("prelu", value.layer, per=per)
    call.store(result, "weight", "alpha", slopes, flat=value.flat if per == "channel" else ())
    return value.of(result)
