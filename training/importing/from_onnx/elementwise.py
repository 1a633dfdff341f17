"""Operators that work on each number alone, and on two tensors number by number."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy

from ....compiler.importing.tensors.program import Call, Constant, Operand
from .layout import CannotSay, Flat, Held, Last, Value, broadcast, first, last, moved
from .onnx_nodes import Node
from .onnx_reader import Reader, reads

UNARY = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hardswish", "Mish": "mish",
    "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Neg": "neg", "Abs": "abs",
    "Reciprocal": "reciprocal", "Erf": "erf", "Sin": "sin", "Cos": "cos",
}  # fmt: skip
_FLOATS = (1, 10, 11, 16)


def unary(reader: Reader, value: Value | None, function: str, **settings: Any) -> Value:
    """A call on each number, whatever the order of the axes."""
    if isinstance(value, (Last, Flat)):
        base = value.call
        return type(value)(reader.call(function, [base], base.shape, **settings))
    call = reader.tensor(value)
    return reader.call(function, [call], call.shape, **settings)


@reads(*UNARY)
def read_unary(reader: Reader, node: Node, args: list[Any]) -> Value:
    return unary(reader, args[0], UNARY[node.op])


@reads("Identity", "Cast", "CastLike")
def read_identity(reader: Reader, node: Node, args: list[Any]) -> Value:
    to = node.get("to", 1)
    if node.op == "Cast" and to not in _FLOATS and to not in (b"FLOAT", b"FLOAT16", b"DOUBLE"):
        raise CannotSay("it makes whole numbers of the numbers")
    result: Value = args[0]
    return result


@reads("Dropout")
def read_dropout(reader: Reader, node: Node, args: list[Any]) -> Value:
    ratio = reader.number(args[1]) if len(args) > 1 else None
    p = float(plain(node.get("ratio", 0.5)) or 0.0) if ratio is None else ratio
    return unary(reader, args[0], "dropout", p=p)


@reads("LeakyRelu")
def read_leaky(reader: Reader, node: Node, args: list[Any]) -> Value:
    return unary(reader, args[0], "leaky_relu", slope=plain(node.get("alpha", 0.01)))


@reads("Elu", "Celu")
def read_elu(reader: Reader, node: Node, args: list[Any]) -> Value:
    alpha = plain(node.get("alpha", 1.0))
    if node.op == "Celu" and alpha != 1:
        raise CannotSay("the language has it with alpha=1 only, as `elu`")
    return unary(reader, args[0], "elu", alpha=alpha)


@reads("Selu")
def read_selu(reader: Reader, node: Node, args: list[Any]) -> Value:
    alpha, gamma = node.get("alpha", 1.6732632), node.get("gamma", 1.0507010)
    if abs(alpha - 1.6732632) > 2e-3 or abs(gamma - 1.0507010) > 2e-3:
        raise CannotSay("its numbers are not those of the paper")
    return unary(reader, args[0], "selu")


@reads("Gelu")
@reads("Gelu", "FastGelu", "BiasGelu", domain="com.microsoft")
def read_gelu(reader: Reader, node: Node, args: list[Any]) -> Value:
    value = args[0]
    if len(args) > 1:
        value = binary(reader, "add", value, args[1])
    approximate = "tanh" if node.op == "FastGelu" else node.word("approximate", "none")
    return unary(reader, value, "gelu", approximate=approximate)


@reads("QuickGelu", domain="com.microsoft")
def read_quick_gelu(reader: Reader, node: Node, args: list[Any]) -> Value:
    alpha = Held(numpy.float32(node.get("alpha", 1.702)))
    if float(alpha.value) == 1.0:
        return unary(reader, args[0], "silu")
    gate = unary(reader, binary(reader, "mul", args[0], alpha), "sigmoid")
    return binary(reader, "mul", args[0], gate)


@reads("Swish")
def read_swish(reader: Reader, node: Node, args: list[Any]) -> Value:
    alpha = float(node.get("alpha", 1.0))
    if alpha == 1:
        return unary(reader, args[0], "silu")
    gate = unary(reader, binary(reader, "mul", args[0], Held(numpy.float32(alpha))), "sigmoid")
    return binary(reader, "mul", args[0], gate)


@reads("Softplus")
def read_softplus(reader: Reader, node: Node, args: list[Any]) -> Value:
    return unary(reader, args[0], "softplus", beta=1.0, threshold=20.0)


@reads("Softsign")
def read_softsign(reader: Reader, node: Node, args: list[Any]) -> Value:
    below = binary(reader, "add", unary(reader, args[0], "abs"), Held(numpy.float32(1)))
    return binary(reader, "div", args[0], below)


@reads("HardSigmoid")
def read_hard_sigmoid(reader: Reader, node: Node, args: list[Any]) -> Value:
    alpha, beta = float(node.get("alpha", 0.2)), float(node.get("beta", 0.5))
    if abs(alpha - 1 / 6) < 1e-5 and beta == 0.5:
        return unary(reader, args[0], "hardsigmoid")
    scaled = binary(reader, "mul", args[0], Held(_plain(alpha)))
    line = binary(reader, "add", scaled, Held(_plain(beta)))
    return unary(reader, line, "clamp", low=0.0, high=1.0)


def _plain(number: float) -> Any:
    """A number as it was written, before it became one of 32 bits."""
    return numpy.float64(str(numpy.float32(number)))


def plain(number: float | None) -> float | None:
    return None if number is None else float(_plain(number))


@reads("Clip")
def read_clip(reader: Reader, node: Node, args: list[Any]) -> Value:
    low = reader.number(args[1]) if len(args) > 1 else node.get("min")
    high = reader.number(args[2]) if len(args) > 2 else node.get("max")
    low = None if low is None or low < -3e38 else plain(low)
    high = None if high is None or high > 3e38 else plain(high)
    if low is None and high is None:
        result: Value = args[0]
        return result
    if low == 0 and high is None:
        return unary(reader, args[0], "relu")
    if low == 0 and high == 6:
        return unary(reader, args[0], "relu6")
    return unary(reader, args[0], "clamp", low=low, high=high)


@reads("PRelu")
def read_prelu(reader: Reader, node: Node, args: list[Any]) -> Value:
    slope = reader.weight(args[1], "its slopes")
    value = args[0]
    if isinstance(value, Last):
        rank = len(value.shape)
        own = slope.value.reshape((1,) * (rank - slope.value.ndim) + slope.value.shape)
        slope = slope._replace(value=numpy.transpose(own, first(rank)))
    base = value.call if isinstance(value, Last) else reader.tensor(value)
    channels = base.shape[1]
    shape = (1,) * (len(base.shape) - slope.value.ndim) + slope.shape
    # Some tools leave the axes of the map out: so many slopes as channels.
    along = shape[1:2] == (channels,) and prod(shape) == channels
    if not along and slope.value.size not in (1, channels):
        raise CannotSay("it has a slope of its own at each place")
    if not along and slope.value.size > 1 and slope.value.ndim > 1:
        raise CannotSay("it has slopes along another axis")
    weight = Constant(slope.value.reshape(-1), slope.name)
    made = reader.call("prelu", [base, weight], base.shape)
    return Last(made) if isinstance(value, Last) else made


# ---- of two -------------------------------------------------------------------------------------

BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div"}


@reads(*BINARY)
def read_binary(reader: Reader, node: Node, args: list[Any]) -> Value:
    one, other = _old_broadcast(reader, node, args)
    if node.op == "Add":
        joined = _bias(reader, one, other) or _bias(reader, other, one)
        if joined is not None:
            return joined
    return binary(reader, BINARY[node.op], one, other)


def _old_broadcast(reader: Reader, node: Node, args: list[Any]) -> list[Any]:
    """The operands, aligned as versions before the seventh say it."""
    one, other = args
    if reader.opset >= 7 or not node.get("broadcast") or not isinstance(other, Held):
        return args
    rank, own = len(one.shape), len(other.shape)
    axis = node.get("axis", rank - own)
    axis += rank if axis < 0 else 0
    value = other.value.reshape(other.shape + (1,) * max(0, rank - axis - own))
    return [one, other._replace(value=value)]


def binary(reader: Reader, function: str, one: Value | None, other: Value | None) -> Value:
    """A call on two tensors of shapes that fit."""
    if isinstance(one, Flat) and _single(other):
        assert isinstance(other, Held)
        made = reader.call(function, [one.call, reader.constant(other)], one.call.shape)
        return Flat(made)
    pair = [one, other]
    if any(isinstance(each, Last) for each in pair):
        turned = _all_first(reader, pair)
        if turned is not None:
            shapes = [_shape(each) for each in turned]
            return Last(reader.call(function, turned, broadcast(*shapes)))
    operands = [reader.operand(each) for each in pair]
    return reader.call(function, operands, broadcast(*[_shape(each) for each in operands]))


def _single(value: Value | None) -> bool:
    return isinstance(value, Held) and value.value.size == 1 and not value.learned


def _shape(operand: Operand) -> tuple[int, ...]:
    return operand.shape if isinstance(operand, (Call, Constant)) else ()


def _all_first(reader: Reader, values: Sequence[Value | None]) -> list[Operand] | None:
    """Operands that are maps with their channels last, with their channels first; None if one of
    them really is in the order that it has in the file."""
    rank = max(len(each.shape) for each in values if each is not None)
    found: list[Operand] = []
    for each in values:
        if isinstance(each, Last):
            if len(each.shape) < rank:
                return None
            found.append(each.call)
        elif isinstance(each, Held):
            if _single(each):
                found.append(reader.constant(each))
                continue
            value = each.value.reshape((1,) * (rank - each.value.ndim) + each.shape)
            value = numpy.transpose(value, first(rank))
            while value.ndim > 1 and value.shape[0] == 1:
                value = value[0]
            found.append(Constant(value, each.name))
        elif isinstance(each, Call) and len(each.shape) == rank:
            wide = [axis for axis in first(rank) if each.shape[axis] > 1]
            if wide != sorted(wide):
                return None
            found.append(reader.permuted(each, first(rank)))
        else:
            return None
    return found


def _bias(reader: Reader, value: Value | None, bias: Value | None) -> Value | None:
    """Joins a sum with the layer before it, whose bias it is."""
    if not isinstance(bias, Held) or not isinstance(value, (Call, Last)):
        return None
    call = value.call if isinstance(value, Last) else value
    if call.function not in ("conv", "deconv", "linear") or call.operands[2] is not None:
        return None
    if call.index in reader.shared:
        return None
    rank = len(call.shape)
    added = bias.value
    if added.ndim > rank or (added.size == 1 and not bias.learned):
        return None
    added = added.reshape((1,) * (rank - added.ndim) + added.shape)
    if isinstance(value, Last):
        added = numpy.transpose(added, first(rank))
    axis = rank - 1 if call.function == "linear" else 1
    if added.shape[axis] != call.shape[axis] or added.size != call.shape[axis]:
        return None
    call.operands = (*call.operands[:2], Constant(added.reshape(-1), bias.name))
    return value


@reads("Sum", "Mean", "Max", "Min")
def read_many(reader: Reader, node: Node, args: list[Any]) -> Value:
    functions = {"Sum": "add", "Mean": "add", "Max": "maximum", "Min": "minimum"}
    result: Value = args[0]
    for each in args[1:]:
        limit = next((one for one in (result, each) if _single(one)), None)
        if isinstance(limit, Held) and node.op in ("Max", "Min"):
            other = each if limit is result else result
            number = plain(reader.number(limit))
            if node.op == "Max" and number == 0:
                result = unary(reader, other, "relu")
            elif node.op == "Max":
                result = unary(reader, other, "clamp", low=number, high=None)
            else:
                result = unary(reader, other, "clamp", low=None, high=number)
        else:
            result = binary(reader, functions[node.op], result, each)
    if node.op == "Mean" and len(args) > 1:
        return binary(reader, "mul", result, Held(numpy.float64(1 / len(args))))
    return result


@reads("Pow")
def read_pow(reader: Reader, node: Node, args: list[Any]) -> Value:
    exponent = reader.number(args[1])
    return unary(reader, args[0], "pow", exponent=exponent)


@reads("Softmax")
def read_softmax(reader: Reader, node: Node, args: list[Any]) -> Value:
    value = args[0]
    rank = len(value.shape)
    axis = node.get("axis", -1 if reader.opset >= 13 else 1)
    axis += rank if axis < 0 else 0
    if reader.opset < 13 and prod(value.shape[axis:]) != value.shape[axis]:
        # Before the thirteenth version it is over all axes from this one on.
        call = reader.tensor(value)
        flat = reader.reshaped(call, [prod(call.shape[:axis]), prod(call.shape[axis:])])
        made = reader.call("softmax", [flat], flat.shape, axis=1)
        return reader.reshaped(made, call.shape)
    if isinstance(value, Last):
        base = value.call
        return Last(reader.call("softmax", [base], base.shape, axis=last(rank)[axis]))
    call = reader.tensor(value)
    return reader.call("softmax", [call], call.shape, axis=axis)


@reads("LogSoftmax")
def read_log_softmax(reader: Reader, node: Node, args: list[Any]) -> Value:
    return unary(reader, read_softmax(reader, node, args), "log")


@reads("Where")
def read_where(reader: Reader, node: Node, args: list[Any]) -> Value:
    """Where all places are decided the same way, that one."""
    condition = args[0]
    if isinstance(condition, Held) and condition.value.size:
        for chosen, at in ((True, 1), (False, 2)):
            value: Value = args[at]
            if bool(condition.value.all() if chosen else not condition.value.any()):
                shape = broadcast(*[each.shape for each in args])
                if tuple(value.shape) == shape:
                    return value
    raise CannotSay("the language has no choice between two maps place by place")


@reads("ImageScaler")
def read_image_scaler(reader: Reader, node: Node, args: list[Any]) -> Value:
    value: Value = args[0]
    scale, bias = float(node.get("scale", 1.0)), list(node.get("bias") or [0.0])
    if scale != 1:
        value = binary(reader, "mul", value, Held(_plain(scale)))
    if any(bias):
        value = binary(
            reader, "add", value, Held(numpy.array(bias, numpy.float32).reshape(-1, 1, 1))
        )
    return value


__all__ = ["binary", "moved", "plain", "unary"]
