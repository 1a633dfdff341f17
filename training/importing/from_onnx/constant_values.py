"""What nodes compute from constants alone: shapes, tables, weights that are laid out anew. A node
of a file that is not from a friend may ask for more memory than there is, so the size of a result
is known before it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import erf, prod
from typing import Any

import numpy

from .onnx_nodes import Node

Array = Any
MAX_ELEMENTS = 1 << 24
"""Of a result that is not as large as what it is computed from."""


class TooLarge(Exception):
    pass


class Unknown(Exception):
    """It is not computed here."""


def evaluate(node: Node, arrays: Sequence[Array | None], opset: int) -> list[Array]:
    """The outputs of a node; raises Unknown, TooLarge, and what numpy raises for operands that do
    not fit."""
    function = _FUNCTIONS.get(node.op)
    if function is None or node.domain:
        raise Unknown
    with numpy.errstate(all="ignore"):
        result = function(node, list(arrays), opset)
    return result if isinstance(result, list) else [numpy.asarray(result)]


def limited(shape: Iterable[int]) -> tuple[int, ...]:
    """A shape, if it is of bearable size."""
    sizes = tuple([int(each) for each in shape])
    if len(sizes) > 12 or any(each < 0 for each in sizes):
        raise ValueError("it has an impossible shape")
    if prod(sizes) > MAX_ELEMENTS:
        raise TooLarge
    return sizes


def _broadcast(*arrays: Array) -> None:
    shape = numpy.broadcast_shapes(*[each.shape for each in arrays])
    if prod(shape) > max(MAX_ELEMENTS, *[each.size for each in arrays]):
        raise TooLarge


def _of_two(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def run(node: Node, arrays: list[Array], opset: int) -> Array:
        first, second = arrays[0], arrays[1]
        if opset < 7 and node.get("broadcast") and second.ndim < first.ndim:
            axis = node.get("axis", first.ndim - second.ndim) % max(first.ndim, 1)
            second = second.reshape(*second.shape, *[1] * (first.ndim - axis - second.ndim))
        _broadcast(first, second)
        return function(first, second)

    return run


def _of_many(function: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def run(node: Node, arrays: list[Array], opset: int) -> Array:
        result = arrays[0]
        for each in arrays[1:]:
            _broadcast(result, each)
            result = function(result, each)
        return result

    return run


def _of_one(function: Callable[[Array], Array]) -> Callable[..., Array]:
    return lambda node, arrays, opset: numpy.asarray(function(arrays[0]), arrays[0].dtype)


def _divide(first: Array, second: Array) -> Array:
    if numpy.issubdtype(first.dtype, numpy.integer):
        if not numpy.all(second):
            raise ValueError("it divides by zero")
        return (numpy.sign(first) * numpy.sign(second) * (abs(first) // abs(second))).astype(
            first.dtype
        )
    return first / second


def _power(first: Array, second: Array) -> Array:
    if numpy.issubdtype(first.dtype, numpy.integer):
        return numpy.power(first.astype(float), second).astype(first.dtype)
    return numpy.power(first, second).astype(first.dtype)


def _modulo(node: Node, arrays: list[Array], opset: int) -> Array:
    _broadcast(*arrays)
    if not numpy.all(arrays[1]):
        raise ValueError("it divides by zero")
    return (numpy.fmod if node.get("fmod") else numpy.mod)(arrays[0], arrays[1])


def axes_of(node: Node, arrays: Sequence[Array | None], at: int = 1) -> list[int] | None:
    """The axes of a node, an attribute in older versions and an input in newer ones."""
    return _given(node, "axes", arrays, at)


def _given(node: Node, name: str, arrays: Sequence[Any], at: int) -> list[int] | None:
    """Whole numbers that are an attribute in older versions and an input in newer ones."""
    ints = node.ints(name)
    if ints is None and len(arrays) > at and arrays[at] is not None:
        ints = [int(each) for each in numpy.ravel(arrays[at])]
    return ints


def _reduce(function: Callable[..., Array]) -> Callable[..., Array]:
    def run(node: Node, arrays: list[Array], opset: int) -> Array:
        axes = axes_of(node, arrays)
        if not axes:
            if node.get("noop_with_empty_axes"):
                return arrays[0]
            axes = list(range(arrays[0].ndim))
        keep = bool(node.get("keepdims", 1))
        result = function(arrays[0], axis=tuple(axes), keepdims=keep)
        return numpy.asarray(result, arrays[0].dtype)

    return run


def shape_of(node: Node, shape: Sequence[int]) -> Array:
    """What `Shape` gives."""
    return numpy.array(list(shape)[node.get("start", 0) : node.get("end")], numpy.int64)


def _gather(node: Node, arrays: list[Array], opset: int) -> Array:
    data, index = arrays
    axis = int(node.get("axis", 0))
    rest = prod(data.shape) // max(1, data.shape[axis])
    if rest * index.size > max(MAX_ELEMENTS, data.size):
        raise TooLarge
    return numpy.take(data, index, axis=axis)


def _slice(node: Node, arrays: list[Array], opset: int) -> Array:
    data = arrays[0]
    return data[tuple([slice(*part) for part in slices_of(node, arrays, data.shape)])]


def slices_of(
    node: Node, arrays: Sequence[Array | None], shape: Sequence[int]
) -> list[tuple[int | None, int | None, int]]:
    """For each axis, where a `Slice` begins and ends, and its step, as Python has them."""
    starts, ends = _given(node, "starts", arrays, 1), _given(node, "ends", arrays, 2)
    if starts is None or ends is None:
        raise ValueError("it does not say where it begins and ends")
    axes = _given(node, "axes", arrays, 3) or list(range(len(starts)))
    steps = _given(node, "steps", arrays, 4) or [1] * len(starts)
    parts: list[tuple[int | None, int | None, int]] = [(None, None, 1) for _ in shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = shape[axis]
        if not step:
            raise ValueError("its step is zero")
        first = min(max(start + size if start < 0 else start, 0), size - (step < 0))
        low = -1 if step < 0 else 0
        last = min(max(end + size if end < 0 else end, low), size)
        parts[axis] = (first, None if last < 0 else last, step)
    return parts


def target_shape(node: Node, arrays: Sequence[Array | None], shape: Sequence[int]) -> list[int]:
    """The shape that a `Reshape` gives to a tensor of a shape."""
    wanted = _given(node, "shape", arrays, 1)
    if wanted is None:
        raise ValueError("it does not say its shape")
    if not node.get("allowzero"):
        wanted = [
            shape[at] if not each and at < len(shape) else each for at, each in enumerate(wanted)
        ]
    return filled(wanted, prod(shape))


def filled(wanted: Sequence[int], size: int) -> list[int]:
    """A shape, with a number in the place of -1."""
    known = prod([each for each in wanted if each != -1])
    result = [size // known if each == -1 and known else each for each in wanted]
    if prod(result) != size or any(each < 0 for each in result) or len(result) > 12:
        raise ValueError(f"{size:,} numbers do not make {'x'.join(map(str, wanted)) or 'one'}")
    return result


def squeezed(shape: Sequence[int], axes: Sequence[int] | None) -> list[int]:
    if axes is None:
        return [each for each in shape if each != 1]
    out = {each % len(shape) for each in axes if -len(shape) <= each < len(shape)}
    if len(out) < len(axes) or any(shape[each] != 1 for each in out):
        raise ValueError("it removes axes that are longer than 1, or not there")
    return [each for at, each in enumerate(shape) if at not in out]


def unsqueezed(shape: Sequence[int], axes: Sequence[int]) -> list[int]:
    rank = len(shape) + len(axes)
    new = {each % rank for each in axes if -rank <= each < rank}
    if len(new) < len(axes) or rank > 12:
        raise ValueError("it adds axes that cannot be")
    rest = iter(shape)
    return [1 if at in new else next(rest) for at in range(rank)]


def _constant_of_shape(node: Node, arrays: list[Array], opset: int) -> Array:
    value = node.get("value")
    filling: Array = numpy.zeros(1, numpy.float32)
    if value is not None:
        from onnx import numpy_helper

        filling = numpy_helper.to_array(value)
    return numpy.full(limited(numpy.ravel(arrays[0])), numpy.ravel(filling)[0], filling.dtype)


def _range(node: Node, arrays: list[Array], opset: int) -> Array:
    start, end, step = [numpy.ravel(each)[0] for each in arrays]
    if not step or abs((float(end) - float(start)) / float(step)) > MAX_ELEMENTS:
        raise TooLarge
    return numpy.arange(start, end, step, dtype=arrays[0].dtype)


def _expand(node: Node, arrays: list[Array], opset: int) -> Array:
    shape = numpy.broadcast_shapes(arrays[0].shape, limited(numpy.ravel(arrays[1])))
    return numpy.broadcast_to(arrays[0], limited(shape))


def _tile(node: Node, arrays: list[Array], opset: int) -> Array:
    times = [int(each) for each in numpy.ravel(arrays[1])]
    limited([a * b for a, b in zip(arrays[0].shape, times, strict=True)])
    return numpy.tile(arrays[0], times)


def _cast(node: Node, arrays: list[Array], opset: int) -> Array:
    return arrays[0].astype(number_type(node.get("to", 1)))


def number_type(to: Any) -> Any:
    from onnx import TensorProto, helper

    if isinstance(to, bytes):  # the first version has names here
        to = TensorProto.DataType.Value(to.decode("ascii", "replace"))
    if int(to) in (10, 16):  # halves, and bfloat16, are computed with in single precision
        return numpy.dtype("float32")
    return helper.tensor_dtype_to_np_dtype(int(to))


def _concat(node: Node, arrays: list[Array], opset: int) -> Array:
    if sum(each.size for each in arrays) > 8 * MAX_ELEMENTS:
        raise TooLarge
    return numpy.concatenate(arrays, axis=int(node.get("axis", 1)))


def _split(node: Node, arrays: list[Array], opset: int) -> list[Array]:
    axis = int(node.get("axis", 0))
    sizes = split_sizes(node, arrays, arrays[0].shape[axis])
    return list(numpy.split(arrays[0], numpy.cumsum(sizes)[:-1], axis=axis))


def split_sizes(node: Node, arrays: Sequence[Array | None], size: int) -> list[int]:
    sizes = _given(node, "split", arrays, 1)
    if sizes is None:
        count = len(node.outputs)
        each = -(-size // count)
        sizes = [each] * (size // each) if each else []
        sizes += [size - sum(sizes)] if sum(sizes) < size else []
    if sum(sizes) != size or len(sizes) != len(node.outputs) or any(each < 0 for each in sizes):
        raise ValueError(f"{size} channels are not divided among {len(node.outputs)} outputs")
    return sizes


def _transpose(node: Node, arrays: list[Array], opset: int) -> Array:
    return numpy.transpose(arrays[0], node.ints("perm"))


def _matmul(node: Node, arrays: list[Array], opset: int) -> Array:
    first, second = arrays
    if first.ndim < 2 or second.ndim < 2 or first.size * second.shape[-1] > 1 << 30:
        raise TooLarge
    return first @ second


def _gemm(node: Node, arrays: list[Array], opset: int) -> Array:
    first = arrays[0].T if node.get("transA") else arrays[0]
    second = arrays[1].T if node.get("transB") else arrays[1]
    if first.size * second.shape[-1] > 1 << 30:
        raise TooLarge
    result = node.get("alpha", 1.0) * (first @ second)
    if len(arrays) > 2 and arrays[2] is not None:
        result = result + node.get("beta", 1.0) * arrays[2]
    return result.astype(first.dtype)


def _where(node: Node, arrays: list[Array], opset: int) -> Array:
    _broadcast(*arrays)
    return numpy.where(*arrays)


def _flatten(node: Node, arrays: list[Array], opset: int) -> Array:
    axis, shape = int(node.get("axis", 1)), arrays[0].shape
    axis += len(shape) if axis < 0 else 0
    return arrays[0].reshape(prod(shape[:axis]), -1)


def _squeeze(node: Node, arrays: list[Array], opset: int) -> Array:
    return arrays[0].reshape(squeezed(arrays[0].shape, axes_of(node, arrays)))


def _unsqueeze(node: Node, arrays: list[Array], opset: int) -> Array:
    return arrays[0].reshape(unsqueezed(arrays[0].shape, axes_of(node, arrays) or []))


def _dequantize(node: Node, arrays: list[Array], opset: int) -> Array:
    values, scale = arrays[0], arrays[1]
    zero = arrays[2] if len(arrays) > 2 and arrays[2] is not None else 0
    if node.get("block_size"):
        raise Unknown
    if scale.ndim == 1 and scale.size > 1:
        axis = int(node.get("axis", 1)) % values.ndim
        sides = [-1 if at == axis else 1 for at in range(values.ndim)]
        scale = scale.reshape(sides)
        zero = numpy.reshape(zero, sides) if numpy.size(zero) > 1 else zero
    return ((values.astype(numpy.float32) - zero) * scale).astype(scale.dtype)


def _clip(node: Node, arrays: list[Array], opset: int) -> Array:
    low, high = node.get("min"), node.get("max")
    low = arrays[1] if len(arrays) > 1 and arrays[1] is not None else low
    high = arrays[2] if len(arrays) > 2 and arrays[2] is not None else high
    return arrays[0] if low is None and high is None else numpy.clip(arrays[0], low, high)


def _softmax(node: Node, arrays: list[Array], opset: int) -> Array:
    axis = int(node.get("axis", -1 if opset >= 13 else 1))
    raised = numpy.exp(arrays[0] - arrays[0].max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def _scatter_nd(node: Node, arrays: list[Array], opset: int) -> Array:
    data, places, updates = arrays
    result = data.copy()
    result[tuple(numpy.moveaxis(places, -1, 0))] = updates
    return result


def _gather_nd(node: Node, arrays: list[Array], opset: int) -> Array:
    data, places = arrays
    if node.get("batch_dims"):
        raise Unknown
    if places.size * data.size > MAX_ELEMENTS * 64:
        raise TooLarge
    return data[tuple(numpy.moveaxis(places, -1, 0))]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": _of_two(numpy.add),
    "Sub": _of_two(numpy.subtract),
    "Mul": _of_two(numpy.multiply),
    "Div": _of_two(_divide),
    "Pow": _of_two(_power),
    "Equal": _of_two(numpy.equal),
    "Greater": _of_two(numpy.greater),
    "GreaterOrEqual": _of_two(numpy.greater_equal),
    "Less": _of_two(numpy.less),
    "LessOrEqual": _of_two(numpy.less_equal),
    "And": _of_two(numpy.logical_and),
    "Or": _of_two(numpy.logical_or),
    "Xor": _of_two(numpy.logical_xor),
    "Max": _of_many(numpy.maximum),
    "Min": _of_many(numpy.minimum),
    "Sum": _of_many(numpy.add),
    "Mod": _modulo,
    "Abs": _of_one(numpy.abs),
    "Neg": _of_one(numpy.negative),
    "Sqrt": _of_one(numpy.sqrt),
    "Exp": _of_one(numpy.exp),
    "Log": _of_one(numpy.log),
    "Sin": _of_one(numpy.sin),
    "Cos": _of_one(numpy.cos),
    "Tanh": _of_one(numpy.tanh),
    "Ceil": _of_one(numpy.ceil),
    "Floor": _of_one(numpy.floor),
    "Round": _of_one(numpy.round),
    "Sign": _of_one(numpy.sign),
    "Reciprocal": _of_one(lambda x: 1 / x),
    "Relu": _of_one(lambda x: numpy.maximum(x, 0)),
    "Sigmoid": _of_one(lambda x: 1 / (1 + numpy.exp(-x))),
    "Erf": _of_one(numpy.vectorize(erf, otypes=[float])),
    "Not": lambda node, arrays, opset: numpy.logical_not(arrays[0]),
    "Identity": lambda node, arrays, opset: arrays[0],
    "Dropout": lambda node, arrays, opset: [arrays[0]] * len(node.outputs),
    "Shape": lambda node, arrays, opset: shape_of(node, arrays[0].shape),
    "Size": lambda node, arrays, opset: numpy.array(arrays[0].size, numpy.int64),
    "NonZero": lambda node, arrays, opset: numpy.array(numpy.nonzero(arrays[0]), numpy.int64),
    "CastLike": lambda node, arrays, opset: arrays[0].astype(arrays[1].dtype),
    "Reshape": lambda node, arrays, opset: arrays[0].reshape(
        target_shape(node, arrays, arrays[0].shape)
    ),
    "CumSum": lambda node, arrays, opset: numpy.cumsum(
        arrays[0], axis=int(numpy.ravel(arrays[1])[0])
    ),
    "ReduceSum": _reduce(numpy.sum),
    "ReduceMean": _reduce(numpy.mean),
    "ReduceMax": _reduce(numpy.max),
    "ReduceMin": _reduce(numpy.min),
    "ReduceProd": _reduce(numpy.prod),
    "ReduceL2": _reduce(lambda x, **how: numpy.sqrt(numpy.sum(x * x, **how))),
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "DequantizeLinear": _dequantize,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Range": _range,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
