"""What attention has in common, over places and over channels: queries, keys and values from one
map or three, and how their channels are divided among heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from ...shapes import Pair, PerAxis, Shape, ShapeError, as_map, text
from ..base import ANY_AXES, Autocast, Kind, Op
from ..worked import Element, exp

COUNTED = (
    "\nproducts of two maps count as multiply-adds here, as in torch's FLOP counter; tools that"
    " count layers with weights alone leave them out"
)


class Heads(NamedTuple):
    """How the channels of queries, keys and values are divided."""

    key: int
    """Channels of a query, and of a key, in each head."""
    value: int
    """Channels of a value in each head."""
    shared: bool
    """Whether all heads read the same keys and values."""
    queries: PerAxis
    keys: PerAxis
    """The sizes of the maps: height and width."""


class OverMaps(Op):
    """Reads queries, keys and values: one map with the channels of all three, or three maps."""

    autocast: ClassVar[Autocast] = "low"
    kind: ClassVar[Kind] = "attention"
    spatial_axes: ClassVar[tuple[int, ...]] = ANY_AXES
    paths: ClassVar[tuple[str, ...]] = ("queries", "keys", "values")
    scales: ClassVar[bool] = False

    heads: int
    key: int | None = None
    by_head: bool = False

    def divided(self, *inputs: Shape) -> Heads:
        """How the channels are divided; raises ShapeError if they cannot be."""
        return self.by_heads(inputs)

    def by_heads(self, inputs: Sequence[Shape]) -> Heads:
        """The same, whatever else an operation asks of its inputs."""
        maps = [as_map(shape, self.word) for shape in inputs]
        if len(maps) == 1:
            return self._of_one(maps[0][0], maps[0][1:])
        (queries, *place), (keys, *key_place), (values, *value_place) = maps
        if key_place != value_place:
            raise ShapeError(
                f"there is a value for each key, but the keys are {text(tuple(key_place))} and the"
                f" values {text(tuple(value_place))}",
                "use the same strides in both paths",
            )
        if queries % self.heads:
            raise ShapeError(*self._cannot(queries, "channels of queries"))
        each = queries // self.heads
        if keys not in (each, queries):
            raise ShapeError(
                f"queries have {queries} channels, {each} in each of {self.heads} heads, and keys"
                f" have {keys}",
                f"end the path of the keys with `conv {queries}`, or with `conv {each}` if all"
                " heads share them",
            )
        shared = keys == each and self.heads > 1
        if not shared and values % self.heads:
            raise ShapeError(*self._cannot(values, "channels of values"))
        value = values if shared else values // self.heads
        if len(place) != len(key_place):
            raise ShapeError(
                f"queries are {text(tuple(place))} and keys {text(tuple(key_place))}: they have"
                " different axes",
                "give all three paths the same axes",
            )
        return Heads(each, value, shared, tuple(place), tuple(key_place))

    def _of_one(self, channels: int, places: PerAxis) -> Heads:
        if self.key is None:
            each, rest = divmod(channels, 3 * self.heads)
            if rest or not each:
                total = 3 * self.heads
                raise ShapeError(
                    f"{channels} channels cannot be divided into queries, keys and values of"
                    f" {self.heads} heads",
                    f"`conv {max(-(-channels // total), 1) * total}` before it would fit: a third"
                    " each",
                )
            return Heads(each, each, False, places, places)
        value, rest = divmod(channels - 2 * self.heads * self.key, self.heads)
        if rest or value < 1:
            raise ShapeError(
                f"{channels} channels less 2*{self.heads}*{self.key} of queries and keys cannot be"
                f" divided into values of {self.heads} heads",
                f"`conv {2 * self.heads * self.key + channels}` before it leaves {channels} for"
                " values"
                if channels % self.heads == 0
                else f"a number of channels that {self.heads} divides",
            )
        return Heads(self.key, value, False, places, places)

    def _cannot(self, channels: int, what: str) -> tuple[str, str]:
        nearest = -(-channels // self.heads) * self.heads
        return (
            f"{channels} {what} cannot be divided into {self.heads} heads",
            f"{nearest} would: {nearest // self.heads} in each",
        )

    def output(self, *inputs: Shape) -> Shape:
        heads = self.divided(*inputs)
        return self.heads * heads.value, *heads.queries

    def gives_view(self, *inputs: Shape) -> bool:
        return True

    def _query(self, element: Element, heads: Heads, head: int, n: int) -> Pair:
        """The input and the channel of channel `n` of a query."""
        if self.by_head and len(element.inputs) == 1:
            return 0, head * (2 * heads.key + heads.value) + n
        return 0, head * heads.key + n

    def _key(self, element: Element, heads: Heads, head: int, n: int) -> Pair:
        if len(element.inputs) > 1:
            return 1, n if heads.shared else head * heads.key + n
        if self.by_head:
            return 0, head * (2 * heads.key + heads.value) + heads.key + n
        return 0, (self.heads + head) * heads.key + n

    def _value(self, element: Element, heads: Heads, head: int, n: int) -> Pair:
        if len(element.inputs) > 1:
            return 2, n if heads.shared else head * heads.value + n
        if self.by_head:
            return 0, head * (2 * heads.key + heads.value) + 2 * heads.key + n
        return 0, 2 * self.heads * heads.key + head * heads.value + n


def softmax(scores: Sequence[float]) -> list[float]:
    most = max(scores)
    powers = [exp(score - most) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]
