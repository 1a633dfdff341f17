"""Operators that move numbers and reduce axes: reshaping, parts, concatenation, sums, einsum."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy

from ....compiler.importing.tensors.program import Call, Constant, Operand
from .constant_values import (
    axes_of,
    filled,
    slices_of,
    split_sizes,
    squeezed,
    target_shape,
    unsqueezed,
)
from .elementwise import binary, unary
from .layout import CannotSay, Flat, Held, Last, Value, Wrong, broadcast, first, last
from .onnx_layers import flattened, matmul, shaped
from .onnx_nodes import Node
from .onnx_reader import Reader, reads

_MOST_PARTS = 32


# ---- shapes -------------------------------------------------------------------------------------


@reads("Reshape")
def read_reshape(reader: Reader, node: Node, args: list[Any]) -> Value:
    if len(args) > 1 and args[1] is not None:
        reader.ints(args[1])  # refuses a shape that is computed
    wanted = target_shape(node, reader.arrays(args), args[0].shape)
    return shaped(reader, args[0], wanted)


@reads("Flatten")
def read_flatten(reader: Reader, node: Node, args: list[Any]) -> Value:
    axis = int(node.get("axis", 1))
    return flattened(reader, args[0], axis + len(args[0].shape) if axis < 0 else axis)


@reads("Squeeze")
def read_squeeze(reader: Reader, node: Node, args: list[Any]) -> Value:
    return shaped(reader, args[0], squeezed(args[0].shape, axes_of(node, reader.arrays(args))))


@reads("Unsqueeze")
def read_unsqueeze(reader: Reader, node: Node, args: list[Any]) -> Value:
    axes = axes_of(node, reader.arrays(args)) or []
    return shaped(reader, args[0], unsqueezed(args[0].shape, axes))


@reads("Transpose")
def read_transpose(reader: Reader, node: Node, args: list[Any]) -> Value:
    rank = len(args[0].shape)
    axes = node.ints("perm") or list(reversed(range(rank)))
    if sorted(axes) != list(range(rank)):
        raise Wrong(f"it orders {len(axes)} axes, and there are {rank}")
    return reader.turned(args[0], axes)


@reads("Expand")
def read_expand(reader: Reader, node: Node, args: list[Any]) -> Value:
    value = args[0]
    wanted = reader.ints(args[1]) or []
    shape = broadcast(tuple(value.shape), tuple(wanted))
    if shape == tuple(value.shape):
        return value  # type: ignore[no-any-return]
    return reader.call("expand", [reader.tensor(value)], shape, to=shape)


@reads("Tile")
def read_tile(reader: Reader, node: Node, args: list[Any]) -> Value:
    value = args[0]
    times = reader.ints(args[1]) or []
    if len(times) != len(value.shape):
        raise Wrong(f"it repeats {len(times)} axes, and there are {len(value.shape)}")
    if set(times) == {1}:
        return value  # type: ignore[no-any-return]
    call = reader.tensor(value)
    if all(size == 1 or count == 1 for size, count in zip(call.shape, times, strict=True)):
        shape = tuple([a * b for a, b in zip(call.shape, times, strict=True)])
        return reader.call("expand", [call], shape, to=shape)
    for axis, count in enumerate(times):
        if count > _MOST_PARTS:
            raise CannotSay(f"it repeats a map {count} times")
        if count > 1:
            shape = tuple(
                [size * count if at == axis else size for at, size in enumerate(call.shape)]
            )
            call = reader.call("concat", [call] * count, shape, axis=axis)
    return call


# ---- parts --------------------------------------------------------------------------------------


def _based(reader: Reader, value: Value, axis: int) -> tuple[Call, int, bool]:
    """What an operator along an axis works on, the axis there, and whether the result is seen with
    its channels last."""
    rank = len(value.shape)
    if not -rank <= axis < rank:
        raise Wrong(f"it works along axis {axis}, and there are {rank}")
    axis %= rank
    if isinstance(value, Last):
        return value.call, last(rank)[axis], True
    return reader.tensor(value), axis, False


def _part(reader: Reader, call: Call, axis: int, start: int, stop: int, step: int = 1) -> Call:
    size = call.shape[axis]
    if (start, stop, step) == (0, size, 1):
        return call
    shape = list(call.shape)
    shape[axis] = max(0, -(-(stop - start) // step))
    return reader.call("slice", [call], shape, axis=axis, start=start, stop=stop, step=step)


@reads("Concat")
def read_concat(reader: Reader, node: Node, args: list[Any]) -> Value:
    values = [each for each in args if each is not None]
    rank = max(len(each.shape) for each in values)
    axis = int(node.get("axis", 1))
    if not -rank <= axis < rank or any(len(each.shape) != rank for each in values):
        raise Wrong("its inputs have different numbers of axes")
    axis %= rank
    turned = any(isinstance(each, Last) for each in values) and all(
        isinstance(each, (Last, Held)) for each in values
    )
    operands: list[Operand] = []
    for each in values:
        if isinstance(each, Held):
            value = numpy.transpose(each.value, first(rank)) if turned else each.value
            operands.append(Constant(value, each.name))
        else:
            operands.append(each.call if turned else reader.tensor(each))
    axis = last(rank)[axis] if turned else axis
    shapes = [each.shape for each in operands if isinstance(each, (Call, Constant))]
    around = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(around) > 1:
        text = ", ".join(["x".join(map(str, shape)) for shape in shapes[:4]])
        raise Wrong(f"it joins shapes that do not fit: {text}")
    if len(operands) == 1:
        return values[0]  # type: ignore[no-any-return]
    shape = list(shapes[0])
    shape[axis] = sum(each[axis] for each in shapes)
    made = reader.call("concat", operands, shape, axis=axis)
    return Last(made) if turned else made


@reads("Split")
def read_split(reader: Reader, node: Node, args: list[Any]) -> Sequence[Value]:
    value = args[0]
    call, axis, turned = _based(reader, value, int(node.get("axis", 0)))
    if len(args) > 1:
        reader.ints(args[1])
    sizes = split_sizes(node, reader.arrays(args), call.shape[axis])
    parts: list[Value] = []
    start = 0
    for size in sizes:
        part = _part(reader, call, axis, start, start + size)
        parts.append(Last(part) if turned else part)
        start += size
    return parts


@reads("Slice")
def read_slice(reader: Reader, node: Node, args: list[Any]) -> Value:
    value = args[0]
    for each in args[1:]:
        reader.ints(each)
    parts = slices_of(node, reader.arrays(args), value.shape)
    turned = isinstance(value, Last)
    call = value.call if isinstance(value, Last) else reader.tensor(value)
    rank = len(call.shape)
    for at, (start, stop, step) in enumerate(parts):
        axis = last(rank)[at] if turned else at
        size = call.shape[axis]
        if step < 0:
            if step != -1 or start != size - 1 or stop is not None:
                raise CannotSay("it goes backwards over a part of an axis")
            call = reader.call("flip", [call], call.shape, axes=(axis,))
            continue
        call = _part(reader, call, axis, start or 0, size if stop is None else stop, step)
    return Last(call) if turned else call


@reads("Gather")
def read_gather(reader: Reader, node: Node, args: list[Any]) -> Value:
    value, index = args
    if not isinstance(index, Held):
        raise CannotSay("what it picks depends on what the network computes")
    if isinstance(value, Held):
        raise CannotSay("it looks words up in a table")
    call, axis, turned = _based(reader, value, int(node.get("axis", 0)))
    size = call.shape[axis]
    if index.value.ndim == 0:
        at = int(index.value)
        if not -size <= at < size:
            raise Wrong(f"it picks number {at} of {size}")
        if turned:
            call, axis = reader.tensor(value), int(node.get("axis", 0)) % len(call.shape)
        shape = [each for n, each in enumerate(call.shape) if n != axis]
        return reader.call("select", [call], shape, axis=axis, index=at % size)
    if index.value.ndim > 1:
        return _table(reader, reader.tensor(value), int(node.get("axis", 0)), index.value)
    picked = [int(each) for each in index.value]
    if not picked or any(not -size <= each < size for each in picked):
        raise Wrong(f"it picks from {size} what is not there")
    picked = [each % size for each in picked]
    if picked == list(reversed(range(size))):
        made = reader.call("flip", [call], call.shape, axes=(axis,))
        return Last(made) if turned else made
    runs: list[list[int]] = []
    for each in picked:
        if runs and runs[-1][1] == each:
            runs[-1][1] += 1
        else:
            runs.append([each, each + 1])
    if len(runs) > _MOST_PARTS:
        raise CannotSay(f"it picks {len(picked)} places one by one")
    parts = [_part(reader, call, axis, start, stop) for start, stop in runs]
    made = parts[0]
    if len(parts) > 1:
        shape = list(call.shape)
        shape[axis] = len(picked)
        made = reader.call("concat", parts, shape, axis=axis)
    return Last(made) if turned else made


def _table(reader: Reader, call: Call, axis: int, table: Any) -> Value:
    """A table of all places along an axis, in the order of some axes that it is divided into."""
    axis %= len(call.shape)
    sizes, size = table.shape, call.shape[axis]
    steps = [
        int(numpy.take(table, 1, axis=at).flat[0] - table.flat[0]) if count > 1 else 0
        for at, count in enumerate(sizes)
    ]
    order = sorted(range(table.ndim), key=lambda at: (sizes[at] == 1, -steps[at]))
    expected = numpy.zeros((), numpy.int64)
    for count, step in zip(sizes, steps, strict=True):
        expected = expected[..., None] + numpy.arange(count) * step
    dense = numpy.ravel(numpy.transpose(table, order))
    if dense.size != size or (dense != numpy.arange(size)).any() or (expected != table).any():
        raise CannotSay("it picks a table of places")
    before, after = call.shape[:axis], call.shape[axis + 1 :]
    split = reader.reshaped(call, [*before, *[sizes[at] for at in order], *after])
    back = [axis + order.index(at) for at in range(table.ndim)]
    rest = range(axis + table.ndim, len(before) + table.ndim + len(after))
    return reader.permuted(split, [*range(axis), *back, *rest])


@reads("Pad")
def read_pad(reader: Reader, node: Node, args: list[Any]) -> Value:
    value = args[0]
    rank = len(value.shape)
    pads = reader.ints(args[1]) if len(args) > 1 else node.ints("pads") or node.ints("paddings")
    fill = reader.number(args[2]) if len(args) > 2 else float(node.get("value", 0.0))
    axes = reader.ints(args[3]) if len(args) > 3 else None
    if pads is None:
        raise Wrong("it does not say how much it pads")
    sides = [(0, 0)] * rank
    count = len(pads) // 2
    for at, axis in enumerate(axes if axes is not None else range(count)):
        if not -rank <= axis < rank or at + count >= len(pads) or abs(pads[at]) > 10**9:
            raise Wrong("it pads axes that are not there")
        sides[axis % rank] = (pads[at], pads[at + count])
    mode = node.word("mode", "constant")
    if not any(low or high for low, high in sides):
        return value  # type: ignore[no-any-return]
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in modes:
        raise CannotSay(f"it pads by {mode}")
    call = value.call if isinstance(value, Last) else reader.tensor(value)
    if isinstance(value, Last):
        sides = [sides[axis] for axis in first(rank)]
    shape = [size + low + high for size, (low, high) in zip(call.shape, sides, strict=True)]
    made = reader.call(
        "pad", [call], shape, sides=tuple(sides), mode=modes[mode], value=fill or 0.0
    )
    return Last(made) if isinstance(value, Last) else made


# ---- sums and means -----------------------------------------------------------------------------

REDUCTIONS = {
    "ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "amax", "ReduceMin": "amin",
    "ReduceL2": "norm", "ReduceL1": "norm", "ReduceSumSquare": "sum",
}  # fmt: skip


@reads(*REDUCTIONS)
def read_reduction(reader: Reader, node: Node, args: list[Any]) -> Value:
    value = args[0]
    rank = len(value.shape)
    if len(args) > 1:
        reader.ints(args[1])
    axes = axes_of(node, reader.arrays(args))
    if not axes:
        if node.get("noop_with_empty_axes"):
            return value  # type: ignore[no-any-return]
        axes = list(range(rank))
    if any(not -rank <= axis < rank for axis in axes):
        raise Wrong("it reduces axes that are not there")
    axes = sorted({axis % rank for axis in axes})
    keep = bool(node.get("keepdims", 1))
    if node.op == "ReduceSumSquare":
        value = unary(reader, value, "pow", exponent=2.0)
    given = {"p": 2.0 if node.op == "ReduceL2" else 1.0} if "ReduceL" in node.op else {}
    function = REDUCTIONS[node.op]

    def reduced(call: Call, along: Sequence[int]) -> Call:
        shape = [
            1 if axis in along else size
            for axis, size in enumerate(call.shape)
            if keep or axis not in along
        ]
        return reader.call(function, [call], shape, axes=tuple(along), keep=keep, **given)

    if isinstance(value, Last):
        order = last(rank)
        rest = [order[axis] for axis in range(rank) if axis not in axes]
        if keep or rest == sorted(rest):
            made = reduced(value.call, sorted(order[axis] for axis in axes))
            return Last(made) if keep else made
    return reduced(reader.tensor(value), axes)


# ---- einsum -------------------------------------------------------------------------------------


@reads("Einsum")
def read_einsum(reader: Reader, node: Node, args: list[Any]) -> Value:
    """Permutes and a product of matrices, for an equation of two operands."""
    equation = node.word("equation", "").replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        letters = "".join(terms)
        out = "".join(sorted(each for each in set(letters) if letters.count(each) == 1))
    known = [*terms, out]
    if any(len(set(term)) != len(term) or "." in term for term in known) or len(terms) > 2:
        raise CannotSay(f"the equation {equation[:40]} is not a product of two tensors")
    if len(terms) != len(args) or any(
        len(term) != len(each.shape) for term, each in zip(terms, args, strict=True)
    ):
        raise Wrong(f"the equation {equation[:40]} does not fit its inputs")
    if len(terms) == 1:
        gone = [at for at, letter in enumerate(terms[0]) if letter not in out]
        value = reader.tensor(args[0])
        kept = [letter for letter in terms[0] if letter in out]
        if gone:
            shape = [value.shape[terms[0].index(letter)] for letter in kept]
            value = reader.call("sum", [value], shape, axes=tuple(gone), keep=False)
        return reader.permuted(value, [kept.index(letter) for letter in out])
    return _product(reader, terms, out, args)


def _product(reader: Reader, terms: Sequence[str], out: str, args: Sequence[Value]) -> Value:
    one, other = terms
    sizes: dict[str, int] = {}
    for term, each in zip(terms, args, strict=True):
        for letter, size in zip(term, each.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise Wrong("one letter of its equation has two sizes")
    batch = [each for each in out if each in one and each in other]
    summed = [each for each in one if each in other and each not in out]
    rows = [each for each in out if each in one and each not in other]
    columns = [each for each in out if each in other and each not in one]
    if any(each not in batch + summed + rows for each in one) or any(
        each not in batch + summed + columns for each in other
    ):
        raise CannotSay("its equation sums over a single tensor")

    def laid(value: Value, term: str, order: list[str], shape: list[int]) -> Value:
        axes = [term.index(each) for each in order]
        if isinstance(value, Held):
            return value._replace(value=numpy.transpose(value.value, axes).reshape(shape))
        return reader.reshaped(reader.permuted(reader.tensor(value), axes), shape)

    def counts(letters: Sequence[str]) -> list[int]:
        return [sizes[each] for each in letters]

    lots, high, deep, wide = map(counts, (batch, rows, summed, columns))
    first_matrix = laid(args[0], one, batch + rows + summed, [*lots, prod(high), prod(deep)])
    second = laid(args[1], other, batch + summed + columns, [*lots, prod(deep), prod(wide)])
    made = matmul(reader, first_matrix, second)
    natural = batch + rows + columns
    made = reader.reshaped(made, [sizes[each] for each in natural])
    return reader.permuted(made, [natural.index(each) for each in out])


__all__ = ["Flat", "binary", "filled"]
