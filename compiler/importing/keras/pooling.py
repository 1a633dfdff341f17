"""Pooling, local and global."""

from __future__ import annotations

from ...shapes import axes_of
from ..graph import Layer
from .call import Call, reads
from .tracer import Value

_NEVER_NEGATIVE = frozenset("relu relu6 sigmoid softmax hardsigmoid square abs softplus".split())
_KEEPS_SIGN = frozenset("concat add mul maximum dropout dropout2d slice crop".split())


@reads("MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "MaxPool1D", "MaxPool2D", "MaxPool3D")
def maximum(call: Call) -> Value:
    value = call.map()
    if value is None or value.layer is None:
        return Value(None)
    if value.pads and not never_negative(value.layer):
        value = call.settled(value)  # zeros are not what a maximum leaves out
    return _pooled(call, "pool max", value)


@reads(
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
    "AvgPool1D", "AvgPool2D", "AvgPool3D",
)  # fmt: skip
def average(call: Call) -> Value:
    value = call.map()
    if value is None or value.layer is None:
        return Value(None)
    return _pooled(call, "pool avg", value)


def _pooled(call: Call, word: str, value: Value) -> Value:
    settings, axes = call.settings, call.axes
    kernel = settings.sides(axes, "pool_size", "pool_length", usual=2)
    stride = settings.sides(axes, "strides", "stride", usual=kernel)
    value, pads = call.padding(value, kernel, stride, (1,) * axes)
    given: dict[str, object] = {"kernel": kernel, "stride": stride, **pads}
    pad = given.get("pad")
    if isinstance(pad, tuple) and any(2 * n > side for n, side in zip(pad, kernel, strict=True)):
        value = value._replace(pads=tuple([(n, n) for n in pad]))
        del given["pad"]
    if word == "pool avg" and pads.keys() & {"same", "same_upper"} and not call.value.pads:
        given["count_pad"] = False
    value = call.settled(value)
    return value.of(call.add(word, value.layer, **given))


def never_negative(layer: Layer) -> bool:
    """Whether all of its numbers are at least 0, as far as that can be seen."""
    seen: set[int] = set()
    stack = [layer]
    while stack:
        at = stack.pop()
        if at.index in seen:
            continue
        seen.add(at.index)
        word = at.op.word
        if word in _NEVER_NEGATIVE:
            continue
        if word not in _KEEPS_SIGN and not word.startswith("pool "):
            return False
        stack.extend(at.inputs)
    return True


@reads("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D")
def global_average(call: Call) -> Value:
    return _global(call, "pool avg")


@reads("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D")
def global_maximum(call: Call) -> Value:
    return _global(call, "pool max")


def _global(call: Call, word: str) -> Value:
    value = call.map()
    if value is None or value.layer is None:
        return Value(None)
    value = call.settled(value)
    pooled = call.add(word, value.layer, **{"global": True})
    if call.settings.flag("keepdims", usual=False):
        return value.of(pooled)
    return value.of(call.add("flatten", pooled))


@reads("AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D")
def adaptive_average(call: Call) -> Value:
    value = call.laid()
    if value.layer is None:
        return value
    size = call.settings.sides(axes_of(value.layer.shape), "output_size")
    return value.of(call.add("pool avg", value.layer, kernel=size, adaptive=True))


@reads("AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D")
def adaptive_maximum(call: Call) -> Value:
    value = call.laid()
    if value.layer is None:
        return value
    size = call.settings.sides(axes_of(value.layer.shape), "output_size")
    return value.of(call.add("pool max", value.layer, kernel=size, adaptive=True))
