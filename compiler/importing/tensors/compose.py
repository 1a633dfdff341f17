"""Makes layers of a program's calls: the last step of every reader that knows tensors only. First
functions that are written out become one call (patterns.py). Then call by call: what only arranges
numbers anew is noted as a view (views.py), everything else is a layer, where it can be one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ...ops import REGISTRY
from ...ops.padding import upper_sides
from ...shapes import axes_of, by
from ..graph import Graph, GraphBuilder, GraphOutput, Layer
from . import views
from .arrange import Arranger
from .attention import Scores, Unfolded, attended, weighted
from .known import computed, fold, number_of, permuted, reshaped
from .patterns import composed
from .program import Call, Constant, Operand, Program
from .standardized import Standardized, standardized
from .views import BATCH, REPEATED, Axis, Part, View, joined, length, merged, plain, whole, without

Value = View | Constant | Scores | float | None
"""What an operand is: a view of a layer, something known, or scores of an attention."""


class Unsayable(Exception):
    """Why the language cannot say a call."""


class _Missing:
    """The value of what cannot be said."""


MISSING = _Missing()
Handler = Callable[..., Any]
HANDLERS: dict[str, Handler] = {}


def says(*functions: str) -> Callable[[Handler], Handler]:
    def note(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(functions, handler))
        return handler

    return note


def graph_of(program: Program) -> Graph:
    """The network of a program; raises SpecError where it has mistakes. What the language cannot
    say is in `Graph.unsaid`."""
    composed(program)
    return Composer(program).graph()


class Composer:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.batch = program.batch
        self.builder = GraphBuilder()
        self.builder.remarks += program.remarks
        self.arranger = Arranger(self.builder, program.batch)
        self.values: dict[int, Any] = {}
        """By the identity of a call."""
        self.concats: dict[tuple[Layer, ...], Layer] = {}
        """By what they join."""
        self.call = program.calls[0] if program.calls else None
        """The one that is being said."""

    def graph(self) -> Graph:
        for call in _used(self.program):
            self.values[id(call)] = self._value(call)
        outputs: list[GraphOutput] = []
        for result in self.program.results:
            self.call = result.call
            value = self.values[id(result.call)]
            try:
                if isinstance(value, View):
                    outputs.append(GraphOutput(self.map(value), result.name, result.aux))
                elif value is not MISSING:
                    raise Unsayable("it does not depend on the input")
            except Unsayable as error:
                self.builder.cannot_say("output", str(error), result.call.span)
        if not outputs:
            last = self.builder.ends.values()
            outputs = [GraphOutput(layer, "") for layer in last]
        return self.builder.finished(self.program.name, outputs)

    def _value(self, call: Call) -> Any:
        self.call = call
        operands = [self._operand(each) for each in call.operands]
        handler = HANDLERS.get(call.function)
        if handler is None and call.settings.get("why"):
            self.builder.cannot_say(call.function, str(call.settings["why"]), call.span)
            self._end(operands)
            return MISSING
        if any(each is MISSING for each in operands):
            self._end(operands)
            return MISSING
        if operands and not any(isinstance(each, (View, Scores)) for each in operands):
            known = fold(_with(call, operands))
            if known is not None:
                return known
        try:
            if handler is None:
                raise Unsayable(f"the language has no layer for `{call.function}`")
            return handler(self, call, *operands)
        except Unsayable as error:
            self.builder.cannot_say(call.function, str(error), call.span)
            self._end(operands)
            return MISSING

    def _operand(self, operand: Operand) -> Any:
        return self.values[id(operand)] if isinstance(operand, Call) else operand

    def _end(self, operands: Sequence[Any]) -> None:
        layers = [each.layer for each in operands if isinstance(each, View)]
        self.builder.ends.update({layer.index: layer for layer in layers})

    # ---- layers ----

    def add(self, word: str, *inputs: Layer, **given: object) -> Layer:
        """A layer for the call that is being said."""
        call = self.call
        assert call is not None
        before = len(self.builder.mistakes)
        layer = self.builder.add(word, inputs, call.name, call.span, **given)
        if layer is None:
            self._refuse(before)
        assert layer is not None
        return layer

    def _refuse(self, before: int) -> None:
        mistakes = self.builder.mistakes[before:]
        del self.builder.mistakes[before:]
        raise Unsayable(mistakes[0].message if mistakes else "it cannot be said")

    def concat(self, layers: Sequence[Layer]) -> Layer:
        """A concatenation that begins as an earlier one does continues it: that is the form in
        which dense blocks are written."""
        given = tuple(layers)
        for count in range(len(given) - 1, 1, -1):
            if given[:count] in self.concats:
                layers = [self.concats[given[:count]], *given[count:]]
                break
        if given not in self.concats:
            self.concats[given] = self.add("concat", *layers)
        return self.concats[given]

    def weigh(self, layer: Layer, **weights: Constant | None) -> None:
        given = {key: each for key, each in weights.items() if each is not None}
        wanted = layer.wanted
        self.builder.weigh(
            layer,
            {
                key: reshaped(each, wanted[key]).value if key in wanted else each.value
                for key, each in given.items()
            },
        )

    def map(self, value: Any) -> Layer:
        """The value as a map whose axes are those of the tensor."""
        assert self.call is not None
        if not isinstance(value, View):
            raise Unsayable("it does not depend on the input")
        before = len(self.builder.mistakes)
        layer = self.arranger.map_of(value, self.call.span)
        if layer is None:
            if len(self.builder.mistakes) > before:
                self._refuse(before)
            shape = by(value.shape[1:])
            raise Unsayable(f"its input, {shape}, has an order of axes that no layer makes")
        return layer

    def settled(self, value: Any) -> View:
        """The value as a view of all of its map."""
        assert self.call is not None
        if not isinstance(value, View):
            raise Unsayable("it does not depend on the input")
        before = len(self.builder.mistakes)
        view = self.arranger.settled(value, self.call.span)
        if view is None:
            if len(self.builder.mistakes) > before:
                self._refuse(before)
            raise Unsayable("it reads a part of the map that no layer cuts out")
        return view

    def plain(self, layer: Layer) -> View:
        return plain(layer, self.batch)

    def by_element(self, value: Any, word: str, **given: object) -> View:
        """A layer that computes each number from that in its place."""
        view = self.settled(value)
        return view.of(self.add(word, view.layer, **given))

    def by_channel(self, value: Any, axis: int) -> View:
        """A view in which an axis of the tensor is all channels of the map."""
        view = self.settled(value)
        if view.axes[axis] == whole(view.layer.shape, 0) and _once(view):
            return view
        turned = self.arranger.channels_last(view, axis)
        layer = self.map(turned)
        order = [0, axis, *(n for n in range(1, len(view.axes)) if n != axis)]
        return views.permuted(self.plain(layer), [order.index(n) for n in range(len(order))])


def _with(call: Call, operands: Sequence[Any]) -> Call:
    return Call(
        call.index, call.function, tuple(operands), call.settings, call.shape, call.name, call.span
    )


def _once(view: View) -> bool:
    """Whether nothing is repeated in it."""
    return not any(part.axis == REPEATED for axis in view.axes for part in axis)


def _used(program: Program) -> list[Call]:
    """The calls that a result depends on, and the input."""
    used: set[int] = set()
    stack = [result.call for result in program.results]
    while stack:
        call = stack.pop()
        if id(call) not in used:
            used.add(id(call))
            stack += [each for each in call.operands if isinstance(each, Call)]
    return [call for call in program.calls if id(call) in used or call.function == "input"]


@says("input")
def _input(to: Composer, call: Call) -> View:
    if to.builder.layers:
        raise Unsayable("the network has several inputs")
    return to.plain(to.builder.input(call.shape[1:], call.name, call.span))


# ---- convolutions --------------------------------------------------------------------------------


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
    to.weigh(layer, weight=weight, bias=_constant(bias), **weights)
    return to.plain(layer)


def _given_of(made: Standardized) -> dict[str, Any]:
    given: dict[str, Any] = {"standardize": True, "eps": made.eps}
    return given if made.scale is None else {**given, "gain": made.scale}


def _constant(value: Any) -> Constant | None:
    """A bias or another weight that may be missing."""
    if value is None or isinstance(value, Constant):
        return value
    raise Unsayable("its weights are computed from the input")


Pads = Sequence[tuple[int, int]]


def _padding(
    to: Composer, source: Layer, pad: Pads, window: dict[str, Any]
) -> tuple[Layer, dict[str, Any]]:
    """The arguments for a padding; a layer `pad` where there are none."""
    if all(low == high for low, high in pad):
        return source, {"pad": tuple([low for low, _ in pad])}
    if _is_upper(source, pad, window):
        return source, {"same_upper": True}
    return _padded(to, source, pad), {}


def _is_upper(source: Layer, pad: Pads, window: dict[str, Any]) -> bool:
    reaches = [
        dilation * (side - 1) + 1
        for side, dilation in zip(window["kernel"], window["dilation"], strict=True)
    ]
    sides = zip(source.shape[1:], reaches, window["stride"], strict=True)
    return [*map(tuple, pad)] == [upper_sides(*each) for each in sides]


def _padded(
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
    to.weigh(layer, weight=weight, bias=_constant(bias))
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
    to.weigh(layer, weight=weight, bias=_constant(bias))
    return to.plain(layer)


@says("linear")
def _linear(to: Composer, call: Call, x: Value, weight: Value, bias: Value) -> View:
    """Of a vector `fc`; at each place of a map a 1x1 convolution."""
    if not isinstance(weight, Constant):
        raise Unsayable("its weights are computed from the input")
    view = to.settled(x)
    out = weight.shape[0]
    if not prod(view.shape[1:-1]) > 1:
        return _fully_connected(to, view, weight, bias)
    channels = to.by_channel(view, len(view.axes) - 1)
    axes = axes_of(channels.layer.shape)
    kernel = (1,) * axes
    layer = to.add("conv", channels.layer, out=out, kernel=kernel, bias=bias is not None)
    to.weigh(layer, weight=weight, bias=_constant(bias))
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
    to.weigh(result, weight=weight, bias=_constant(bias))
    return to.plain(result)._replace(axes=(*axes[:-1], whole(result.shape, 0)))


# ---- normalization -------------------------------------------------------------------------------


@says("batch_norm")
def _batch_norm(
    to: Composer, call: Call, x: Value, weight: Value, bias: Value, mean: Value, var: Value
) -> View:
    view = to.by_channel(x, 1)
    affine: bool | str = weight is not None or bias is not None
    if affine and weight is None:
        affine = "bias"
    layer = to.add(
        "bn",
        view.layer,
        eps=call.settings["eps"],
        momentum=call.settings["momentum"],
        affine=affine,
        track=mean is not None,
    )
    channels = (layer.shape[0],)
    if affine:
        weight = weight if weight is not None else _filled(1.0, channels, bias)
        bias = bias if bias is not None else _filled(0.0, channels, weight)
    to.weigh(
        layer,
        weight=_constant(weight),
        bias=_constant(bias),
        running_mean=_constant(mean),
        running_var=_constant(var),
    )
    return view.of(layer)


def _filled(number: float, shape: Sequence[int], like: Value) -> Constant:
    """A weight that changes nothing."""
    assert isinstance(like, Constant)
    zero = computed("mul", like, 0.0)
    result = zero and computed("add", zero, number)
    if result is None or result.shape != tuple(shape):
        raise Unsayable("its weights cannot be computed")
    return result


@says("layer_norm", "rms_norm", "simple_norm")
def _layer_norm(to: Composer, call: Call, x: Value, *learned: Value) -> View:
    """Over the channels; over all numbers of an image it is `gn 1`."""
    view = to.settled(x)
    axes = call.settings["axes"]
    weight, bias = (*learned, None, None)[:2]
    words = {"layer_norm": "ln", "rms_norm": "rmsnorm", "simple_norm": "simplenorm"}
    word, given = words[call.function], {"eps": call.settings["eps"]}
    own = merged([part for axis in axes for part in view.axes[axis]])
    map_ = view.layer.shape
    everything = {part.axis for part in own} == {n for n, side in enumerate(map_) if side > 1}
    if own == whole(map_, 0) or (len(axes) == 1 and not everything):
        view = to.by_channel(view, next(n for n in axes if view.axes[n]) if own else axes[0])
    elif word == "ln" and everything and length(own) == prod(map_):
        word, given = "gn", {**given, "groups": 1}
    else:
        raise Unsayable("it normalizes over other axes than the channels")
    if word in ("rmsnorm", "simplenorm"):
        if weight is None:
            raise Unsayable("it has no learned scale")
        layer = to.add(word, view.layer, **given)
        to.weigh(layer, weight=_constant(weight))
        return view.of(layer)
    channels = map_[0]
    if any(isinstance(each, Constant) and prod(each.shape) != channels for each in learned):
        raise Unsayable("it has a scale for each number and not for each channel")
    affine: bool | str = weight is not None or bias is not None
    if affine and bias is None and word == "ln":
        affine = "weight"
    layer = to.add(word, view.layer, affine=affine, **given)
    if affine:
        weight = weight if weight is not None else _filled(1.0, (channels,), bias)
        if affine != "weight":
            bias = bias if bias is not None else _filled(0.0, (channels,), weight)
    to.weigh(layer, weight=_constant(weight), bias=_constant(bias))
    return view.of(layer)


@says("group_norm", "instance_norm")
def _group_norm(to: Composer, call: Call, x: Value, weight: Value, bias: Value) -> View:
    view = to.by_channel(x, 1)
    given = {"eps": call.settings["eps"], "affine": weight is not None}
    if call.function == "group_norm":
        layer = to.add("gn", view.layer, groups=call.settings["groups"], **given)
    else:
        layer = to.add("instancenorm", view.layer, **given)
    if weight is not None and bias is None:
        bias = _filled(0.0, (layer.shape[0],), weight)
    to.weigh(layer, weight=_constant(weight), bias=_constant(bias))
    return view.of(layer)


@says("grn")
def _grn(to: Composer, call: Call, x: Value, weight: Value, bias: Value) -> View:
    view = to.settled(x)
    spatial, channels = call.settings["axes"], call.settings["channels"]
    shape = view.layer.shape
    over = {part.axis for axis in spatial for part in view.axes[axis]}
    if len(channels) != 1 or view.axes[channels[0]] != whole(shape, 0):
        raise Unsayable("it compares something else than channels")
    if over != {n for n, side in enumerate(shape) if n and side > 1}:
        raise Unsayable("its norms are not those of the whole map")
    layer = to.add("grn", view.layer, eps=call.settings["eps"])
    to.weigh(layer, gamma=_constant(weight), beta=_constant(bias))
    return view.of(layer)


@says("lrn")
def _lrn(to: Composer, call: Call, x: Value) -> View:
    return to.plain(to.add("lrn", to.map(x), **call.settings))


# ---- pooling -------------------------------------------------------------------------------------


@says("max_pool", "avg_pool")
def _pool(to: Composer, call: Call, x: Value) -> View:
    settings = dict(call.settings)
    largest = call.function == "max_pool"
    counted = settings.pop("count_pad", True)
    pad = settings.pop("pad")
    source = to.map(x)
    ceil = settings.pop("ceil")
    window = {name: tuple(settings[name]) for name in ("kernel", "stride", "dilation")}
    given: dict[str, Any] = {"kernel": window["kernel"], "stride": window["stride"]}
    if largest:
        given["dilation"] = window["dilation"]
    elif not counted:
        given["count_pad"] = False
    if all(low == high for low, high in pad):
        given["pad"] = tuple([low for low, _ in pad])
        if ceil:
            given["ceil"] = True
    elif _is_upper(source, pad, window):
        given["same_upper"] = True
    elif not largest and counted:
        source = _padded(to, source, pad)
    else:
        raise Unsayable("its padding differs at the two sides")
    return to.plain(to.add("pool max" if largest else "pool avg", source, **given))


@says("adaptive_max_pool", "adaptive_avg_pool")
def _adaptive(to: Composer, call: Call, x: Value) -> View:
    word = "pool max" if call.function == "adaptive_max_pool" else "pool avg"
    target = tuple(call.settings["to"])
    source = to.map(x)
    if max(target) == 1:
        return to.plain(to.add(word, source, **{"global": True}))
    return to.plain(to.add(word, source, adaptive=target))


@says("mean", "sum", "amax")
def _reduced(to: Composer, call: Call, x: Value) -> View:
    """Over places a pool; over parts of the channels a sum of slices."""
    view = to.settled(x)
    axes, keep = call.settings["axes"], call.settings["keep"]
    own = [part for axis in axes for part in view.axes[axis]]
    shape = view.layer.shape
    if any(part.axis < 0 for part in own):
        raise Unsayable("it mixes images of the batch")
    if not own:
        return without(view, axes, keep)
    left = [n for n, axis in enumerate(view.axes) if n not in axes]
    if any(part.axis == 0 for part in own):
        return _over_channels(to, call, view, own)
    over = {part.axis for part in own}
    if any(part.axis in over for n in left for part in view.axes[n]):
        raise Unsayable("it is over blocks of a map")
    word = "pool max" if call.function == "amax" else "pool avg"
    if over == {n for n, side in enumerate(shape) if n and side > 1}:
        layer = to.add(word, view.layer, **{"global": True})
    else:
        kernel = tuple([side if n in over else 1 for n, side in enumerate(shape) if n])
        layer = to.add(word, view.layer, kernel=kernel)
    if call.function == "sum":
        layer = to.add("scale_by", layer, factor=float(prod(part.size for part in own)))
    return without(view.of(layer), axes, keep)


def _over_channels(to: Composer, call: Call, view: View, own: Sequence[Part]) -> View:
    axes, keep = call.settings["axes"], call.settings["keep"]
    function = call.function
    if len(axes) != 1 or len(own) != 1 or length(view.axes[axes[0]]) > MOST_SLICES:
        raise Unsayable("it is over channels, and pools are over places")
    parts = [views.sliced(view, axes[0], n, n + 1, 1) for n in range(own[0].size)]
    settled = [to.settled(part) for part in parts]
    if any(each.axes != settled[0].axes for each in settled):
        raise Unsayable("it is over channels, and pools are over places")
    word = "maximum" if function == "amax" else "add"
    layer = to.add(word, *[each.layer for each in settled])
    if function == "mean":
        layer = to.add("scale_by", layer, factor=1 / own[0].size)
    return without(settled[0].of(layer), axes, keep)


MOST_SLICES = 8
"""Of the channels, in a sum of them."""


# ---- element by element --------------------------------------------------------------------------


@says(
    "relu", "relu6", "selu", "mish", "sigmoid", "tanh", "hardsigmoid", "hardswish", "silu", "abs",
    "leaky_relu", "elu", "gelu", "softplus",
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


@says("add", "sub")
def _add(to: Composer, call: Call, one: Value, two: Value) -> Value:
    if isinstance(one, Scores) or isinstance(two, Scores):
        return _with_scores(call, one, two)
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


@says("mul", "div")
def _mul(to: Composer, call: Call, one: Value, two: Value) -> Value:
    if call.function == "div":
        if isinstance(two, Constant):
            two = computed("reciprocal", two)
        elif isinstance(two, (int, float)) and two:
            two = 1 / two
        else:
            raise Unsayable("it divides by what it computes")
    if isinstance(one, Scores) or isinstance(two, Scores):
        return _with_scores(call, one, two)
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
    return clean == wanted and _once(large)


def _with_scores(call: Call, one: Any, two: Any) -> Scores:
    scores, other = (one, two) if isinstance(one, Scores) else (two, one)
    assert isinstance(scores, Scores)
    number = number_of(other) if not isinstance(other, View) else None
    if call.function in ("mul", "div") and number is not None:
        return scores.times(number)
    if call.function == "add" and isinstance(other, Constant):
        return scores.plus(other)
    raise Unsayable("it changes the scores of an attention in a way that the language lacks")


# ---- attention, softmax --------------------------------------------------------------------------


@says("softmax")
def _softmax(to: Composer, call: Call, x: Value) -> Value:
    axis = call.settings["axis"]
    if isinstance(x, Scores):
        return x.normalized(axis)
    view = to.settled(x)
    own, shape = view.axes[axis], view.layer.shape
    if own == whole(shape, 0):
        return view.of(to.add("softmax", view.layer))
    if len(own) == 1 and own[0].axis == 0 and own[0].step * own[0].size == shape[0]:
        return view.of(to.add("softmax", view.layer, parts=own[0].size))
    places = {n for n, side in enumerate(shape) if n and side > 1}
    if {part.axis for part in own} == places and length(own) == prod(shape[1:]):
        return view.of(to.add("softmax", view.layer, over="places"))
    view = to.by_channel(view, axis)
    return view.of(to.add("softmax", view.layer))


@says("matmul")
def _matmul(to: Composer, call: Call, a: Value, b: Value) -> Value:
    if isinstance(a, Scores) and isinstance(b, View):
        return _said(to, weighted(to, a, b))
    if isinstance(a, View) and isinstance(b, View):
        return Scores.of(a, b).times(call.settings["scale"])
    raise Unsayable("it multiplies matrices that are not those of an attention")


@says("attention")
def _attention(to: Composer, call: Call, q: Value, k: Value, v: Value, mask: Value = None) -> Value:
    if not (isinstance(q, View) and isinstance(k, View) and isinstance(v, View)):
        raise Unsayable("it attends to something else than the input")
    return _said(to, attended(to, q, k, v, call.settings["scale"], _constant(mask)))


def _said(to: Composer, result: View | Unfolded) -> View:
    if isinstance(result, Unfolded):
        raise Unsayable(result.why)
    return result


# ---- layout --------------------------------------------------------------------------------------


@says("reshape")
def _reshape(to: Composer, call: Call, x: Value) -> Value:
    if isinstance(x, Scores):
        return x.reshaped(call.shape)
    assert isinstance(x, View)
    view = views.reshaped(x, call.shape)
    if view is None:
        view = views.reshaped(to.plain(to.map(x)), call.shape)
    if view is None:
        source = to.map(x)
        if call.shape[0] != to.batch or len(call.shape) > 5:
            raise Unsayable("it makes images of parts of images")
        return to.plain(to.add("reshape", source, to=call.shape[1:]))
    return view


@says("permute")
def _permute(to: Composer, call: Call, x: Value) -> Value:
    if isinstance(x, Scores):
        return x.permuted(call.settings["axes"])
    assert isinstance(x, View)
    return views.permuted(x, call.settings["axes"])


@says("expand")
def _expand(to: Composer, call: Call, x: Value) -> View:
    assert isinstance(x, View)
    axes = ((),) * (len(call.shape) - len(x.axes)) + x.axes
    wide: list[Axis] = [
        axis if length(axis) == side else (Part(REPEATED, 0, side),)
        for axis, side in zip(axes, call.shape, strict=True)
    ]
    return x._replace(axes=tuple(wide))


@says("slice")
def _slice(to: Composer, call: Call, x: Value) -> View:
    assert isinstance(x, View)
    axis, start, stop = (call.settings[name] for name in ("axis", "start", "stop"))
    step = call.settings.get("step", 1)
    view = views.sliced(x, axis, start, stop, step)
    if view is None:
        view = views.sliced(to.by_channel(x, axis), axis, start, stop, step)
    if view is None:
        raise Unsayable("it cuts a part out of joined axes")
    return view


@says("select")
def _select(to: Composer, call: Call, x: Value) -> View:
    assert isinstance(x, View)
    axis, index = call.settings["axis"], call.settings["index"]
    index %= max(length(x.axes[axis]), 1)
    view = views.sliced(x, axis, index, index + 1, 1)
    if view is None:
        view = views.sliced(to.by_channel(x, axis), axis, index, index + 1, 1)
    if view is None:
        raise Unsayable("it cuts a part out of joined axes")
    return without(view, [axis], keep=False)


@says("concat")
def _concat(to: Composer, call: Call, *parts: Value) -> View:
    axis = call.settings["axis"]
    maps = [part for part in parts if isinstance(part, View)]
    if len(maps) < len(parts):
        raise Unsayable("it joins a map and numbers that are not computed from the input")
    if len(maps) == 1:
        return maps[0]
    again = joined(maps, axis)
    if again is not None:
        return again
    each = [to.by_channel(part, axis) for part in maps]
    one = each[0]
    others = [[a for n, a in enumerate(part.axes) if n != axis] for part in each]
    if any(other != others[0] for other in others):
        axes = [axis, *(n for n in range(1, len(one.axes)) if n != axis)]
        layers = [to.map(part._replace(axes=tuple([part.axes[n] for n in [0, *axes]])))
                  for part in each]  # fmt: skip
        back = [[0, *axes].index(n) for n in range(len(one.axes))]
        return views.permuted(to.plain(to.concat(layers)), back)
    layer = to.concat([part.layer for part in each])
    replaced = (*one.axes[:axis], whole(layer.shape, 0), *one.axes[axis + 1 :])
    return one.of(layer)._replace(axes=replaced)


@says("pad")
def _pad(to: Composer, call: Call, x: Value) -> View:
    sides, mode = call.settings["sides"], call.settings["mode"]
    value = call.settings["value"]
    source = to.map(x)
    if any(sides[0]):
        raise Unsayable("it adds images to the batch")
    if any(sides[1]):
        if min(sides[1]) < 0 or mode != "constant" or value or any(map(any, sides[2:])):
            raise Unsayable("it pads channels")
        return to.plain(_more_channels(to, source, sides[1]))
    if value in (float("inf"), float("-inf")):
        raise Unsayable("it pads with infinity, and no pooling follows")
    names = {"constant": "zeros", "edge": "replicate", "wrap": "circular"}
    return to.plain(_padded(to, source, sides[2:], names.get(mode, mode), value))


def _more_channels(to: Composer, source: Layer, sides: tuple[int, int]) -> Layer:
    """Channels of zeros before and after those of a map."""
    channels = source.shape[0]
    parts: list[Layer] = []
    for side in sides:
        if side > 64 * channels:
            raise Unsayable("it pads channels")
        zero = to.add("scale_by", source, factor=0.0) if side else source
        parts += [zero] * (side // channels)
        if side % channels:
            parts.append(to.add("slice", zero, channels=(0, side % channels)))
        if side is sides[0]:
            parts.append(source)
    return to.add("concat", *parts)


@says("upsample")
def _upsample(to: Composer, call: Call, x: Value) -> View:
    source = to.map(x)
    mode, target = call.settings["mode"], tuple(call.settings["to"])
    sides = source.shape[1:]
    given: dict[str, Any] = {"to": target}
    if all(n % side == 0 for n, side in zip(target, sides, strict=True)):
        given = {"factor": tuple([n // side for n, side in zip(target, sides, strict=True)])}
    elif mode == "nearest-exact":
        raise Unsayable("it repeats the nearest pixels in another way")
    mode = "nearest" if mode == "nearest-exact" else mode
    corners = bool(call.settings["align_corners"]) and mode != "nearest"
    return to.plain(to.add("upsample", source, mode=mode, align_corners=corners, **given))


@says("pixel_shuffle", "pixel_unshuffle")
def _pixels(to: Composer, call: Call, x: Value) -> View:
    return to.plain(to.add(call.function, to.map(x), block=call.settings["factor"]))


@says("channel_shuffle")
def _shuffle(to: Composer, call: Call, x: Value) -> View:
    return to.plain(to.add("shuffle", to.map(x), groups=call.settings["groups"]))


assert all(word in REGISTRY for word in ("conv", "fc", "bn"))
