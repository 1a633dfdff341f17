"""Layers that prepare images within a network."""

from __future__ import annotations

import math

from ...shapes import axes_of
from .call import Call, reads
from .tracer import Value


@reads("Rescaling")
def rescaling(call: Call) -> Value:
    """x * scale + offset, each one number, or one for each channel."""
    value = call.settled()
    scales = call.settings.numbers("scale") or (1.0,)
    offsets = call.settings.numbers("offset") or (0.0,)
    if value.layer is None:
        return value
    channels = value.layer.shape[0]
    for several in (scales, offsets):
        if len(several) not in (1, channels):
            call.mistake(f"it has {len(several)} numbers for {channels} channels")
            return Value(None)
    result = value.layer
    if len({*scales}) == 1:
        scaled = call.add("scale_by", result, factor=scales[0]) if scales[0] != 1 else result
    else:
        scaled = call.add("scale", result, per="channel")
        call.tracer.constant(scaled, "weight", *scales)
        call.remark(f"the factors of `{call.name}` are constant there")
    if len({*offsets}) == 1:
        moved = call.add("offset_by", scaled, offset=offsets[0]) if offsets[0] else scaled
    else:
        moved = call.add("bias", scaled, per="channel")
        call.tracer.constant(moved, "bias", *offsets)
        call.remark(f"the offsets of `{call.name}` are constant there")
    return value.of(moved)


_LEAST = 1e-12
"""Added to variances: Keras adds nothing, and 0 is none of ours."""


@reads("Normalization")
def normalization(call: Call) -> Value:
    """Mean and variance of the data: a batch norm that learned them."""
    value = call.settled()
    if value.layer is None:
        return value
    axis = call.settings.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        (axis,) = axis
    if axis is None or type(axis) is not int or value.axis(axis) != 0:
        return call.cannot_say("it normalizes along other axes than the channels")
    if call.settings.flag("invert", usual=False):
        return call.cannot_say("it is inverted")
    channels = value.layer.shape[0]
    means = call.settings.numbers("mean", "input_mean")
    variances = call.settings.numbers("variance", "input_variance")
    result = call.add("bn", value.layer, eps=_LEAST, affine=False)
    if means or variances:
        if any(len(several) not in (1, channels) for several in (means, variances)):
            call.mistake(f"its mean and variance are not of {channels} channels")
            return Value(None)
        least = [max(variance, 1e-14) for variance in variances]
        call.tracer.constant(result, "running_mean", *means)
        call.tracer.constant(result, "running_var", *least)
        shown = ", ".join(f"{mean:g}" for mean in means)
        deviations = ", ".join(f"{math.sqrt(variance):g}" for variance in least)
        call.remark(f"`{call.name}` subtracts {shown} and divides by {deviations}")
    else:
        call.store(result, "running_mean", "mean", (channels,))
        call.store(result, "running_var", "variance", (channels,))
    return value.of(result)


@reads("Resizing")
def resizing(call: Call) -> Value:
    value = call.laid()
    settings = call.settings
    if value.layer is None:
        return value
    size = (settings.whole("height", least=1), settings.whole("width", least=1))
    if axes_of(value.layer.shape) != 2:
        call.mistake("its input is no image")
        return Value(None)
    sides = value.layer.shape[1:]
    if size == sides:
        return value
    mode = settings.text("interpolation", usual="bilinear").lower()
    whole = all(new % old == 0 for new, old in zip(size, sides, strict=True))
    if settings.flag("crop_to_aspect_ratio", usual=False) or settings.flag(
        "pad_to_aspect_ratio", usual=False
    ):
        return call.cannot_say("it crops or pads to a ratio")
    if settings.flag("antialias", usual=False):
        return call.cannot_say("it smooths before it takes pixels away")
    if mode == "bilinear":
        return value.of(call.add("upsample", value.layer, to=size, mode=mode))
    if mode == "nearest" and whole:
        factor = tuple([new // old for new, old in zip(size, sides, strict=True)])
        return value.of(call.add("upsample", value.layer, factor=factor))
    return call.cannot_say(f"its interpolation, {mode[:20]}, is another one here")


@reads("CenterCrop")
def center_crop(call: Call) -> Value:
    value = call.laid()
    size = (call.settings.whole("height", least=1), call.settings.whole("width", least=1))
    if value.layer is None or value.layer.shape[1:] == size:
        return value
    return value.of(call.add("crop", value.layer, to=size))
