"""Normalization: over the channels, over groups of them, over an image."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from .composer import Composer, Unsayable, Value, constant, says
from .known import filled
from .program import Call, Constant
from .views import View, length, merged, whole


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
        weight = weight if weight is not None else _neutral(1.0, channels, bias)
        bias = bias if bias is not None else _neutral(0.0, channels, weight)
    to.weigh(
        layer,
        weight=constant(weight),
        bias=constant(bias),
        running_mean=constant(mean),
        running_var=constant(var),
    )
    return view.of(layer)


def _neutral(number: float, shape: Sequence[int], like: Value) -> Constant:
    """A weight that changes nothing."""
    result = filled(number, like) if isinstance(like, Constant) else None
    if result is None or prod(result.shape) != prod(shape):
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
        to.weigh(layer, weight=constant(weight))
        return view.of(layer)
    channels = map_[0]
    if any(isinstance(each, Constant) and prod(each.shape) != channels for each in learned):
        raise Unsayable("it has a scale for each number and not for each channel")
    affine: bool | str = weight is not None or bias is not None
    if affine and bias is None and word == "ln":
        affine = "weight"
    layer = to.add(word, view.layer, affine=affine, **given)
    if affine:
        weight = weight if weight is not None else _neutral(1.0, (channels,), bias)
        if affine != "weight":
            bias = bias if bias is not None else _neutral(0.0, (channels,), weight)
    to.weigh(layer, weight=constant(weight), bias=constant(bias))
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
        bias = _neutral(0.0, (layer.shape[0],), weight)
    to.weigh(layer, weight=constant(weight), bias=constant(bias))
    return view.of(layer)


@says("evonorm_s0")
def _evonorm(to: Composer, call: Call, x: Value, *learned: Value) -> View:
    view = to.by_channel(x, 1)
    given = {name: call.settings[name] for name in ("groups", "eps", "act")}
    layer = to.add("evonorm_s0", view.layer, **given)
    names = ("v", "weight", "bias")[-len(learned) :]
    to.weigh(layer, **{name: constant(each) for name, each in zip(names, learned, strict=True)})
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
    to.weigh(layer, gamma=constant(weight), beta=constant(bias))
    return view.of(layer)


@says("lrn")
def _lrn(to: Composer, call: Call, x: Value) -> View:
    return to.plain(to.add("lrn", to.map(x), **call.settings))
