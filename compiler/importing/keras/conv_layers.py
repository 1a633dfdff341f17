"""Convolutions. Keras keeps filters as height x width x inputs x outputs, with Theano's order of
axes (`th`) as outputs x inputs x height x width.
"""

from __future__ import annotations

from .activations import activated
from .call import Call, reads
from .tracer import Value

_ROWS = {
    1: ("filter_length",),
    2: ("nb_row", "nb_col"),
    3: ("kernel_dim1", "kernel_dim2", "kernel_dim3"),
}
"""What Keras 1 calls the sizes of a filter."""


def _window(call: Call) -> dict[str, tuple[int, ...]]:
    """Kernel, stride and dilation."""
    settings, axes = call.settings, call.axes
    if settings.get("kernel_size") is None and settings.get(*_ROWS[axes]) is not None:
        kernel = tuple([settings.whole(name, least=1) for name in _ROWS[axes]])
    else:
        kernel = settings.sides(axes, "kernel_size")
    return {
        "kernel": kernel,
        "stride": settings.sides(axes, "strides", "subsample", "subsample_length", usual=1),
        "dilation": settings.sides(axes, "dilation_rate", "atrous_rate", usual=1),
    }


def _bias(call: Call) -> bool:
    return call.settings.flag("use_bias", "bias", usual=True)


def _theano(call: Call) -> bool:
    """Whether its filters are kept in Theano's order."""
    return call.version == 1 and call.settings.text("dim_ordering") == "th"


def _order(axes: int) -> tuple[int, ...]:
    """Height x width x inputs x outputs -> outputs x inputs x height x width."""
    return (axes + 1, axes, *range(axes))


@reads(
    "Conv1D", "Conv2D", "Conv3D", "Convolution1D", "Convolution2D", "Convolution3D",
    "AtrousConvolution1D", "AtrousConvolution2D", "AtrousConv1D", "AtrousConv2D",
)  # fmt: skip
def convolution(call: Call) -> Value:
    value = call.map()
    if value is None or value.layer is None:
        return Value(None)
    window = _window(call)
    out = call.settings.whole("filters", "nb_filter", least=1)
    groups = call.settings.whole("groups", usual=1, least=1)
    channels = value.layer.shape[0]
    value, pads = call.padding(value, *window.values())
    value = call.settled(value)
    bias = _bias(call)
    result = call.add(
        "conv", value.layer, out=out, **window, groups=groups, bias=bias, **pads
    )  # fmt: skip
    kernel, inside = window["kernel"], channels // groups
    if _theano(call) and call.axes == 1:
        call.store(result, "weight", "kernel", (out, inside, *kernel, 1))
    elif call.version == 1 and call.axes == 1:
        shape = (*kernel, 1, inside, out)
        call.store(result, "weight", "kernel", shape, axes=(3, 2, 0, 1))
    elif _theano(call):
        call.store(result, "weight", "kernel", (out, inside, *kernel))
    else:
        shape = (*kernel, inside, out)
        call.store(result, "weight", "kernel", shape, axes=_order(call.axes))
    if bias:
        call.store(result, "bias", "bias", (out,))
    return activated(call, value.of(result))


@reads("DepthwiseConv1D", "DepthwiseConv2D", "DepthwiseConvolution2D")
def depthwise(call: Call) -> Value:
    value = call.map()
    if value is None or value.layer is None:
        return Value(None)
    window = _window(call)
    multiplier = call.settings.whole("depth_multiplier", usual=1, least=1)
    channels = value.layer.shape[0]
    value, pads = call.padding(value, *window.values())
    value = call.settled(value)
    bias = _bias(call)
    result = call.add(
        "depthwise", value.layer, **window, multiplier=multiplier, bias=bias, **pads
    )  # fmt: skip
    axes = call.axes
    shape = (*window["kernel"], channels, multiplier)
    order = (axes, axes + 1, *range(axes))
    call.store(result, "weight", "depthwise_kernel", shape, axes=order)
    if bias:
        call.store(result, "bias", "bias", (channels * multiplier,))
    return activated(call, value.of(result))


@reads("SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D", "SeparableConvolution2D")
def separable(call: Call) -> Value:
    value = call.map()
    if value is None or value.layer is None:
        return Value(None)
    window = _window(call)
    out = call.settings.whole("filters", "nb_filter", least=1)
    multiplier = call.settings.whole("depth_multiplier", usual=1, least=1)
    channels = value.layer.shape[0]
    value, pads = call.padding(value, *window.values())
    value = call.settled(value)
    bias = _bias(call)
    result = call.add(
        "separable", value.layer, out=out, **window, multiplier=multiplier, bias=bias, **pads
    )  # fmt: skip
    axes, ones = call.axes, (1,) * call.axes
    if _theano(call):
        shape = (multiplier, channels, *window["kernel"])
        call.store(result, "depthwise.weight", "depthwise_kernel", shape, axes=(1, 0, 2, 3))
        call.store(
            result, "pointwise.weight", "pointwise_kernel", (out, channels * multiplier, *ones)
        )  # fmt: skip
    else:
        shape = (*window["kernel"], channels, multiplier)
        order = (axes, axes + 1, *range(axes))
        call.store(result, "depthwise.weight", "depthwise_kernel", shape, axes=order)
        shape = (*ones, channels * multiplier, out)
        call.store(result, "pointwise.weight", "pointwise_kernel", shape, axes=_order(axes))
    if bias:
        call.store(result, "pointwise.bias", "bias", (out,))
    return activated(call, value.of(result))


@reads(
    "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "Deconvolution2D", "Deconvolution3D"
)
def transposed(call: Call) -> Value:
    value = call.map()
    if value is None or value.layer is None:
        return Value(None)
    value = call.settled(value)
    settings, axes = call.settings, call.axes
    window = _window(call)
    out = settings.whole("filters", "nb_filter", least=1)
    bias = _bias(call)
    given = settings.get("output_padding")
    added = settings.sides(axes, "output_padding", least=0) if given is not None else None
    mode = settings.text("padding", "border_mode", usual="valid").lower()
    assert value.layer is not None
    channels = value.layer.shape[0]
    pad: list[int] = []
    output_pad: list[int] = []
    cut: list[int] = []
    sides = zip(value.layer.shape[1:], *window.values(), added or (None,) * axes, strict=True)
    for length, side, stride, dilation, extra in sides:
        reach = dilation * (side - 1) + 1
        whole = (length - 1) * stride + reach
        if extra is not None:
            kept = whole - (2 * (reach // 2) if mode == "same" else 0) + extra
        else:
            kept = length * stride + (max(reach - stride, 0) if mode == "valid" else 0)
        # Of an odd number of rows, the larger part is cut off behind the map.
        over = max(whole - kept, 0)
        pad.append(over // 2)
        cut.append(over % 2)
        output_pad.append(max(kept - whole, 0))
    result = call.add(
        "deconv", value.layer, out=out, **window, pad=tuple(pad), output_pad=tuple(output_pad),
        bias=bias,
    )  # fmt: skip
    shape = (*window["kernel"], out, channels)
    if _theano(call):
        call.store(result, "weight", "kernel", (channels, out, *window["kernel"]))
    else:
        call.store(result, "weight", "kernel", shape, axes=_order(axes))
    if bias:
        call.store(result, "bias", "bias", (out,))
    if any(cut):
        names = ("back", "bottom", "right")[-axes:]
        ends = {name: end for name, end in zip(names, cut, strict=True) if end}
        result = call.add("crop", result, **ends)
    return activated(call, value.of(result))
