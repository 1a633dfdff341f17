"""Attention: queries, keys and values as tensors by heads, by windows or grids, become one layer.
Which channels are heads and which places a window is read off their views.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from ..graph import Layer
from .composer import AS_MAP, Composer, Unsayable, Value, constant, says
from .known import computed, number_of, reshaped
from .known import permuted as turned
from .program import Call, Constant
from .scores import Scores, Unit
from .views import BATCH, Axis, Part, View, length, merged, permuted, whole

_CLOSE = 1e-5


@says("softmax", scores=True)
def _softmax(to: Composer, call: Call, x: Value) -> Value:
    axis = call.settings["axis"]
    normalized = x.normalized(axis) if isinstance(x, Scores) else None
    return normalized or _softmax_of(to, to.settled(to.no_scores(x)), axis)


def _softmax_of(to: Composer, view: View, axis: int) -> View:
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


@says("matmul", scores=True)
def _matmul(to: Composer, call: Call, a: Value, b: Value) -> Value:
    scale = call.settings["scale"]
    if isinstance(a, Scores) and a.softmax and scale == 1 and isinstance(b, View):
        return _weighted(to, a, b)
    if isinstance(a, Unit) and isinstance(b, Unit):
        last = len(a.view.axes) - 1
        unit = (a.axis, b.axis) == (last, last - 1)
        return Scores(a.view, b.view, scale=scale, unit=unit)
    a, b = to.no_scores(a), to.no_scores(b)
    if isinstance(a, View) and isinstance(b, View):
        return Scores(a, b, scale=scale)
    raise Unsayable("it multiplies matrices that are not computed from the input")


@says(AS_MAP)
def _as_map(to: Composer, scores: Scores) -> View:
    """The product of two maps as matrices: `matmul`."""
    if scores.unit or scores.positioned or scores.temperature is not None:
        raise Unsayable("its scores are not those of an attention")
    left, right = to.settled(scores.left), to.settled(scores.right)
    first, first_turned = _matrix(to, left)
    second, second_turned = _matrix(to, right)
    layer = to.add("matmul", first, second, transpose=first_turned, transpose_right=second_turned)
    if scores.scale != 1:
        layer = to.add("scale_by", layer, factor=scores.scale)
    columns = merged([part for n in range(1, len(layer.shape)) for part in whole(layer.shape, n)])
    view = View(layer, (*left.axes[:-2], whole(layer.shape, 0), columns), (0,) * len(layer.shape))
    return _softmax_of(to, view, len(view.axes) - 1) if scores.softmax else view


def _matrix(to: Composer, view: View) -> tuple[Layer, bool]:
    """A map that is a matrix of channels by places, and whether the tensor has it the other way
    round."""
    *before, rows, columns = view.axes
    images = merged([Part(BATCH, 1, to.batch)])
    if [axis for axis in before if axis] != [axis for axis in [images] if axis]:
        raise Unsayable("it multiplies matrices of several heads")
    shape = view.layer.shape
    places = merged([part for n in range(1, len(shape)) for part in whole(shape, n)])
    if len(shape) > 1 and (rows, columns) == (whole(shape, 0), places):
        return view.layer, False
    if len(shape) > 1 and (columns, rows) == (whole(shape, 0), places):
        return view.layer, True
    return to.map(view._replace(axes=(images, rows, columns))), False


@says("attention")
def _attention(to: Composer, call: Call, q: Value, k: Value, v: Value, mask: Value = None) -> Value:
    if not (isinstance(q, View) and isinstance(k, View) and isinstance(v, View)):
        raise Unsayable("it attends to something else than the input")
    return _attended(to, q, k, v, call.settings["scale"], constant(mask))


@says("add_relative", scores=True)
def _add_relative(to: Composer, call: Call, scores: Value, height: Value, width: Value) -> Scores:
    if not isinstance(scores, Scores) or scores.softmax or scores.positioned:
        raise Unsayable("it adds positions to something else than scores")
    assert isinstance(height, Constant)
    assert isinstance(width, Constant)
    return scores._replace(relative=(height, width))


@says("normalize")
def _normalize(to: Composer, call: Call, x: Value) -> Unit:
    axes = call.settings["axes"]
    if not isinstance(x, View) or len(axes) != 1:
        raise Unsayable("it divides by the length of something else than a vector")
    return Unit(x, axes[0])


def with_scores(call: Call, one: Value, two: Value) -> Scores | None:
    """Sums and products of the scores of an attention; None for others."""
    scores, other = (one, two) if isinstance(one, Scores) else (two, one)
    if not isinstance(scores, Scores) or not isinstance(other, (int, float, Constant)):
        return None
    if call.function == "add" and isinstance(other, Constant):
        return scores.plus(other)
    if call.function not in ("mul", "div"):
        return None
    number = number_of(other)
    if number is not None and (isinstance(other, (int, float)) or other.shape == ()):
        return scores.times(number)
    return scores.heated(other) if isinstance(other, Constant) else None


def _weighted(to: Composer, scores: Scores, values: View) -> Value:
    """The values, weighted by scores."""
    if scores.unit:
        return _of_channels(to, scores, values)
    if scores.temperature is not None:
        raise Unsayable("its scores have a learned factor")
    try:
        return _attended(
            to, scores.left, _turned(scores.right), values, scores.scale, scores.added,
            scores.relative,
        )  # fmt: skip
    except Unsayable:
        if scores.positioned or len([axis for axis in scores.left.axes if axis]) > 3:
            raise
        return Scores(_as_map(to, scores), values)  # without heads, matrices say the same


def _turned(view: View) -> View:
    """The last two axes exchanged."""
    rank = len(view.axes)
    return permuted(view, (*range(rank - 2), rank - 1, rank - 2))


def _of_channels(to: Composer, scores: Scores, values: View) -> View:
    """`cross_covariance`: each channel gets a mean of channels."""
    views = [_turned(scores.left), scores.right, _turned(values)]
    queries, keys, others = (_read(each) for each in views)
    count = queries.heads.size if queries.heads else 1
    places = [_divided(each) for each in (queries, keys, others)]
    if any(each != {} for each in places) or scores.positioned:
        raise Unsayable("it attends to channels within windows")
    temperature = scores.temperature
    if temperature is not None and scores.scale != 1:
        temperature = computed("mul", temperature, scores.scale)
    if temperature is None or prod(temperature.shape) != count:
        raise Unsayable("its temperature is not that of the heads")
    one = _one_map(queries, keys, others, count)
    given = {"heads": count, **(one.given if one else {})}
    inputs = [one.layer] if one else _inputs(to, (queries, keys, others), count)
    layer = to.add("cross_covariance", *inputs, **given)
    to.weigh(layer, temperature=temperature)
    return _turned(_result(layer, views[0], count, views[2].shape[-1]))


class _Operand(NamedTuple):
    """Queries, keys or values."""

    view: View
    heads: Part | None
    channels: Part | None
    windows: tuple[Part, ...]
    """What tells windows apart, by the axes of the map."""
    places: Axis


def _read(view: View) -> _Operand:
    *before, places, channels = view.axes
    outside = [part for axis in before for part in axis]
    heads = [part for part in outside if part.axis == 0]
    windows = sorted([part for part in outside if part.axis > 0], key=lambda p: p.axis)
    if [p for p in outside if p.axis < BATCH] or len(heads) > 1 or len(channels) > 1:
        raise Unsayable("its heads are not parts of the channels")
    if any(p.axis != 0 for p in channels) or any(p.axis < 1 for p in places):
        raise Unsayable("it does not attend to places by their channels")
    return _Operand(
        view,
        heads[0] if heads else None,
        channels[0] if channels else None,
        tuple(windows),
        places,
    )


def _attended(
    to: Composer,
    q: View,
    k: View,
    v: View,
    scale: float,
    added: Constant | None,
    relative: tuple[Constant, Constant] | None = None,
) -> View:
    """The layer `attention` of three views."""
    queries, keys, values = operands = (_read(q), _read(k), _read(v))
    count = queries.heads.size if queries.heads else 1
    ratio = scale * q.shape[-1] ** 0.5
    divided = [_divided(each) for each in operands]
    if any(each is None for each in divided):
        raise Unsayable("it attends to places in an order that windows and grids do not have")
    windows = _same_windows(divided, *[each.view.layer.shape[1:] for each in (queries, keys)])
    given: dict[str, Any] = {"heads": count, **windows}
    one = _one_map(queries, keys, values, count)
    if one is not None and abs(ratio - 1) < _CLOSE:
        inputs, given = [one.layer], {**given, **one.given}
    else:
        inputs = _inputs(to, operands, count)
        if abs(ratio - 1) >= _CLOSE:
            inputs[0] = to.add("scale_by", inputs[0], factor=ratio)
    table: Constant | None = None
    if added is not None:
        part = given.get("windows") or given.get("grid")
        sides = [part or each.view.layer.shape[1:] for each in (queries, keys)]
        table = _position(added, count, *sides)
        given["position"] = "bias"
    if relative is not None:
        if added is not None:
            raise Unsayable("it has two kinds of positions")
        given["position"] = "relative"
    layer = to.add("attention", *inputs, **given)
    if table is not None:
        to.weigh(layer, position_bias=table)
    if relative is not None:
        to.weigh(layer, height_rel=relative[0], width_rel=relative[1])
    return _result(layer, q, count, v.shape[-1])


def _same_windows(
    divided: Sequence[dict[str, Any] | None], queries: Sequence[int], keys: Sequence[int]
) -> dict[str, Any]:
    """Those of queries, keys and values together. Keys may be read around the windows, too, and
    queries may be at every second place."""
    first, second, third = (each or {} for each in divided)
    if first == second == third:
        return first
    whole_ = first.get("windows", tuple(queries))
    if "windows" in second and second == third and (first.keys() <= {"windows"}):
        sides = zip(whole_, second["windows"], queries, keys, strict=True)
        if all(few * there == many * here for few, many, here, there in sides):
            return second
    raise Unsayable("its queries and keys are in different windows")


def _inputs(to: Composer, operands: Sequence[_Operand], count: int) -> list[Layer]:
    """Queries, keys and values as maps of their own."""
    layers = [to.settled(_without_windows(to, each)).layer for each in operands]
    for each, layer in zip(operands, layers, strict=True):
        heads = each.heads.size if each.heads else 1
        if layer.shape[0] != heads * each.view.shape[-1] or heads not in (1, count):
            raise Unsayable("its channels are not those of its heads")
    return layers


def _without_windows(to: Composer, operand: _Operand) -> View:
    """All places of the channels that it reads."""
    view = operand.view
    if min(view.first) >= 0:
        return view
    channels = merged([part for part in (operand.heads, operand.channels) if part])
    return _everywhere(view, (merged([Part(BATCH, 1, to.batch)]), channels))


def _everywhere(view: View, before: tuple[Axis, ...]) -> View:
    """A view of the whole map, behind other axes."""
    places = [whole(view.layer.shape, n) for n in range(1, len(view.layer.shape))]
    first = (view.first[0], *[0 for _ in places])
    return View(view.layer, (*before, *places), first)


def _result(layer: Layer, queries: View, count: int, channels: int) -> View:
    """What it gives, as a tensor with the axes of the queries."""
    axes = [
        merged([Part(0, channels, count) if part.axis == 0 else part for part in axis])
        for axis in queries.axes[:-1]
    ]
    return View(layer, (*axes, merged([Part(0, 1, channels)])), (0,) * len(layer.shape))


class _One(NamedTuple):
    layer: Layer
    given: dict[str, Any]


def _one_map(queries: _Operand, keys: _Operand, values: _Operand, count: int) -> _One | None:
    """The map that has queries, keys and values in it one after the other."""
    layer = queries.view.layer
    if keys.view.layer is not layer or values.view.layer is not layer:
        return None
    firsts = [each.view.first[0] for each in (queries, keys, values)]
    sizes = [each.channels.size if each.channels else 1 for each in (queries, keys, values)]
    steps = [
        each.heads.step if each.heads else size
        for each, size in zip((queries, keys, values), sizes, strict=True)
    ]
    key, other, value = sizes
    if key != other or layer.shape[0] != count * (2 * key + value):
        return None
    if any((each.heads.size if each.heads else 1) != count for each in (queries, keys, values)):
        return None
    own = {} if key == value else {"key": key}
    if steps == sizes and firsts == [0, count * key, 2 * count * key]:
        return _One(layer, own)
    if steps == [2 * key + value] * 3 and firsts == [0, key, 2 * key]:
        return _One(layer, {**own, "by_head": True})
    return None


def _divided(operand: _Operand) -> dict[str, Any] | None:
    """The arguments for the windows or grids that it attends within; None if its places are in
    another order."""
    shape = operand.view.layer.shape
    axes = range(1, len(shape))
    if min(operand.view.first) < 0:
        return _with_halo(operand)
    if not operand.windows:
        everything = merged([Part(axis, 1, shape[axis]) for axis in axes])
        return {} if operand.places == everything else None
    inside = [prod(part.size for part in operand.places if part.axis == axis) for axis in axes]
    each = [*zip(axes, inside, strict=True)]
    if any(shape[axis] % side for axis, side in each):
        return None
    windows = tuple([p for n, m in each for p in merged([Part(n, m, shape[n] // m)])])
    places = merged([Part(n, 1, m) for n, m in each])
    if (operand.windows, operand.places) == (windows, places):
        return {"windows": tuple(inside)}
    grids = tuple([p for n, m in each for p in merged([Part(n, 1, shape[n] // m)])])
    places = merged([Part(n, shape[n] // m, m) for n, m in each])
    if (operand.windows, operand.places) == (grids, places):
        return {"grid": tuple(inside)}
    return None


def _with_halo(operand: _Operand) -> dict[str, Any] | None:
    """Windows with a border of the same width around each."""
    shape, first = operand.view.layer.shape, operand.view.first
    halos = {-each for each in first[1:]}
    halo = halos.pop()
    inside = [prod(p.size for p in operand.places if p.axis == n) for n in range(1, len(shape))]
    steps = [side - 2 * halo for side in inside]
    each = [*zip(range(1, len(shape)), steps, inside, strict=True)]
    if halos or min(steps) < 1 or any(shape[n] % step for n, step, _ in each):
        return None
    windows = tuple([p for n, s, _ in each for p in merged([Part(n, s, shape[n] // s)])])
    places = merged([Part(n, 1, side) for n, _, side in each])
    if (operand.windows, operand.places) != (windows, places):
        return None
    return {"windows": tuple(steps), "halo": halo}


def _position(added: Constant, heads: int, queries: Sequence[int], keys: Sequence[int]) -> Constant:
    """The learned number of each distance, of a table with one for each query and key."""
    why = Unsayable("what it adds to its scores depends on more than the distance")
    wide = tuple([side for side in added.shape if side > 1])
    count, others = prod(queries), prod(keys)
    if prod(added.shape) != heads * count * others or wide != tuple(
        [side for side in (heads, count, others) if side > 1]
    ):
        raise why
    value: Any = reshaped(added, (heads, count, others)).value
    rows: list[int] = []
    columns: list[int] = []
    for away in product(*[range(n + m - 1) for n, m in zip(queries, keys, strict=True)]):
        row = column = 0
        for far, n, m in zip(away, queries, keys, strict=True):
            query = max(0, far - (m - 1))
            row, column = row * n + query, column * m + m - 1 + query - far
        rows.append(row)
        columns.append(column)
    table = value[:, rows, columns]
    index: list[int] = []
    for here in product(*map(range, queries)):
        for there in product(*map(range, keys)):
            place = 0
            for n, m, a, b in zip(queries, keys, here, there, strict=True):
                place = place * (n + m - 1) + m - 1 + a - b
            index.append(place)
    again = table[:, index].reshape(heads, count, others)
    if not bool((again == value).all()):
        raise why
    return turned(Constant(table, added.name), (1, 0))
