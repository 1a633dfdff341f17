"""Fully connected layers."""

from __future__ import annotations

from ...shapes import axes_of, size
from .activations import activated
from .call import Call, reads
from .tracer import Value


@reads("Dense", "Convolution0D")
def dense(call: Call) -> Value:
    """Along the last axis: of a map, the same for each position."""
    value = call.settled()
    if value.layer is None:
        return value
    if axes_of(value.layer.shape):
        return _on_map(call)
    out = call.settings.whole("units", "output_dim", least=1)
    bias = call.settings.flag("use_bias", "bias", usual=True)
    inputs = size(value.layer.shape)
    result = call.add("fc", value.layer, out=out, bias=bias)
    call.store(result, "weight", "kernel", (inputs, out), axes=(1, 0), flat=value.flat)
    if bias:
        call.store(result, "bias", "bias", (out,))
    return activated(call, Value(result, value.first))


def _on_map(call: Call) -> Value:
    value = call.laid(first=False)
    if value.layer is None:
        return value
    out = call.settings.whole("units", "output_dim", least=1)
    bias = call.settings.flag("use_bias", "bias", usual=True)
    ones = (1,) * axes_of(value.layer.shape)
    result = call.add("conv", value.layer, out=out, kernel=ones, bias=bias)
    call.store(result, "weight", "kernel", (value.layer.shape[0], out), axes=(1, 0))
    if bias:
        call.store(result, "bias", "bias", (out,))
    return activated(call, value.of(result))


@reads("MaxoutDense")
def maxout(call: Call) -> Value:
    """The largest of several fully connected layers."""
    value = call.settled()
    if value.layer is None:
        return value
    out = call.settings.whole("output_dim", least=1)
    count = call.settings.whole("nb_feature", usual=4, least=1)
    bias = call.settings.flag("bias", usual=True)
    if count > 1000:
        call.mistake("`nb_feature` is above 1,000")
        return Value(None)
    inputs = size(value.layer.shape)
    parts = [call.add("fc", value.layer, out=out, bias=bias) for _ in range(count)]
    tracer = call.tracer
    for number, part in enumerate(parts):
        shape = (count, inputs, out)
        tracer.store(
            part, "weight", call.owner, 0, "W", shape, axes=(1, 0), flat=value.flat, part=number
        )
        if bias:
            tracer.store(part, "bias", call.owner, 1, "b", (count, out), part=number)
    return value.of(parts[0] if count == 1 else call.add("maximum", *parts))
