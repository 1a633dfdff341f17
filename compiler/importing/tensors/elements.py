"""What is computed element by element: activations, sums and products of maps, learned and constant
numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .attention import with_scores
from .composer import Composer, Unsayable, Value, once, says
from .known import computed, number_of, permuted, reshaped
from .program import Call, Constant
from .views import BATCH, REPEATED, Part, View, length, merged


@says(
    "relu", "relu6", "selu", "mish", "sigmoid", "tanh", "hardsigmoid", "hardswish", "silu", "abs",
    "leaky_relu", "elu", "gelu", "softplus", "softsign",
)  # fmt: skip
def _activation(to: Composer, call: Call, x: Value) -> View:
    word = "leaky" if call.function == "leaky_relu" else call.function
    return to.by_element(x, word, **call.settings)


@says("prelu")
def _prelu(to: Composer, call: Call, x: Value, weight: Value) -> View:
    if not isinstance(weight, Constant):
        raise Unsayable("its slopes are computed from the input")
    if prod(weight.shape) == 1:
        view = to.settled(x)
        layer = to.add("prelu", view.layer)
    else:
        view = to.by_channel(x, 1)
        layer = to.add("prelu", view.layer, per="channel")
    to.weigh(layer, weight=weight)
    return view.of(layer)


@says("clamp")
def _clamp(to: Composer, call: Call, x: Value) -> View:
    low, high = call.settings["low"], call.settings["high"]
    if low is None or high is None or low >= high:
        raise Unsayable("it limits numbers at one side")
    # relu6 of another range.
    factor = (high - low) / 6
    steps = [("offset_by", {"offset": float(-low)})] if low else []
    steps += [("scale_by", {"factor": 1 / factor})] if factor != 1 else []
    steps += [("relu6", {})]
    steps += [("scale_by", {"factor": factor})] if factor != 1 else []
    steps += [("offset_by", {"offset": float(low)})] if low else []
    view = to.settled(x)
    layer = view.layer
    for word, given in steps:
        layer = to.add(word, layer, **given)
    return view.of(layer)


@says("pow")
def _pow(to: Composer, call: Call, x: Value, exponent: Value = None) -> View:
    given = call.settings.get("exponent", exponent)
    power = number_of(given)
    if power == 1 and isinstance(x, View):
        return x
    if power != 2:
        raise Unsayable("of powers, the language has the square")
    return to.by_element(x, "square")


@says("neg")
def _neg(to: Composer, call: Call, x: Value) -> View:
    return to.by_element(x, "scale_by", factor=-1.0)


@says("dropout", "dropout2d", "droppath")
def _dropout(to: Composer, call: Call, x: Value) -> Value:
    p = call.settings["p"]
    return to.by_element(x, call.function, p=p) if p else x


@says("add", "sub", scores=True)
def _add(to: Composer, call: Call, one: Value, two: Value) -> Value:
    scores = with_scores(call, one, two)
    if scores is not None:
        return scores
    one, two = to.no_scores(one), to.no_scores(two)
    if call.function == "sub":
        if isinstance(two, View):
            two = to.by_element(two, "scale_by", factor=-1.0)
        else:
            two = _negative(two)
    if isinstance(one, View) and isinstance(two, View):
        return _merged(to, call, "add", one, two)
    view, other = (one, two) if isinstance(one, View) else (two, one)
    assert isinstance(view, View)
    number = other if isinstance(other, (int, float)) else None
    if number is not None:
        return to.by_element(view, "offset_by", offset=float(number)) if number else view
    assert isinstance(other, Constant)
    return _learned(to, call, view, other, "bias", "bias")


def _negative(value: Value) -> Value:
    if isinstance(value, Constant):
        return computed("neg", value)
    assert isinstance(value, (int, float))
    return -value


@says("mul", "div", scores=True)
def _mul(to: Composer, call: Call, one: Value, two: Value) -> Value:
    if call.function == "div":
        if isinstance(two, Constant):
            two = computed("reciprocal", two)
        elif isinstance(two, (int, float)) and two:
            two = 1 / two
        else:
            raise Unsayable("it divides by what it computes")
    scores = with_scores(call, one, two)
    if scores is not None:
        return scores
    one, two = to.no_scores(one), to.no_scores(two)
    if isinstance(one, View) and isinstance(two, View):
        if one == two:
            return to.by_element(one, "square")
        return _merged(to, call, "mul", one, two)
    view, other = (one, two) if isinstance(one, View) else (two, one)
    assert isinstance(view, View)
    number = other if isinstance(other, (int, float)) else None
    if number is not None:
        return to.by_element(view, "scale_by", factor=float(number)) if number != 1 else view
    assert isinstance(other, Constant)
    small = any(word in other.name.lower() for word in ("gamma", "layer_scale", "layerscale", "ls"))
    word = "layerscale" if small else "scale"
    return _learned(to, call, view, other, word, "gamma" if small else "weight")


@says("maximum")
def _maximum(to: Composer, call: Call, one: Value, two: Value) -> View:
    if isinstance(one, View) and isinstance(two, View):
        return _merged(to, call, "maximum", one, two)
    view, other = (one, two) if isinstance(one, View) else (two, one)
    if not isinstance(other, Constant) or not isinstance(view, View):
        raise Unsayable("it limits numbers at one side")
    axis = _channel_axis(to, view, other)
    layer = to.add("tlu", view.layer)
    to.weigh(layer, tau=_in_order(view, other, axis))
    return view.of(layer)


def _channel_axis(to: Composer, view: View, other: Constant) -> list[int]:
    """The axes of the tensor that a constant has numbers along."""
    shape = (1,) * (len(view.axes) - len(other.shape)) + other.shape
    return [n for n, side in enumerate(shape) if side > 1]


def _learned(to: Composer, call: Call, value: View, other: Constant, word: str, key: str) -> View:
    """A learned number for the layer, for each channel, or for each element."""
    if len(other.shape) > len(value.axes):
        raise Unsayable("it makes a larger tensor by repeating")
    view = to.settled(value)
    along = _channel_axis(to, view, other)
    shape = (1,) * (len(view.axes) - len(other.shape)) + other.shape
    if any(shape[n] != length(view.axes[n]) for n in along):
        raise Unsayable("it makes a larger tensor by repeating")
    if along and along[0] == 0 and view.axes[0] == merged([Part(BATCH, 1, to.batch)]):
        other, along = _of_each_image(other), along[1:]
    parts = [part for n in along for part in view.axes[n]]
    if any(part.axis < 0 for part in parts):
        raise Unsayable("it has numbers for each image")
    axes = {part.axis for part in parts}
    if not axes:
        word = "scale" if word == "layerscale" else word
        layer = to.add(word, view.layer)
        to.weigh(layer, **{"weight" if word == "scale" else key: other})
        return view.of(layer)
    if axes == {0} and length(merged(parts)) == view.layer.shape[0]:
        given = {} if word == "layerscale" else {"per": "channel"}
        layer = to.add(word, view.layer, **given)
        to.weigh(layer, **{key: _in_order(view, other, along)})
        return view.of(layer)
    if word != "bias":
        raise Unsayable("it has a factor for each place")
    if not {n for n, side in enumerate(view.layer.shape) if side > 1} <= axes:
        other = _everywhere(view, other)
        along = [n for n in range(len(view.axes)) if any(p.axis >= 0 for p in view.axes[n])]
    layer = to.add("bias", view.layer, per="element")
    to.weigh(layer, bias=_in_order(view, other, along))
    return view.of(layer)


def _of_each_image(other: Constant) -> Constant:
    """A table that is the same for all images, once."""
    value: Any = other.value
    if not bool((value == value[:1]).all()):
        raise Unsayable("it has other numbers for each image")
    return Constant(value[:1], other.name)


def _everywhere(view: View, other: Constant) -> Constant:
    """A table with all numbers written out."""
    to = [1 if any(part.axis == BATCH for part in axis) else length(axis) for axis in view.axes]
    result = computed("expand", other, to=tuple(to))
    assert result is not None
    return result


def _in_order(view: View, other: Constant, along: Sequence[int]) -> Constant:
    """A table that lies over a tensor, in the order of the map."""
    parts = [part for n in along for part in view.axes[n]]
    apart = reshaped(other, tuple([part.size for part in parts]) or (1,))
    order = sorted(range(len(parts)), key=lambda n: (parts[n].axis, -parts[n].step))
    return permuted(apart, order) if order else apart


def _merged(to: Composer, call: Call, word: str, one: View, two: View) -> View:
    """Two tensors element by element; one of them may be spread over the other."""
    first, second = to.settled(one), to.settled(two)
    first, second = _same_rank(first, second)
    if first.layer.shape == second.layer.shape and first.axes == second.axes:
        return first.of(to.add(word, first.layer, second.layer))
    for large, small in ((first, second), (second, first)):
        if _spreads(large, small):
            layer = to.add(word, first.layer, second.layer)
            if layer.shape == large.layer.shape:
                return large.of(layer)
    layers = [to.map(each) for each in (first, second)]
    layer = to.add(word, *layers)
    return to.plain(layer)


def _same_rank(one: View, two: View) -> tuple[View, View]:
    """Axes of size 1 in front, as broadcasting has them."""
    rank = max(len(one.axes), len(two.axes))
    first, second = (
        each._replace(axes=((),) * (rank - len(each.axes)) + each.axes) for each in (one, two)
    )
    return first, second


def _spreads(large: View, small: View) -> bool:
    """Whether the map of a view is spread over another, in our sense and in that of tensors."""
    one, two = large.layer.shape, small.layer.shape
    if len(two) not in (1, len(one)) or (len(two) == 1 and two != one[:1]):
        return False
    two = two + (1,) * (len(one) - len(two))
    if any(side not in (1, whole_) for side, whole_ in zip(two, one, strict=True)):
        return False
    kept = {n for n, (a, b) in enumerate(zip(two, one, strict=True)) if a == b}
    clean = [tuple([part for part in axis if part.axis != REPEATED]) for axis in small.axes]
    wanted = [
        merged([part for part in axis if part.axis in kept or part.axis == BATCH])
        for axis in large.axes
    ]
    return clean == wanted and once(large)
