"""Writes an exported graph of torch as a Program: one function here for each of ATen's, whose
forms are brought to those of compiler/importing/tensors/program.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from ...compiler.importing.tensors.program import Call, Constant, Operand, Program, Shape
from .aten_graph import AtenGraph, Step, function_of
from .einsum import einsum_calls
from .lowering import (
    COMPUTED,
    UNARY,
    Function,
    Given,
    Lowered,
    Lowering,
    shape,
    tensor_of,
    tensors_of,
)

_FUNCTIONS: dict[str, Function] = {}


def program_of(graph: AtenGraph) -> Program:
    """The graph as calls; raises SpecError."""
    return Lowering(graph, _FUNCTIONS).program()


def known(target: str) -> bool:
    """Whether a function is one of those here: none of them reads a file or a clock."""
    return function_of(target) in _FUNCTIONS or function_of(target) in COMPUTED


def _for(*names: str) -> Callable[[Function], Function]:
    def note(function: Function) -> Function:
        _FUNCTIONS.update(dict.fromkeys(names, function))
        return function

    return note


def _by_axis(value: Any, count: int) -> tuple[int, ...]:
    """A number for each spatial axis; one number stands for all."""
    given = [value] if isinstance(value, int) else list(value)
    return tuple(given * count if len(given) == 1 else given)


def _around(value: Any, count: int) -> tuple[tuple[int, int], ...]:
    return tuple((each, each) for each in _by_axis(value, count))


def _axes(value: Any, x: Operand) -> tuple[int, ...]:
    """Counted from 0; none given means all."""
    rank = len(shape(x))
    given = [value] if isinstance(value, int) else value
    return tuple(sorted(axis % rank for axis in given)) if given else tuple(range(rank))


# ---- convolutions, matrices ----------------------------------------------------------------------


@_for("conv1d", "conv2d", "conv3d")
def _conv(to: Lowering, given: Given, step: Step) -> Lowered:
    weight = given["weight"]
    count = len(shape(weight)) - 2
    dilation = _by_axis(given["dilation"], count)
    padding = given["padding"]
    if padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, shape(weight)[2:], strict=True)]
        pad = tuple((total // 2, total - total // 2) for total in totals)
    else:
        pad = _around(0 if padding == "valid" else padding, count)
    return to.call(
        "conv",
        [given["input"], weight, given.get("bias")],
        step.outputs[0].shape,
        stride=_by_axis(given["stride"], count),
        dilation=dilation,
        pad=pad,
        groups=given["groups"],
    )


@_for("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _deconv(to: Lowering, given: Given, step: Step) -> Lowered:
    count = len(shape(given["weight"])) - 2
    return to.call(
        "deconv",
        [given["input"], given["weight"], given.get("bias")],
        step.outputs[0].shape,
        stride=_by_axis(given["stride"], count),
        dilation=_by_axis(given["dilation"], count),
        pad=_around(given["padding"], count),
        output_pad=_by_axis(given["output_padding"], count),
        groups=given["groups"],
    )


@_for("convolution")
def _convolution(to: Lowering, given: Given, step: Step) -> Lowered:
    return (_deconv if given["transposed"] else _conv)(to, given, step)


@_for("deform_conv2d")
def _deform_conv(to: Lowering, given: Given, step: Step) -> Lowered:
    pads = given["pad_h"], given["pad_w"]
    return to.call(
        "deform_conv",
        [
            given["input"], given["offset"], given["weight"], given["bias"],
            given["mask"] if given["use_mask"] else None,
        ],
        step.outputs[0].shape,
        stride=(given["stride_h"], given["stride_w"]),
        dilation=(given["dilation_h"], given["dilation_w"]),
        pad=tuple((each, each) for each in pads),
        groups=given["groups"],
        offset_groups=given["offset_groups"],
    )  # fmt: skip


@_for("linear")
def _linear(to: Lowering, given: Given, step: Step) -> Lowered:
    operands = [given["input"], given["weight"], given.get("bias")]
    return to.call("linear", operands, step.outputs[0].shape)


@_for("addmm")
def _addmm(to: Lowering, given: Given, step: Step) -> Lowered:
    bias, weight = given["self"], given["mat2"]
    weights = isinstance(weight, Constant) and isinstance(bias, Constant) and len(bias.shape) == 1
    if weights and given["beta"] == given["alpha"] == 1:
        operands = [given["mat1"], to.permute(weight, (1, 0)), bias]
        return to.call("linear", operands, step.outputs[0].shape)
    product = to.scaled(to.matmul(given["mat1"], weight), given["alpha"])
    return to.call("add", [product, to.scaled(bias, given["beta"])], step.outputs[0].shape)


@_for("addcmul")
def _addcmul(to: Lowering, given: Given, step: Step) -> Lowered:
    one, two = given["tensor1"], given["tensor2"]
    size: Shape = torch.broadcast_shapes(shape(one), shape(two))  # type: ignore[no-untyped-call]
    product = to.scaled(to.call("mul", [one, two], size), given["value"])
    return to.call("add", [given["self"], product], step.outputs[0].shape)


@_for("baddbmm")
def _baddbmm(to: Lowering, given: Given, step: Step) -> Lowered:
    product = to.scaled(to.matmul(given["batch1"], given["batch2"]), given["alpha"])
    if not given["beta"]:
        return product
    added = to.scaled(given["self"], given["beta"])
    return to.call("add", [added, product], step.outputs[0].shape)


@_for("matmul", "mm", "bmm")
def _matmul(to: Lowering, given: Given, step: Step) -> Lowered:
    a = given["self"]
    b = given.get("other", given.get("mat2"))
    if isinstance(b, Constant) and len(shape(b)) == 2:
        return to.call("linear", [a, to.permute(b, (1, 0)), None], step.outputs[0].shape)
    return to.call("matmul", [a, b], step.outputs[0].shape)


@_for("einsum")
def _einsum(to: Lowering, given: Given, step: Step) -> Lowered:
    made = einsum_calls(to, given["equation"], given["tensors"])
    return made if made is not None else to.named(step, "einsum", given["tensors"])


@_for("scaled_dot_product_attention")
def _attention(to: Lowering, given: Given, step: Step) -> Lowered:
    operands = [given["query"], given["key"], given["value"], given["attn_mask"]]
    if given["is_causal"] or given["enable_gqa"]:
        return to.named(step, "scaled_dot_product_attention", tensors_of(given))
    scale = given["scale"] or shape(given["query"])[-1] ** -0.5
    return to.call("attention", operands, step.outputs[0].shape, scale=scale)


# ---- normalization -------------------------------------------------------------------------------


@_for("batch_norm", "_native_batch_norm_legit_no_training", "native_batch_norm")
def _batch_norm(to: Lowering, given: Given, step: Step) -> Lowered:
    own = given.get("training", False)
    mean, var = (None, None) if own else (given["running_mean"], given["running_var"])
    operands = [given["input"], given["weight"], given["bias"], mean, var]
    settings = {"eps": given["eps"], "momentum": given["momentum"]}
    return to.call("batch_norm", operands, step.outputs[0].shape, **settings)


@_for("instance_norm")
def _instance_norm(to: Lowering, given: Given, step: Step) -> Lowered:
    if not given["use_input_stats"]:
        return _batch_norm(to, given, step)
    operands = [given["input"], given["weight"], given["bias"]]
    return to.call("instance_norm", operands, step.outputs[0].shape, eps=given["eps"])


@_for("layer_norm", "native_layer_norm")
def _layer_norm(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["input"]
    rank = len(shape(x))
    axes = tuple(range(rank - len(given["normalized_shape"]), rank))
    operands = [x, given["weight"], given["bias"]]
    return to.call("layer_norm", operands, step.outputs[0].shape, axes=axes, eps=given["eps"])


@_for("rms_norm")
def _rms_norm(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["input"]
    rank = len(shape(x))
    axes = tuple(range(rank - len(given["normalized_shape"]), rank))
    eps = torch.finfo(torch.float32).eps if given["eps"] is None else given["eps"]
    return to.call("rms_norm", [x, given["weight"]], step.outputs[0].shape, axes=axes, eps=eps)


@_for("group_norm", "native_group_norm")
def _group_norm(to: Lowering, given: Given, step: Step) -> Lowered:
    operands = [given["input"], given["weight"], given["bias"]]
    groups = given["num_groups"] if "num_groups" in given else given["group"]
    settings = {"groups": groups, "eps": given["eps"]}
    return to.call("group_norm", operands, step.outputs[0].shape, **settings)


# ---- pooling, resizing ---------------------------------------------------------------------------


def _window(given: Given, count: int) -> Given:
    kernel = _by_axis(given["kernel_size"], count)
    return {
        "kernel": kernel,
        "stride": _by_axis(given["stride"], count) if given["stride"] else kernel,
        "pad": _around(given["padding"], count),
        "ceil": bool(given["ceil_mode"]),
    }


@_for(
    "max_pool1d", "max_pool2d", "max_pool3d", "max_pool2d_with_indices", "max_pool3d_with_indices",
    "max_pool1d_with_indices",
)  # fmt: skip
def _max_pool(to: Lowering, given: Given, step: Step) -> Lowered:
    count = int(function_of(step.target)[8])
    dilation = _by_axis(given["dilation"], count)
    shape = step.outputs[0].shape
    return to.call("max_pool", [given["self"]], shape, **_window(given, count), dilation=dilation)


@_for("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _avg_pool(to: Lowering, given: Given, step: Step) -> Lowered:
    if given.get("divisor_override"):
        return to.named(step, "avg_pool with a divisor of its own", [given["self"]])
    count = int(function_of(step.target)[8])
    return to.call(
        "avg_pool",
        [given["self"]],
        step.outputs[0].shape,
        **_window(given, count),
        dilation=(1,) * count,
        count_pad=bool(given["count_include_pad"]),
    )


@_for(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
)  # fmt: skip
def _adaptive(to: Lowering, given: Given, step: Step) -> Lowered:
    function = function_of(step.target).lstrip("_")
    count = int(function[-2])
    shape = step.outputs[0].shape
    return to.call(function[:-2], [given["self"]], shape, to=shape[-count:])


_MODES = {
    "nearest": "nearest", "_nearest_exact": "nearest-exact", "linear": "linear",
    "bilinear": "bilinear", "trilinear": "trilinear", "bicubic": "bicubic",
}  # fmt: skip


@_for(*(
    f"{'_' * (kind[0] == '_')}upsample_{kind.lstrip('_')}{n}d" for kind in _MODES for n in (1, 2, 3)
))  # fmt: skip
def _upsample(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given.get("input", given.get("self"))
    name = function_of(step.target)
    count = int(name[-2])
    size, target = shape(x)[2:], step.outputs[0].shape[2:]
    scales = given.get("scale_factors") or [given.get(f"scales_{axis}") for axis in "dhw"[-count:]]
    exact = zip(size, target, scales, strict=False)
    if any(scale is not None and abs(have * scale - want) > 1e-6 for have, want, scale in exact):
        return to.named(step, f"{name} by a scale that is not that of the sizes", [x])
    mode = _MODES[name.replace("upsample_", "")[:-2]]
    align = bool(given.get("align_corners"))
    return to.call(
        "upsample", [x], step.outputs[0].shape, to=target, mode=mode, align_corners=align
    )


@_for("pixel_shuffle", "pixel_unshuffle")
def _pixels(to: Lowering, given: Given, step: Step) -> Lowered:
    factor = given.get("upscale_factor", given.get("downscale_factor"))
    function = function_of(step.target)
    return to.call(function, [given["self"]], step.outputs[0].shape, factor=factor)


@_for("channel_shuffle", "native_channel_shuffle")
def _channel_shuffle(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    return to.call("channel_shuffle", [x], shape(x), groups=given["groups"])


# ---- element by element --------------------------------------------------------------------------


@_for(*UNARY)
def _unary(to: Lowering, given: Given, step: Step) -> Lowered:
    return to.call(function_of(step.target), [given["self"]], shape(given["self"]))


def _with(function: str, **settings: str) -> Function:
    """A function whose settings have other names in torch."""

    def lower(to: Lowering, given: Given, step: Step) -> Lowered:
        x = given["self"]
        own = {name: given[theirs] for name, theirs in settings.items()}
        return to.call(function, [x], shape(x), **own)

    return lower


_FUNCTIONS |= {
    "leaky_relu": _with("leaky_relu", slope="negative_slope"),
    "gelu": _with("gelu", approximate="approximate"),
    "softplus": _with("softplus", beta="beta", threshold="threshold"),
    "clamp": _with("clamp", low="min", high="max"),
    "clip": _with("clamp", low="min", high="max"),
}


@_for("clamp_min")
def _clamp_min(to: Lowering, given: Given, step: Step) -> Lowered:
    return to.call("clamp", [given["self"]], shape(given["self"]), low=given["min"], high=None)


@_for("clamp_max")
def _clamp_max(to: Lowering, given: Given, step: Step) -> Lowered:
    return to.call("clamp", [given["self"]], shape(given["self"]), low=None, high=given["max"])


@_for("hardtanh")
def _hardtanh(to: Lowering, given: Given, step: Step) -> Lowered:
    x, low, high = given["self"], given["min_val"], given["max_val"]
    if (low, high) == (0, 6):
        return to.call("relu6", [x], shape(x))
    return to.call("clamp", [x], shape(x), low=low, high=high)


@_for("elu", "celu")
def _elu(to: Lowering, given: Given, step: Step) -> Lowered:
    celu = function_of(step.target) == "celu" and given["alpha"] != 1
    if celu or given.get("scale", 1) != 1 or given.get("input_scale", 1) != 1:
        return to.named(step, function_of(step.target), [given["self"]])
    return to.call("elu", [given["self"]], shape(given["self"]), alpha=given["alpha"])


@_for("prelu", "_prelu_kernel")
def _prelu(to: Lowering, given: Given, step: Step) -> Lowered:
    weight = to.reshape(given["weight"], (math.prod(shape(given["weight"])),))
    return to.call("prelu", [given["self"], weight], shape(given["self"]))


@_for("log_softmax", "_log_softmax")
def _log_softmax(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    soft = to.call("softmax", [x], shape(x), axis=given["dim"] % max(1, len(shape(x))))
    return to.call("log", [soft], shape(soft))


@_for("softmax", "_softmax")
def _softmax(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    return to.call("softmax", [x], shape(x), axis=given["dim"] % max(1, len(shape(x))))


@_for("pow")
def _pow(to: Lowering, given: Given, step: Step) -> Lowered:
    exponent = given["exponent"]
    if not isinstance(exponent, int | float) or not isinstance(given["self"], Call | Constant):
        return to.named(step, "pow", tensors_of(given))
    return to.call("pow", [given["self"]], step.outputs[0].shape, exponent=float(exponent))


@_for("square")
def _square(to: Lowering, given: Given, step: Step) -> Lowered:
    return to.call("pow", [given["self"]], shape(given["self"]), exponent=2.0)


def _number(value: Operand) -> Operand:
    """A table of one number is that number."""
    if isinstance(value, Constant) and not value.shape and not tensor_of(value).is_meta:
        return float(tensor_of(value))
    return value


@_for("add", "sub", "rsub", "mul", "div", "maximum", "minimum", "multiply", "subtract", "divide",
      "max.other", "min.other")  # fmt: skip
def _binary(to: Lowering, given: Given, step: Step) -> Lowered:
    function = _SPELLED.get(function_of(step.target), function_of(step.target))
    if given.get("rounding_mode"):
        return to.named(step, f"div with {given['rounding_mode']}", tensors_of(given))
    pair = [
        _number(each) if to.is_table(each) else each for each in (given["self"], given["other"])
    ]
    pair = [float(each) if isinstance(each, int | float) else each for each in pair]
    if function == "rsub":
        function, pair = "sub", [pair[1], to.scaled(pair[0], given.get("alpha", 1))]
    elif given.get("alpha", 1) != 1:
        other = pair[1]
        own = isinstance(other, float)
        pair[1] = other * given["alpha"] if own else to.scaled(other, given["alpha"])
    return to.call(function, pair, step.outputs[0].shape)


_SPELLED = {
    "multiply": "mul", "subtract": "sub", "divide": "div", "max": "maximum", "min": "minimum",
}  # fmt: skip


# ---- sums and means ------------------------------------------------------------------------------


@_for("mean", "sum", "amax", "amin")
def _reduced(to: Lowering, given: Given, step: Step) -> Lowered:
    return _over(to, function_of(step.target), given, step)


def _over(to: Lowering, function: str, given: Given, step: Step, **more: Any) -> Call:
    x = given["self"]
    keep = bool(given.get("keepdim", False))
    axes = _axes(given.get("dim"), x)
    return to.call(function, [x], step.outputs[0].shape, axes=axes, keep=keep, **more)


@_for("max", "min")
def _max(to: Lowering, given: Given, step: Step) -> Lowered:
    """The largest of all or along an axis, or of two tensors."""
    if isinstance(given.get("other"), Call | Constant):
        return _binary(to, given, step)
    largest = _over(to, f"a{function_of(step.target)}", given, step)
    where = [to.call(f"arg{function_of(step.target)}", [given["self"]], out.shape)
             for out in step.outputs[1:]]  # fmt: skip
    return [largest, *where]


@_for("var", "std", "var_mean")
def _var(to: Lowering, given: Given, step: Step) -> Lowered:
    correction = given.get("correction", 1 if given.get("unbiased", True) else 0)
    correction = 1 if correction is None else correction
    if correction not in (0, 1):
        return to.named(step, f"var with a correction of {correction}", [given["self"]])
    function = function_of(step.target)
    var = _over(to, "var", given, step, unbiased=correction == 1)
    if function == "std":
        return to.call("sqrt", [var], var.shape)
    return [var, _over(to, "mean", given, step)] if function == "var_mean" else var


@_for("linalg_vector_norm", "norm")
def _norm(to: Lowering, given: Given, step: Step) -> Lowered:
    power = given["ord"] if "ord" in given else given.get("p")
    return _over(to, "norm", given, step, p=2.0 if power is None else float(power))


# ---- layout --------------------------------------------------------------------------------------


@_for("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as",
      "reshape_as", "_reshape_alias")  # fmt: skip
def _reshape(to: Lowering, given: Given, step: Step) -> Lowered:
    if given.get("dtype") is not None:
        return to.named(step, "view as another type", tensors_of(given))
    return to.reshape(given.get("self", given.get("input")), step.outputs[0].shape)


@_for("permute")
def _permute(to: Lowering, given: Given, step: Step) -> Lowered:
    return to.permute(given["self"], given["dims"])


@_for("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT")
def _transpose(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    order: Any = list(range(len(shape(x))))
    function = function_of(step.target)
    if function == "numpy_T":
        return to.permute(x, order[::-1])
    if len(order) < 2:
        return to.permute(x, order)
    one = given["dim0"] if "dim0" in given else given.get("axis0", -2)
    two = given["dim1"] if "dim1" in given else given.get("axis1", -1)
    order[one], order[two] = order[two], order[one]
    return to.permute(x, order)


@_for("movedim", "moveaxis")
def _movedim(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    rank = len(shape(x))
    ends = [given[key] if isinstance(given[key], list) else [given[key]]
            for key in ("source", "destination")]  # fmt: skip
    moved = {new % rank: old % rank for old, new in zip(*ends, strict=True)}
    others = iter([axis for axis in range(rank) if axis not in moved.values()])
    return to.permute(x, [moved[n] if n in moved else next(others) for n in range(rank)])


@_for("expand", "expand_as", "broadcast_to")
def _expand(to: Lowering, given: Given, step: Step) -> Lowered:
    return to.expand(given["self"], step.outputs[0].shape)


@_for("repeat", "tile")
def _repeat(to: Lowering, given: Given, step: Step) -> Lowered:
    target = step.outputs[0].shape
    x = given["self"]
    x = to.reshape(x, (1,) * (len(target) - len(shape(x))) + shape(x))
    for axis, size in enumerate(target):
        if shape(x)[axis] not in (1, size):
            x = to.concat([x] * (size // shape(x)[axis]), axis)
    return to.expand(x, target)


@_for("repeat_interleave")
def _repeat_interleave(to: Lowering, given: Given, step: Step) -> Lowered:
    x, axis = given["self"], given.get("dim")
    if axis is None or not isinstance(given.get("repeats"), int):
        return to.named(step, "repeat_interleave", tensors_of(given))
    axis %= len(shape(x))
    size = shape(x)
    apart = to.reshape(x, (*size[: axis + 1], 1, *size[axis + 1 :]))
    many = to.expand(apart, (*size[: axis + 1], given["repeats"], *size[axis + 1 :]))
    return to.reshape(many, step.outputs[0].shape)


@_for("cat", "concat", "concatenate")
def _cat(to: Lowering, given: Given, step: Step) -> Lowered:
    parts = [each for each in given["tensors"] if shape(each) != (0,)]
    return to.concat(parts, given.get("dim", 0) % len(step.outputs[0].shape))


@_for("stack")
def _stack(to: Lowering, given: Given, step: Step) -> Lowered:
    axis = given["dim"] % len(step.outputs[0].shape)
    one = [*step.outputs[0].shape]
    one[axis] = 1
    return to.concat([to.reshape(each, one) for each in given["tensors"]], axis)


@_for("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk",
      "split_with_sizes_copy")  # fmt: skip
def _split(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    axis = given["dim"] % len(shape(x))
    parts: list[Operand] = []
    start = 0
    for out in step.outputs:
        stop = start + out.shape[axis]
        parts.append(to.slice(x, axis, start, stop))
        start = stop
    return parts


@_for("unbind")
def _unbind(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    axis = given["dim"] % len(shape(x))
    return [to.select(x, axis, n) for n in range(len(step.outputs))]


@_for("slice")
def _slice(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    axis = given["dim"] % len(shape(x))
    start, stop, stride = slice(given["start"], given["end"], given["step"]).indices(shape(x)[axis])
    return to.slice(x, axis, start, max(start, stop), stride)


@_for("unfold")
def _unfold(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    axis = given["dimension"] % len(shape(x))
    settings = {"axis": axis, "size": given["size"], "step": given["step"]}
    return to.call("unfold", [x], step.outputs[0].shape, **settings)


@_for("narrow")
def _narrow(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    axis = given["dim"] % len(shape(x))
    start = given["start"] % max(1, shape(x)[axis])
    return to.slice(x, axis, start, start + given["length"])


@_for("select")
def _select(to: Lowering, given: Given, step: Step) -> Lowered:
    return to.select(given["self"], given["dim"] % len(shape(given["self"])), given["index"])


@_for("index", "index_select")
def _index(to: Lowering, given: Given, step: Step) -> Lowered:
    """Slices that are given as lists of numbers; other choices go by their name."""
    x = given["self"]
    indices = given["indices"] if "indices" in given else [None] * given["dim"] + [given["index"]]
    at = [n for n, each in enumerate(indices) if each is not None]
    chosen = indices[at[0]] if len(at) == 1 else None
    if isinstance(chosen, Constant) and len(chosen.shape) == 1 and to.is_table(chosen):
        numbers = [int(each) % shape(x)[at[0]] for each in tensor_of(chosen)]
        apart = {two - one for one, two in pairwise(numbers)} or {1}
        if numbers and len(apart) == 1 and (stride := apart.pop()):
            if stride > 0:
                return to.slice(x, at[0], numbers[0], numbers[-1] + 1, stride)
            turned = to.slice(x, at[0], numbers[-1], numbers[0] + 1, -stride)
            return to.call("flip", [turned], step.outputs[0].shape, axes=(at[0],))
    return to.named(step, "index", tensors_of(given))


@_for("flip")
def _flip(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    return to.call("flip", [x], shape(x), axes=_axes(given["dims"], x))


@_for("roll")
def _roll(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    if not given["dims"]:
        return to.named(step, "roll", [x])
    axes = tuple(axis % len(shape(x)) for axis in given["dims"])
    return to.call("roll", [x], shape(x), shifts=tuple(given["shifts"]), axes=axes)


_PADS = {
    "reflection_pad": "reflect", "replication_pad": "replicate", "_pad_circular": "circular",
}  # fmt: skip


@_for("pad", "constant_pad_nd", "_pad_circular", *(
    f"{kind}{n}d" for kind in ("reflection_pad", "replication_pad") for n in (1, 2, 3)
))  # fmt: skip
def _pad(to: Lowering, given: Given, step: Step) -> Lowered:
    x = given["self"]
    flat = given["pad"] if "pad" in given else given["padding"]
    pairs = list(zip(flat[::2], flat[1::2], strict=True))[::-1]
    sides = ((0, 0),) * (len(shape(x)) - len(pairs)) + tuple(pairs)
    if not any(map(any, sides)):
        return x  # type: ignore[no-any-return]
    function = function_of(step.target)
    named = next((mode for kind, mode in _PADS.items() if function.startswith(kind)), "constant")
    mode, value = given.get("mode", named), float(given.get("value") or 0)
    return to.call("pad", [x], step.outputs[0].shape, sides=sides, mode=mode, value=value)


# ---- what does nothing here, and what drops ------------------------------------------------------


@_for("contiguous", "clone", "detach", "alias", "lift_fresh_copy", "lift_fresh", "to", "_to_copy",
      "type_as", "float", "double", "half", "_assert_tensor_metadata", "positive", "resolve_conj",
      "channels_last")  # fmt: skip
def _same(to: Lowering, given: Given, step: Step) -> Lowered:
    dtype = given.get("dtype")
    if isinstance(dtype, torch.dtype) and not dtype.is_floating_point:
        return to.named(step, f"cast to {str(dtype).removeprefix('torch.')}", tensors_of(given))
    return given.get("self", given.get("input"))


_MAKERS = {"zeros": 0, "ones": 1}


@_for("new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like")
def _made(to: Lowering, given: Given, step: Step) -> Lowered:
    """A table whose type alone comes from its operand."""
    kind = function_of(step.target).removeprefix("new_").removesuffix("_like")
    value = given["fill_value"] if kind == "full" else _MAKERS[kind]
    to.refuse_large(step)
    dtype = given.get("dtype") or torch.float32
    return Constant(torch.full(step.outputs[0].shape, value, dtype=dtype), step.outputs[0].name)


@_for("dropout", "feature_dropout", "native_dropout")
def _dropout(to: Lowering, given: Given, step: Step) -> Lowered:
    return _dropping(to, "dropout2d" if "feature" in step.target else "dropout", given)


@_for("drop_path")
def _drop_path(to: Lowering, given: Given, step: Step) -> Lowered:
    return _dropping(to, "droppath", given)


@_for("bernoulli")
def _bernoulli(to: Lowering, given: Given, step: Step) -> Lowered:
    """A mask; training_mode.py knows what it is for."""
    return to.call("bernoulli", [], step.outputs[0].shape, p=given.get("p"))


def _dropping(to: Lowering, function: str, given: Given) -> Operand:
    x: Operand = given.get("input", given.get("self"))
    return to.call(function, [x], shape(x), p=given["p"]) if given["p"] else x
