"""Operators with windows, weights or statistics: convolutions, pooling, norms, resizing."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, prod
from typing import Any

import numpy

from ....compiler.importing.tensors.program import Call, Constant, Operand
from .elementwise import binary, plain, read_clip, unary
from .layout import CannotSay, Flat, Held, Last, Value, Wrong
from .onnx_nodes import Node
from .onnx_reader import Reader, reads

Sides = tuple[tuple[int, int], ...]


def _constant(held: Held | None) -> Constant | None:
    return None if held is None else Constant(held.value, held.name)


def _optional(reader: Reader, args: Sequence[Value | None], at: int, what: str) -> Held | None:
    return reader.weight(args[at], what) if len(args) > at and args[at] is not None else None


def _window(
    node: Node, sizes: Sequence[int], kernel: Sequence[int], *, floor_only: bool = False
) -> tuple[list[int], list[int], Sides]:
    """Stride, dilation and padding of a window that moves over a map."""
    count = len(sizes)
    stride = node.ints("strides") or [1] * count
    dilation = node.ints("dilations") or [1] * count
    pads = node.ints("pads") or [0] * 2 * count
    if not (len(kernel) == len(stride) == len(dilation) == count and len(pads) == 2 * count):
        raise Wrong("its numbers are of a map with another number of axes")
    if min([*kernel, *stride, *dilation]) < 1 or max([*kernel, *stride, *dilation]) > 10**9:
        raise Wrong("its numbers are not those of a window")
    auto = node.word("auto_pad", "NOTSET")
    if auto == "VALID":
        return stride, dilation, ((0, 0),) * count
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        sides: list[tuple[int, int]] = []
        for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
            total = max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
            small, large = total // 2, total - total // 2
            sides.append((small, large) if auto == "SAME_UPPER" else (large, small))
        return stride, dilation, tuple(sides)
    return stride, dilation, tuple(zip(pads[:count], pads[count:], strict=True))


def _slid(
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    pad: Sides,
    up: bool = False,
) -> list[int]:
    """How many windows there are along each axis."""
    found: list[int] = []
    for size, k, s, d, (low, high) in zip(sizes, kernel, stride, dilation, pad, strict=True):
        room = size + low + high - d * (k - 1) - 1
        if room < 0:
            raise Wrong(f"its window of {d * (k - 1) + 1} is larger than the map of {size}")
        count = (-(-room // s) if up else room // s) + 1
        if up and (count - 1) * s >= size + low:
            count -= 1
        found.append(count)
    return found


# ---- convolutions -------------------------------------------------------------------------------


@reads("Conv")
def read_conv(reader: Reader, node: Node, args: list[Any]) -> Value:
    return _conv(reader, node, args)


def _with_filters(reader: Reader, args: list[Any]) -> tuple[Any, Any, Any]:
    """The input, filters for its axes, and biases if there are any."""
    x = reader.tensor(args[0])
    weight = reader.weight(args[1])
    if weight.value.ndim != len(x.shape) or weight.value.ndim < 3:
        raise Wrong(f"its weights have {weight.value.ndim} axes, and its input {len(x.shape)}")
    return x, weight, _optional(reader, args, 2, "its biases")


def _conv(reader: Reader, node: Node, args: list[Any]) -> Call:
    x, weight, bias = _with_filters(reader, args)
    out, channels, *kernel = weight.shape
    groups = int(node.get("group", 1))
    if groups < 1 or x.shape[1] != channels * groups or out % groups:
        raise Wrong(f"weights for {channels * groups} channels meet {x.shape[1]}")
    if (node.ints("kernel_shape") or kernel) != kernel:
        raise Wrong("its kernel_shape is not that of its weights")
    if bias is not None and bias.value.size != out:
        raise Wrong(f"it has {bias.value.size} biases for {out} channels")
    stride, dilation, pad = _window(node, x.shape[2:], kernel)
    if bias is not None and "." not in bias.name and not bias.value.any():
        bias = None  # exporters write one of zeros for a layer that has none
    if bias is not None:
        bias = bias._replace(value=bias.value.reshape(-1))
    return reader.call(
        "conv", [x, _constant(weight), _constant(bias)],
        [x.shape[0], out, *_slid(x.shape[2:], kernel, stride, dilation, pad)],
        stride=tuple(stride), dilation=tuple(dilation), pad=pad, groups=groups,
    )  # fmt: skip


@reads("ConvTranspose")
def read_deconv(reader: Reader, node: Node, args: list[Any]) -> Value:
    x, weight, bias = _with_filters(reader, args)
    channels, out, *kernel = weight.shape
    groups = int(node.get("group", 1))
    if groups < 1 or x.shape[1] != channels or channels % groups:
        raise Wrong(f"weights for {channels} channels meet {x.shape[1]}")
    sizes, count = x.shape[2:], len(kernel)
    auto = node.word("auto_pad", "NOTSET")
    stride = node.ints("strides") or [1] * count
    dilation = node.ints("dilations") or [1] * count
    extra = node.ints("output_padding") or [0] * count
    wanted = node.ints("output_shape")
    pads = node.ints("pads") or [0] * 2 * count
    if not (len(stride) == len(dilation) == len(extra) == count and len(pads) == 2 * count):
        raise Wrong("its numbers are of a map with another number of axes")
    if auto in ("SAME_UPPER", "SAME_LOWER") and wanted is None:
        wanted = [size * s for size, s in zip(sizes, stride, strict=True)]
    full = [
        (size - 1) * s + d * (k - 1) + 1 + e
        for size, k, s, d, e in zip(sizes, kernel, stride, dilation, extra, strict=True)
    ]
    pad: Sides = tuple(zip(pads[:count], pads[count:], strict=True))
    if wanted is not None:
        totals = [whole - size for whole, size in zip(full, wanted[-count:], strict=True)]
        sides: list[tuple[int, int]] = []
        for axis, total in enumerate(totals):
            if total < 0:  # it is longer than what the windows reach
                extra[axis] -= total
                total = 0
            small, large = total // 2, total - total // 2
            sides.append((small, large) if auto == "SAME_UPPER" else (large, small))
        pad = tuple(sides)
        full = [whole + max(0, -total) for whole, total in zip(full, totals, strict=True)]
    shape = [whole - low - high for whole, (low, high) in zip(full, pad, strict=True)]
    # Of unequal padding one is less padding, and rows that are cut off: output_pad below zero is
    # not possible, but more of it is.
    for axis, (low, high) in enumerate(pad):
        if low > high:
            extra[axis] += low - high
            pad = (*pad[:axis], (low, low), *pad[axis + 1 :])
    return reader.call(
        "deconv", [x, _constant(weight), _constant(bias)], [x.shape[0], out * groups, *shape],
        stride=tuple(stride), dilation=tuple(dilation), pad=pad, output_pad=tuple(extra),
        groups=groups,
    )  # fmt: skip


@reads("FusedConv", domain="com.microsoft")
def read_fused_conv(reader: Reader, node: Node, args: list[Any]) -> Value:
    """A convolution with what onnxruntime has put into it."""
    result: Value = _conv(reader, node, args[:3])
    if len(args) > 3:
        result = binary(reader, "add", result, args[3])
    activation = node.word("activation", "")
    parameters = node.get("activation_params") or []
    if activation == "Clip":
        low, high = plain(parameters[0]), plain(parameters[1])
        if (low, high) == (0, 6):
            return unary(reader, result, "relu6")
        return unary(reader, result, "clamp", low=low, high=high)
    if activation == "LeakyRelu":
        return unary(reader, result, "leaky_relu", slope=float(parameters[0]))
    known = {"": "", "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}
    if activation not in known:
        raise CannotSay(f"it has the activation {activation[:30]} in it")
    return unary(reader, result, known[activation]) if activation else result


# ---- matrices -----------------------------------------------------------------------------------


def linear(
    reader: Reader, value: Value, matrix: Any, name: str, bias: Constant | None = None
) -> Call:
    """A product with a matrix of outputs x inputs."""
    if isinstance(value, Flat):
        # The columns of the matrix go where the numbers of the map are.
        channels, *sides = value.call.shape[1:]
        count = prod(sides) * channels
        if matrix.shape[1] != count:
            raise Wrong(f"a matrix for {matrix.shape[1]} numbers meets {count}")
        columns = numpy.moveaxis(matrix.reshape(-1, *sides, channels), -1, 1)
        matrix = columns.reshape(-1, count)
        call = reader.reshaped(value.call, [value.call.shape[0], count])
    else:
        call = reader.tensor(value)
    if call.shape[-1] != matrix.shape[1]:
        raise Wrong(f"a matrix for {matrix.shape[1]} numbers meets {call.shape[-1]}")
    shape = [*call.shape[:-1], matrix.shape[0]]
    return reader.call("linear", [call, Constant(matrix, name), bias], shape)


@reads("Gemm")
@reads("FusedGemm", domain="com.microsoft")
def read_gemm(reader: Reader, node: Node, args: list[Any]) -> Value:
    x, weight = args[0], reader.weight(args[1])
    alpha, beta = float(node.get("alpha", 1.0)), float(node.get("beta", 1.0))
    if node.get("transA"):
        x = reader.permuted(reader.tensor(x), [1, 0])
    if weight.value.ndim != 2:
        raise Wrong(f"its matrix has {weight.value.ndim} axes")
    if len(x.shape) != 2:  # the first versions of some tools flatten it by themselves
        x = flattened(reader, x, 1)
    matrix = weight.value if node.get("transB") else weight.value.T
    matrix = matrix if alpha == 1 else matrix * numpy.asarray(alpha, matrix.dtype)
    added = args[2] if len(args) > 2 else None
    bias: Constant | None = None
    rest: Value | None = None
    if isinstance(added, Held) and added.value.size in (1, matrix.shape[0]):
        whole = numpy.broadcast_to(added.value.reshape(-1), (matrix.shape[0],))
        whole = whole if beta == 1 else whole * numpy.asarray(beta, whole.dtype)
        if beta and (added.learned or whole.any()):
            bias = Constant(numpy.ascontiguousarray(whole), added.name)
    elif added is not None and beta:
        rest = added if beta == 1 else binary(reader, "mul", added, Held(numpy.float64(beta)))
    result: Value = linear(reader, x, matrix, weight.name, bias)
    if rest is not None:
        result = binary(reader, "add", result, rest)
    activation = node.word("activation", "")
    if activation:
        known = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}
        if activation not in known:
            raise CannotSay(f"it has the activation {activation[:30]} in it")
        result = unary(reader, result, known[activation])
    return result


@reads("MatMul")
@reads("FusedMatMul", domain="com.microsoft")
def read_matmul(reader: Reader, node: Node, args: list[Any]) -> Value:
    one, other = args
    alpha = float(node.get("alpha", 1.0))
    if isinstance(other, Held) and other.value.ndim == 2 and not node.get("transA"):
        matrix = other.value if node.get("transB") else other.value.T
        matrix = matrix if alpha == 1 else matrix * numpy.asarray(alpha, matrix.dtype)
        return linear(reader, one, matrix, other.name)
    result: Value = matmul(
        reader,
        _swapped(reader, one, bool(node.get("transA"))),
        _swapped(reader, other, bool(node.get("transB"))),
    )
    return result if alpha == 1 else binary(reader, "mul", result, Held(numpy.float64(alpha)))


def _swapped(reader: Reader, value: Value, swap: bool) -> Value:
    rank = len(value.shape)
    axes = [*range(rank - 2), rank - 1, rank - 2]
    if not swap:
        return value
    if isinstance(value, Held):
        return value._replace(value=numpy.transpose(value.value, axes))
    return reader.permuted(reader.tensor(value), axes)


def matmul(reader: Reader, one: Value, other: Value) -> Call:
    from .layout import broadcast

    operands = [
        Constant(each.value, each.name) if isinstance(each, Held) else reader.tensor(each)
        for each in (one, other)
    ]
    a, b = [tuple(each.shape) for each in operands]
    if min(len(a), len(b)) < 2:
        raise CannotSay("it is a product with a vector")
    if a[-1] != b[-2]:
        raise Wrong(f"matrices that do not fit: {a[-1]} columns and {b[-2]} rows")
    shape = [*broadcast(a[:-2], b[:-2]), a[-2], b[-1]]
    return reader.call("matmul", operands, shape)


def flattened(reader: Reader, value: Value, axis: int) -> Value:
    """Two axes made of all."""
    if isinstance(value, Last) and axis == 1:
        return shaped(reader, value, [value.shape[0], prod(value.shape[1:])])
    call = reader.tensor(value)
    return reader.reshaped(call, [prod(call.shape[:axis]), prod(call.shape[axis:])])


def shaped(reader: Reader, value: Value, shape: Sequence[int]) -> Value:
    """A value in another shape; a map with its channels last as it is, where that is the same."""
    if isinstance(value, Last):
        sides = value.call.shape[2:]
        if prod(sides) == 1 or value.call.shape[1] == 1:
            return reader.reshaped(value.call, shape)
        if tuple(shape) == (value.shape[0], prod(value.shape[1:])):
            return Flat(value.call)
    if isinstance(value, Flat):
        if tuple(shape) == value.shape:
            return value
        if tuple(shape) == Last(value.call).shape:
            return Last(value.call)
    return reader.reshaped(reader.tensor(value), shape)


# ---- pooling ------------------------------------------------------------------------------------


@reads("MaxPool", "AveragePool", "LpPool")
def read_pool(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    if node.op == "LpPool":
        raise CannotSay("the language has no such pooling")
    kernel = node.ints("kernel_shape") or []
    stride, dilation, pad = _window(node, x.shape[2:], kernel)
    up = bool(node.get("ceil_mode"))
    sides = _slid(x.shape[2:], kernel, stride, dilation, pad, up)
    given: dict[str, Any] = {}
    if node.op == "AveragePool":
        given["count_pad"] = bool(node.get("count_include_pad"))
    function = "max_pool" if node.op == "MaxPool" else "avg_pool"
    return reader.call(
        function, [x], [*x.shape[:2], *sides],
        kernel=tuple(kernel), stride=tuple(stride), pad=pad, dilation=tuple(dilation), ceil=up,
        **given,
    )  # fmt: skip


@reads("GlobalAveragePool", "GlobalMaxPool")
def read_global_pool(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    ones = (1,) * (len(x.shape) - 2)
    function = "adaptive_avg_pool" if node.op == "GlobalAveragePool" else "adaptive_max_pool"
    return reader.call(function, [x], [*x.shape[:2], *ones], to=ones)


# ---- norms --------------------------------------------------------------------------------------


@reads("BatchNormalization")
def read_batch_norm(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    if node.get("training_mode") or (reader.opset < 7 and not node.get("is_test", 1)):
        raise CannotSay("it is exported for training: export it in eval mode")
    if node.get("spatial", 1) == 0 and len(x.shape) > 2:
        raise CannotSay("it has statistics of its own at each place")
    held = [reader.weight(each) for each in args[1:5]]
    if len(held) < 4 or any(each.value.size != x.shape[1] for each in held):
        raise Wrong(f"its statistics are not those of {x.shape[1]} channels")
    return reader.call(
        "batch_norm", [x, *[_constant(each) for each in held]], x.shape,
        eps=plain(node.get("epsilon", 1e-5)), momentum=_momentum(node),
    )  # fmt: skip


def _momentum(node: Node) -> float:
    """As torch has it: the share of the new value."""
    return round(1 - float(_short(node.get("momentum", 0.9))), 6)


def _short(number: float) -> float:
    return float(plain(number) or 0.0)


@reads("LayerNormalization")
@reads("LayerNormalization", domain="com.microsoft")
def read_layer_norm(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    axis = node.get("axis", -1)
    axis += len(x.shape) if axis < 0 else 0
    return reader.call(
        "layer_norm", [x, *_weights(reader, args)], x.shape,
        axes=tuple(range(axis, len(x.shape))), eps=plain(node.get("epsilon", 1e-5)),
    )  # fmt: skip


def _weights(reader: Reader, args: Sequence[Value | None]) -> list[Operand]:
    return [
        _constant(_optional(reader, args, at, what))
        for at, what in ((1, "its weights"), (2, "its biases"))
    ]


@reads("RMSNormalization", "SimplifiedLayerNormalization")
def read_rms_norm(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    axis = node.get("axis", -1)
    axis += len(x.shape) if axis < 0 else 0
    return reader.call(
        "rms_norm", [x, _weights(reader, args)[0]], x.shape,
        axes=tuple(range(axis, len(x.shape))), eps=plain(node.get("epsilon", 1e-5)),
    )  # fmt: skip


@reads("GroupNormalization")
def read_group_norm(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    groups, channels = int(node.get("num_groups", 1)), x.shape[1]
    if groups < 1 or channels % groups:
        raise Wrong(f"{channels} channels are not {groups} groups")
    operands: list[Operand] = [x]
    for at in (1, 2):
        held = reader.weight(args[at])
        if held.value.size == groups:  # one for each group, before version 21
            held = held._replace(value=numpy.repeat(held.value.reshape(-1), channels // groups))
        operands.append(_constant(held))
    eps = plain(node.get("epsilon", 1e-5))
    return reader.call("group_norm", operands, x.shape, groups=groups, eps=eps)


@reads("InstanceNormalization")
def read_instance_norm(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    eps = plain(node.get("epsilon", 1e-5))
    scale, bias = [reader.weight(each) for each in args[1:3]]
    operands: list[Operand] = [x, _constant(scale), _constant(bias)]
    if not (scale.learned or bias.learned) and (scale.value == 1).all() and not bias.value.any():
        operands[1:] = [None, None]
    if scale.value.size != x.shape[1]:
        raise Wrong(f"it has {scale.value.size} scales for {x.shape[1]} channels")
    return reader.call("instance_norm", operands, x.shape, eps=eps)


@reads("LRN")
def read_lrn(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    return reader.call(
        "lrn", [x], x.shape, size=int(node.get("size", 5)), alpha=plain(node.get("alpha", 1e-4)),
        beta=plain(node.get("beta", 0.75)), k=plain(node.get("bias", 1.0)),
    )  # fmt: skip


@reads("LpNormalization")
def read_lp_norm(reader: Reader, node: Node, args: list[Any]) -> Value:
    x = reader.tensor(args[0])
    axis = node.get("axis", -1) % len(x.shape)
    shape = [1 if at == axis else size for at, size in enumerate(x.shape)]
    length = reader.call("norm", [x], shape, axes=(axis,), keep=True, p=float(node.get("p", 2)))
    return binary(reader, "div", x, length)


# ---- sizes --------------------------------------------------------------------------------------


@reads("Resize", "Upsample")
def read_resize(reader: Reader, node: Node, args: list[Any]) -> Value:
    value = args[0]
    base = value.call if isinstance(value, Last) else reader.tensor(value)
    shape = tuple(value.shape)
    scales, wanted = _scales(reader, node, args, shape)
    if isinstance(value, Last):
        order = [0, len(shape) - 1, *range(1, len(shape) - 1)]
        scales, wanted = [scales[axis] for axis in order], [wanted[axis] for axis in order]
    if wanted[:2] != list(base.shape[:2]):
        raise CannotSay("it changes the number of channels or images")
    to = wanted[2:]
    if to == list(base.shape[2:]):
        return value  # type: ignore[no-any-return]
    mode, corners = _mode(reader, node, base.shape[2:], scales[2:], to)
    made = reader.call(
        "upsample", [base], [*base.shape[:2], *to], to=tuple(to), mode=mode, align_corners=corners
    )
    return Last(made) if isinstance(value, Last) else made


def _scales(
    reader: Reader, node: Node, args: Sequence[Value | None], shape: Sequence[int]
) -> tuple[list[float], list[int]]:
    """By axis, the factor and the size that it leads to."""
    rank = len(shape)
    scales: list[float] = []
    sizes: list[int] | None = None
    if node.op == "Upsample" or reader.opset < 11:
        given = node.get("scales")
        if given is None and node.get("height_scale") is not None:
            given = [1.0, 1.0, node.get("height_scale"), node.get("width_scale", 1.0)]
        if given is None and len(args) > 1 and isinstance(args[1], Held):
            given = numpy.ravel(args[1].value)
        scales = [float(each) for each in given] if given is not None else []
    else:
        if len(args) > 3 and args[3] is not None:
            sizes = reader.ints(args[3])
        elif len(args) > 2 and args[2] is not None:
            scales = [float(each) for each in numpy.ravel(reader.weight(args[2]).value)]
        axes = node.ints("axes")
        if axes is not None:
            axes = [axis % rank for axis in axes]
            if sizes is not None:
                sizes = [
                    sizes[axes.index(at)] if at in axes else size for at, size in enumerate(shape)
                ]
            elif scales:
                scales = [scales[axes.index(at)] if at in axes else 1.0 for at in range(rank)]
        if node.word("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise CannotSay("it keeps the aspect ratio")
    if sizes is not None:
        if len(sizes) != rank:
            raise Wrong(f"it has {len(sizes)} sizes for {rank} axes")
        return [new / old for new, old in zip(sizes, shape, strict=True)], sizes
    if len(scales) != rank:
        raise CannotSay("its sizes depend on what the network computes")
    if any(not 0 < each < 1e6 for each in scales):
        raise Wrong("its factors are not those of a resize")
    return scales, [floor(old * scale) for old, scale in zip(shape, scales, strict=True)]


def _mode(
    reader: Reader, node: Node, sizes: Sequence[int], scales: Sequence[float], to: Sequence[int]
) -> tuple[str, bool]:
    """The interpolation as torch calls it, and whether the corners stay where they are."""
    mode = node.word("mode", "nearest")
    usual = "asymmetric" if node.op == "Upsample" or reader.opset < 11 else "half_pixel"
    way = node.word("coordinate_transformation_mode", usual)
    if node.get("antialias"):
        raise CannotSay("it is made smoother while it shrinks (antialias)")
    whole = [new % old == 0 and new >= old for new, old in zip(to, sizes, strict=True)]
    exact = [
        abs(old * scale - new) < 1e-3 for old, scale, new in zip(sizes, scales, to, strict=True)
    ]
    if not all(exact) and way != "align_corners":
        raise CannotSay("its factor does not lead to a whole number of places")
    if mode == "nearest":
        rounding = node.word("nearest_mode", "round_prefer_floor")
        old = node.op == "Upsample" or reader.opset < 11
        if old or (way == "asymmetric" and rounding == "floor"):
            return "nearest", False
        halves = way in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
        if all(whole) and halves and rounding.startswith("round"):
            return "nearest", False
        if halves and rounding == "round_prefer_ceil":
            return "nearest-exact", False
        odd = all(new // old < 3 for new, old in zip(to, sizes, strict=True))
        if all(whole) and way == "asymmetric" and rounding == "round_prefer_floor" and odd:
            return "nearest", False
        raise CannotSay(f"it takes the nearest place by {way} and {rounding}")
    if mode in ("linear", "bilinear", "cubic"):
        name = {1: "linear", 2: "bilinear", 3: "trilinear"}.get(len(sizes), "")
        if mode == "cubic":
            name = "bicubic" if len(sizes) == 2 else ""
            if abs(float(node.get("cubic_coeff_a", -0.75)) + 0.75) > 1e-6:
                raise CannotSay("its cubic has another coefficient than torch's")
            if node.get("exclude_outside"):
                raise CannotSay("it leaves out what is outside the map")
        if not name:
            raise CannotSay(f"it resizes {len(sizes)} axes by {mode}")
        if way == "align_corners":
            return name, True
        single = any(new == 1 for new in to)
        if way in ("half_pixel", "half_pixel_symmetric") or (
            way == "pytorch_half_pixel" and not single
        ):
            return name, False
        raise CannotSay(f"it places pixels by {way}")
    raise CannotSay(f"it resizes by {mode}")


@reads("DepthToSpace")
def read_depth_to_space(reader: Reader, node: Node, args: list[Any]) -> Value:
    x, factor = reader.tensor(args[0]), int(node.get("blocksize", 1))
    count, channels, height, width = x.shape
    if factor < 1 or channels % (factor * factor):
        raise Wrong(f"{channels} channels do not make blocks of {factor}x{factor}")
    if node.word("mode", "DCR") == "DCR" and channels > factor * factor:
        x = reader.call("channel_shuffle", [x], x.shape, groups=factor * factor)
    shape = [count, channels // factor**2, height * factor, width * factor]
    return reader.call("pixel_shuffle", [x], shape, factor=factor)


@reads("SpaceToDepth")
def read_space_to_depth(reader: Reader, node: Node, args: list[Any]) -> Value:
    x, factor = reader.tensor(args[0]), int(node.get("blocksize", 1))
    count, channels, height, width = x.shape
    if factor < 1 or height % factor or width % factor:
        raise Wrong(f"a map of {height}x{width} is not made of blocks of {factor}x{factor}")
    shape = [count, channels * factor**2, height // factor, width // factor]
    made = reader.call("pixel_unshuffle", [x], shape, factor=factor)
    if channels > 1:
        made = reader.call("channel_shuffle", [made], made.shape, groups=channels)
    return made


__all__ = ["ceil", "flattened", "linear", "matmul", "read_clip", "shaped"]
