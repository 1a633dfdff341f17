"""Operations of a functional model that are not layers: `x * 2`, `tf.nn.relu(x)`. Keras 2 calls
them TFOpLambda, Keras 3 by their own names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...shapes import axes_of
from .activations import SAME, activate
from .call import Call
from .merging import elementwise, joined
from .shapes import reshaped
from .tracer import Value

_NAMES = {
    "addv2": "add", "__add__": "add", "iadd": "add",
    "mul": "multiply", "__mul__": "multiply",
    "sub": "subtract", "__sub__": "subtract",
    "truediv": "divide",
    "realdiv": "divide", "true_divide": "divide", "truedivide": "divide", "div": "divide",
    "reduce_mean": "mean", "reduce_max": "max", "amax": "max", "concat": "concatenate",
    "neg": "negative", "identity": "identity", "stop_gradient": "identity", "cast": "identity",
    "get_item": "getitem",
}  # fmt: skip
"""What other versions call the same."""
_FURTHER = ("gelu", "hard_sigmoid", "leaky_relu", "softmax")
_OF_TWO = ("add", "multiply", "subtract", "divide", "maximum", "minimum")
KNOWN = {*_OF_TWO, *_FURTHER, *SAME, *"negative square abs mean max reshape getitem".split()}


def plain_name(name: str) -> str:
    """`add` of `__operators__.add`, `tf.math.add`, `AddV2`."""
    word = name.rpartition(".")[2].rpartition(">")[2].lower()
    return _NAMES.get(word, word)


def function(call: Call, name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Value:
    """The value of a function of values and constants."""
    word = plain_name(name)
    operands = [*args, *[kwargs[k] for k in ("y", "x2", "b", "other") if k in kwargs]]
    if word in _OF_TWO:
        return _arithmetic(call, word, operands[:2])
    values = [each for each in operands if isinstance(each, Value)]
    if word == "concatenate" and operands and isinstance(operands[0], list):
        parts = [each for each in operands[0] if isinstance(each, Value)]
        axis = kwargs.get("axis", operands[1] if len(operands) > 1 else -1)
        return joined(call, parts, axis)
    if not values:
        return call.cannot_say("it reads no map")
    value = values[0]
    call.inputs = [value]
    if word == "identity":
        return value
    if word == "relu":
        call.settings.config = {
            key: kwargs.get(key) for key in ("max_value", "negative_slope", "threshold")
        }
        from .activations import relu

        return relu(call)
    if word in SAME or word in _FURTHER:
        return activate(call, value, {"class_name": word, "config": kwargs})
    if word == "negative":
        return value.of(call.add("scale_by", call.settled().layer, factor=-1.0))
    if word in ("square", "abs", "absolute"):
        return value.of(call.add("abs" if word[0] == "a" else word, call.settled().layer))
    if word in ("mean", "max"):
        return _over_places(call, word, kwargs, operands)
    if word == "reshape":
        shape = kwargs.get("shape", kwargs.get("newshape", operands[1:2] and operands[1]))
        if isinstance(shape, list) and shape and all(type(n) is int for n in shape[1:]):
            return reshaped(call, call.settled(), shape[1:])
    return call.cannot_say("the language has no such operation")


def _constant(operand: Any) -> float | None:
    while isinstance(operand, list) and len(operand) == 1:
        (operand,) = operand
    return float(operand) if type(operand) in (int, float) else None


def _arithmetic(call: Call, word: str, operands: Sequence[Any]) -> Value:
    if len(operands) < 2:
        return call.cannot_say("it has one operand")
    one, two = operands
    call.inputs = [each for each in operands if isinstance(each, Value)]
    if isinstance(one, Value) and isinstance(two, Value):
        return _of_two(call, word, one, two)
    value, number = (one, _constant(two)) if isinstance(one, Value) else (two, _constant(one))
    if not isinstance(value, Value) or number is None:
        return call.cannot_say("it has a constant of several numbers")
    value = call.settled(value)
    if word == "add":
        return _offset(call, value, number)
    if word == "multiply":
        return _scaled(call, value, number)
    if word == "divide" and value is not two and number:
        return _scaled(call, value, 1 / number)
    if word == "subtract" and isinstance(one, Value):
        return _offset(call, value, -number)
    if word == "subtract":
        return _offset(call, _scaled(call, value, -1.0), number)
    return call.cannot_say("the language has no such operation")


def _of_two(call: Call, word: str, one: Value, two: Value) -> Value:
    if word in ("add", "maximum"):
        return elementwise(call, word, [one, two])
    if word == "multiply":
        return elementwise(call, "mul", [one, two])
    if word == "subtract":
        return elementwise(call, "add", [one, _scaled(call, call.settled(two), -1.0)])
    return call.cannot_say("the language has no such operation of two maps")


def _offset(call: Call, value: Value, number: float) -> Value:
    return value.of(call.add("offset_by", value.layer, offset=number)) if number else value


def _scaled(call: Call, value: Value, number: float) -> Value:
    layer = value.layer
    if layer is not None and layer.op.word == "relu6" and abs(6 * number - 1) < 1e-6:
        (before,) = layer.inputs
        if before.op.word == "offset_by" and before.op.arguments["offset"] == 3:
            return value.of(call.add("hardsigmoid", before.inputs[0]))
    return value.of(call.add("scale_by", layer, factor=number)) if number != 1 else value


def _over_places(call: Call, word: str, kwargs: dict[str, Any], operands: Sequence[Any]) -> Value:
    """The mean or maximum over all places of a map."""
    value = call.settled()
    if value.layer is None:
        return value
    axes = kwargs.get("axis", operands[1] if len(operands) > 1 else None)
    several = axes if isinstance(axes, list) else [axes]
    ours = {value.axis(axis) for axis in several if type(axis) is int}
    if ours != {*range(1, axes_of(value.layer.shape) + 1)} or not ours:
        return call.cannot_say("it is not over all places of a map")
    pooled = call.add(f"pool {'avg' if word == 'mean' else word}", value.layer, **{"global": True})
    if kwargs.get("keepdims"):
        return value.of(pooled)
    return value.of(call.add("flatten", pooled))
