"""Convolutions and linear layers, with their weights and padding."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ...ops.padding import upper_sides
from ...shapes import axes_of
from ..graph import Layer
from .composer import Composer, Unsayable, Value, constant, says
from .known import permuted, reshaped
from .program import Call, Constant, Operand
from .standardized import Standardized, standardized
from .views import BATCH, Part, View, merged, whole


@says("conv")
def _conv(to: Composer, call: Call, x: Value, weight: Value, bias: Value) -> View:
    settings = call.settings
    pad = settings["pad"]
    further: dict[str, Any] = {}
    weights: dict[str, Constant] = {}
    own = call.operands[1]
    made = standardized(own, to.values) if isinstance(own, Call) else None
    if made is not None:
        weight, weights = made.weight, {} if made.gain is None else {"gain": made.gain}
        further = _given_of(made)
    if isinstance(weight, View):
        return _of_experts(to, call, x)
    if not isinstance(weight, Constant):
        raise Unsayable("its filters are computed from the input")
    source = to.map(x)
    out, _, *kernel = weight.shape
    given = {
        "out": out,
        "kernel": tuple(kernel),
        "stride": tuple(settings["stride"]),
        "dilation": tuple(settings["dilation"]),
        "groups": settings["groups"],
        "bias": bias is not None,
        **further,
    }
    source, padding = _padding(to, source, pad, given)
    layer = to.add("conv", source, **given, **padding)
    to.weigh(layer, weight=weight, bias=constant(bias), **weights)
    return to.plain(layer)


def _of_experts(to: Composer, call: Call, x: Value) -> View:
    """`condconv`: filters that are mixed for each image, of which the images of a batch are groups
    of channels."""
    settings = call.settings
    why = "its filters are computed from the input"
    shares, table = _mixed(to, call.operands[1], why)
    filters = call.operands[1]
    images = merged([Part(BATCH, 1, to.batch)])
    if not isinstance(x, View) or not isinstance(filters, Call):
        raise Unsayable(why)
    joined = (*images, *whole(x.layer.shape, 0))
    if x.axes[0] or x.axes[1] != joined or settings["groups"] % to.batch:
        raise Unsayable(why)
    source = to.map(x._replace(axes=(images, whole(x.layer.shape, 0), *x.axes[2:])))
    given: dict[str, Any] = {
        "out": filters.shape[0] // to.batch,
        "kernel": tuple(filters.shape[2:]),
        "stride": tuple(settings["stride"]),
        "dilation": tuple(settings["dilation"]),
        "groups": settings["groups"] // to.batch,
        "bias": call.operands[2] is not None,
        "experts": table.shape[1],
    }
    biases = None
    if call.operands[2] is not None:
        others, biases = _mixed(to, call.operands[2], why)
        if others is not shares:
            raise Unsayable(why)
    source, padding = _padding(to, source, settings["pad"], given)
    layer = to.add("condconv", source, shares, **given, **padding)
    to.weigh(layer, weight=permuted(table, (1, 0)), bias=biases and permuted(biases, (1, 0)))
    view = to.plain(layer)
    return view._replace(axes=((), (*images, *view.axes[1]), *view.axes[2:]))


def _mixed(to: Composer, operand: Operand, why: str) -> tuple[Layer, Constant]:
    """What mixes filters, and those that it mixes: the operands of a linear layer."""
    while isinstance(operand, Call) and operand.function == "reshape":
        (operand,) = operand.operands
    if not isinstance(operand, Call) or operand.function != "linear" or operand.operands[2]:
        raise Unsayable(why)
    shares, table = (
        to.values[id(each)] if isinstance(each, Call) else each for each in operand.operands[:2]
    )
    if not isinstance(shares, View) or not isinstance(table, Constant):
        raise Unsayable(why)
    return to.map(shares), table


def _given_of(made: Standardized) -> dict[str, Any]:
    given: dict[str, Any] = {"standardize": True, "eps": made.eps}
    return given if made.scale is None else {**given, "gain": made.scale}


Pads = Sequence[tuple[int, int]]


def _padding(
    to: Composer, source: Layer, pad: Pads, window: dict[str, Any]
) -> tuple[Layer, dict[str, Any]]:
    """The arguments for a padding; a layer `pad` where there are none."""
    if all(low == high for low, high in pad):
        return source, {"pad": tuple([low for low, _ in pad])}
    if is_upper(source, pad, window):
        return source, {"same_upper": True}
    return padded(to, source, pad), {}


def is_upper(source: Layer, pad: Pads, window: dict[str, Any]) -> bool:
    reaches = [
        dilation * (side - 1) + 1
        for side, dilation in zip(window["kernel"], window["dilation"], strict=True)
    ]
    sides = zip(source.shape[1:], reaches, window["stride"], strict=True)
    return [*map(tuple, pad)] == [upper_sides(*each) for each in sides]


def padded(
    to: Composer, source: Layer, pad: Pads, mode: str = "zeros", value: float = 0.0
) -> Layer:
    """A layer `pad`, and `crop` for negative sides."""
    more = [(max(low, 0), max(high, 0)) for low, high in pad]
    less = [(max(-low, 0), max(-high, 0)) for low, high in pad]
    if any(map(any, less)):
        source = to.add("crop", source, **_by_side(less))
    if not any(map(any, more)):
        return source
    further: dict[str, object] = {"mode": mode}
    if value:
        further["value"] = value
    if all(low == high for low, high in more):
        return to.add("pad", source, by=tuple([low for low, _ in more]), **further)
    return to.add("pad", source, **_by_side(more), **further)


def _by_side(pad: Pads) -> dict[str, object]:
    names = (("front", "back"), ("top", "bottom"), ("left", "right"))[-len(pad) :]
    return {
        name: number
        for both, each in zip(names, pad, strict=True)
        for name, number in zip(both, each, strict=True)
        if number
    }


@says("deconv")
def _deconv(to: Composer, call: Call, x: Value, weight: Value, bias: Value) -> View:
    settings = call.settings
    if not isinstance(weight, Constant):
        raise Unsayable("its filters are computed from the input")
    pad = settings["pad"]
    if any(low != high for low, high in pad):
        raise Unsayable("it cuts off more at one side than at the other")
    layer = to.add(
        "deconv",
        to.map(x),
        out=weight.shape[1] * settings["groups"],
        kernel=tuple(weight.shape[2:]),
        stride=tuple(settings["stride"]),
        dilation=tuple(settings["dilation"]),
        pad=tuple([low for low, _ in pad]),
        output_pad=tuple(settings["output_pad"]),
        groups=settings["groups"],
        bias=bias is not None,
    )
    to.weigh(layer, weight=weight, bias=constant(bias))
    return to.plain(layer)


@says("deform_conv")
def _deform(
    to: Composer, call: Call, x: Value, offset: Value, weight: Value, bias: Value, mask: Value
) -> View:
    settings = call.settings
    pad = settings["pad"]
    if not isinstance(weight, Constant) or any(low != high for low, high in pad):
        raise Unsayable("its filters or its padding are not those of a layer")
    shifts = to.map(offset)
    if mask is not None:
        raise Unsayable("it has a mask that is not made together with its offsets")
    layer = to.add(
        "deform",
        to.map(x),
        shifts,
        out=weight.shape[0],
        kernel=tuple(weight.shape[2:]),
        stride=tuple(settings["stride"]),
        dilation=tuple(settings["dilation"]),
        pad=tuple([low for low, _ in pad]),
        groups=settings["groups"],
        offset_groups=settings["offset_groups"],
        bias=bias is not None,
    )
    to.weigh(layer, weight=weight, bias=constant(bias))
    return to.plain(layer)


@says("linear")
def _linear(to: Composer, call: Call, x: Value, weight: Value, bias: Value) -> View:
    """Of a vector `fc`; at each place of a map a 1x1 convolution."""
    if not isinstance(weight, Constant):
        raise Unsayable("its weights are computed from the input")
    view = to.settled(x)
    out = weight.shape[0]
    everywhere = view.axes[-1] == whole(view.layer.shape, 0) and prod(view.layer.shape[1:]) > 1
    if not everywhere and not prod(view.shape[1:-1]) > 1:
        return _fully_connected(to, view, weight, bias)
    channels = to.by_channel(view, len(view.axes) - 1)
    axes = axes_of(channels.layer.shape)
    kernel = (1,) * axes
    layer = to.add("conv", channels.layer, out=out, kernel=kernel, bias=bias is not None)
    to.weigh(layer, weight=weight, bias=constant(bias))
    replaced = (*channels.axes[:-1], whole(layer.shape, 0))
    return channels.of(layer)._replace(axes=replaced)


def _fully_connected(to: Composer, view: View, weight: Constant, bias: Value) -> View:
    """In whatever order the numbers arrive: that of the weights is changed instead of it."""
    axes, layer = view.axes, view.layer
    own = axes[-1]
    images = merged([Part(BATCH, 1, to.batch)])
    if [axis for axis in axes[:-1] if axis] != [axis for axis in [images] if axis]:
        raise Unsayable("it mixes images of the batch")
    if any(part.axis < 0 for part in own):
        raise Unsayable("it reads numbers that are repeated")
    ordered = sorted(own, key=lambda part: (part.axis, -part.step))
    if [*own] != ordered:
        order = [own.index(part) for part in ordered]
        apart = reshaped(weight, (weight.shape[0], *(part.size for part in own)))
        turned = permuted(apart, (0, *(1 + n for n in order)))
        weight = reshaped(turned, weight.shape)
    if axes_of(layer.shape):
        layer = to.map(View(layer, (images, tuple(ordered)), view.first))
    result = to.add("fc", layer, out=weight.shape[0], bias=bias is not None)
    to.weigh(result, weight=weight, bias=constant(bias))
    return to.plain(result)._replace(axes=(*axes[:-1], whole(result.shape, 0)))
