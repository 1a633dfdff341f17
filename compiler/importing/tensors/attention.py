"""Attention: queries, keys and values as tensors by heads, by windows or grids, become one layer.
Which channels are heads and which places a window is read off their views.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from ...shapes import Shape
from ..graph import Layer
from .known import computed, reshaped
from .program import Constant
from .views import BATCH, Axis, Part, View, merged, permuted

if TYPE_CHECKING:
    from .compose import Composer

_CLOSE = 1e-5


class Unfolded(NamedTuple):
    """What could not be read as an attention."""

    why: str


class Scores(NamedTuple):
    """The product of two views as matrices, scaled, with something added, and normalized."""

    left: View
    right: View
    scale: float = 1.0
    added: Constant | None = None
    softmax: bool = False
    why: str = ""
    """Why it is no attention, if it is not."""

    @classmethod
    def of(cls, left: View, right: View) -> Scores:
        return cls(left, right)

    def times(self, number: float) -> Scores:
        if self.softmax or self.added is not None:
            return self._replace(why="it scales the weights of an attention")
        return self._replace(scale=self.scale * number)

    def plus(self, added: Constant) -> Scores:
        if self.softmax:
            return self._replace(why="it adds to the weights of an attention")
        both = added if self.added is None else computed("add", self.added, added)
        return self._replace(added=both)

    def normalized(self, axis: int) -> Scores:
        if self.softmax or axis != len(self.left.axes) - 1:
            return self._replace(why="its softmax is not over the keys")
        return self._replace(softmax=True)

    def reshaped(self, shape: Shape) -> Scores:
        same = tuple([side for side in shape if side > 1]) == tuple(
            [side for side in self.shape if side > 1]
        )
        return (
            self
            if same and len(shape) == len(self.left.axes)
            else self._replace(why="its scores get another shape")
        )

    def permuted(self, axes: Sequence[int]) -> Scores:
        return self._replace(why="its scores are permuted")

    @property
    def shape(self) -> Shape:
        return (*self.left.shape[:-1], self.right.shape[-1])


def weighted(to: Composer, scores: Scores, values: View) -> View | Unfolded:
    """The values, weighted by scores."""
    if scores.why:
        return Unfolded(scores.why)
    if not scores.softmax:
        return Unfolded("it multiplies matrices that are not those of an attention")
    rank = len(scores.right.axes)
    keys = permuted(scores.right, (*range(rank - 2), rank - 1, rank - 2))
    return attended(to, scores.left, keys, values, scores.scale, scores.added)


class _Operand(NamedTuple):
    """Queries, keys or values."""

    view: View
    heads: Part | None
    channels: Part | None
    windows: tuple[Part, ...]
    """What tells windows apart, by the axes of the map."""
    places: Axis


def _read(view: View) -> _Operand | str:
    *before, places, channels = view.axes
    outside = [part for axis in before for part in axis]
    heads = [part for part in outside if part.axis == 0]
    windows = sorted([part for part in outside if part.axis > 0], key=lambda p: p.axis)
    if [p for p in outside if p.axis < BATCH] or len(heads) > 1 or len(channels) > 1:
        return "its heads are not parts of the channels"
    if any(p.axis != 0 for p in channels) or any(p.axis < 1 for p in places):
        return "it does not attend to places by their channels"
    return _Operand(
        view,
        heads[0] if heads else None,
        channels[0] if channels else None,
        tuple(windows),
        places,
    )


def attended(
    to: Composer, q: View, k: View, v: View, scale: float, added: Constant | None
) -> View | Unfolded:
    """The layer `attention` of three views, or why there is none."""
    operands = [_read(each) for each in (q, k, v)]
    for each in operands:
        if isinstance(each, str):
            return Unfolded(each)
    queries, keys, values = (each for each in operands if isinstance(each, _Operand))
    count = queries.heads.size if queries.heads else 1
    each_key = queries.channels.size if queries.channels else 1
    each_value = values.channels.size if values.channels else 1
    ratio = scale * each_key**0.5
    given: dict[str, Any] = {"heads": count}
    divided = [_divided(each) for each in (queries, keys, values)]
    if any(each is None for each in divided):
        return Unfolded("it attends to places in an order that windows and grids do not have")
    names = {next(iter(each), "") for each in divided if each is not None}
    if len({str(each) for each in divided}) > 1 or len(names) > 1:
        return Unfolded("its queries and keys are in different windows")
    given.update(divided[0] or {})
    one = _one_map(queries, keys, values, count)
    inputs: list[Layer]
    if one is not None and abs(ratio - 1) < _CLOSE:
        inputs, given = [one.layer], {**given, **one.given}
    else:
        views = [to.settled(each.view) for each in (queries, keys, values)]
        inputs = [each.layer for each in views]
        for read, layer in zip((queries, keys, values), inputs, strict=True):
            own = read.channels.size if read.channels else 1
            heads = read.heads.size if read.heads else 1
            if layer.shape[0] != own * heads or (heads not in (1, count)):
                return Unfolded("its channels are not those of its heads")
        if abs(ratio - 1) >= _CLOSE:
            inputs[0] = to.add("scale_by", inputs[0], factor=ratio)
    bias: Constant | None = None
    if added is not None:
        part = given.get("windows") or given.get("grid")
        sides = [part or each.view.layer.shape[1:] for each in (queries, keys)]
        table = _position(added, count, *sides)
        if isinstance(table, Unfolded):
            return table
        bias = table
        given["position"] = "bias"
    layer = to.add("attention", *inputs, **given)
    if bias is not None:
        to.weigh(layer, position_bias=bias)
    axes = [
        merged([Part(0, each_value, count) if part.axis == 0 else part for part in axis])
        for axis in q.axes[:-1]
    ]
    return View(layer, (*axes, merged([Part(0, 1, each_value)])), (0,) * len(layer.shape))


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


def _position(
    added: Constant, heads: int, queries: Sequence[int], keys: Sequence[int]
) -> Constant | Unfolded:
    """The learned number of each distance, of a table with one for each query and key."""
    why = Unfolded("what it adds to its scores depends on more than the distance")
    wide = tuple([side for side in added.shape if side > 1])
    count, others = prod(queries), prod(keys)
    if prod(added.shape) != heads * count * others or wide != tuple(
        [side for side in (heads, count, others) if side > 1]
    ):
        return why
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
        return why
    return computed("permute", Constant(table, added.name), axes=(1, 0)) or why
