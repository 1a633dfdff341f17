"""Both sides of a match where theirs is a dict, and what they agree in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property

from .flow import Flow, Part
from .layer import Kind, Layer, Shape
from .line import Heads, Paths, line
from .names import Tag
from .paths import path_tags

Sign = tuple[Kind, Hashable]
"""What two layers have to agree in: their kind and the shape of their weight; and in whether they
have a bias, where as many of both sides have one."""


class Sides:
    """Ours by part of the flow, theirs by number."""

    def __init__(self, flow: Flow, layers: Sequence[Layer]) -> None:
        self.flow = flow
        mine = [flow.layer(part) for part in flow.layers]
        self._told_by_bias = _agreeing(_biases(mine), _biases(layers))
        self.ours: dict[int, Sign] = {part: self._sign(flow.layer(part)) for part in flow.layers}
        self.theirs: list[Sign] = [self._sign(layer) for layer in layers]
        self.names: list[str] = [layer.name for layer in layers]
        self.our_count = Counter(self.ours.values())
        self.their_count = Counter(self.theirs)

    def _sign(self, layer: Layer) -> Sign:
        if (layer.kind, layer.form) in self._told_by_bias:
            return layer.kind, (layer.form, "bias" in layer.tensors)
        return layer.kind, layer.form

    def label(self, part: Part) -> Hashable:
        return part.what if part.layer is None else self._sign(part.layer)

    def is_single(self, our: int) -> bool:
        """Whether there is nothing else of its shape, here or there."""
        sign = self.ours[our]
        return self.our_count[sign] == self.their_count[sign] == 1

    @cached_property
    def lines(self) -> list[list[int]]:
        """All orders in which ours may have been put down."""
        paths: tuple[Paths, ...] = ("written", "short", "long")
        heads: tuple[Heads, ...] = ("written", "last", "before")
        found = [line(self.flow, path, head) for head in heads for path in paths]
        return [each for number, each in enumerate(found) if each not in found[:number]]

    @cached_property
    def tags(self) -> dict[int, frozenset[Tag]]:
        return path_tags(self.flow)


_Biases = dict[tuple[Kind, Shape], Counter[bool]]
"""By kind and shape: how many layers have a bias, and how many have none."""


def _biases(layers: Iterable[Layer]) -> _Biases:
    found: _Biases = {}
    for layer in layers:
        found.setdefault((layer.kind, layer.form), Counter())["bias" in layer.tensors] += 1
    return found


def _agreeing(ours: _Biases, theirs: _Biases) -> frozenset[tuple[Kind, Shape]]:
    return frozenset(key for key, counted in ours.items() if theirs.get(key) == counted)
