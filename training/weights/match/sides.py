"""Both sides of a match where theirs is a dict, and what they agree in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property

from .flow import Flow, Part
from .layer import Kind, Layer
from .line import Heads, Paths, line
from .names import Tag
from .paths import path_tags

Sign = tuple[Kind, Hashable]
"""What two layers have to agree in: their kind and the shape of their weight; and in whether they
have a bias, where as many of both sides have one."""


class Sides:
    def __init__(self, flow: Flow, theirs: Sequence[Layer]) -> None:
        self.flow = flow
        self.ours = list(flow.places)
        self.theirs = theirs
        mine, others = _biases(self.ours), _biases(theirs)
        self._told_by_bias = {key for key, counted in mine.items() if others.get(key) == counted}
        self.sign = {layer: self._sign(layer) for layer in (*self.ours, *theirs)}
        self.our_count = Counter(self.sign[layer] for layer in self.ours)
        self.their_count = Counter(self.sign[layer] for layer in theirs)

    def _sign(self, layer: Layer) -> Sign:
        if (layer.kind, layer.form) in self._told_by_bias:
            return layer.kind, (layer.form, "bias" in layer.tensors)
        return layer.kind, layer.form

    def label(self, part: Part) -> Hashable:
        return part.what if part.layer is None else self.sign[part.layer]

    def is_single(self, layer: Layer) -> bool:
        """Whether there is nothing else of its shape, here or there."""
        sign = self.sign[layer]
        return self.our_count[sign] == self.their_count[sign] == 1

    @cached_property
    def lines(self) -> list[list[Layer]]:
        """All orders in which ours may have been put down."""
        paths: tuple[Paths, ...] = ("written", "short", "long")
        heads: tuple[Heads, ...] = ("written", "last", "before")
        found = [line(self.flow, path, head) for head in heads for path in paths]
        return [each for number, each in enumerate(found) if each not in found[:number]]

    @cached_property
    def tags(self) -> dict[Layer, frozenset[Tag]]:
        return path_tags(self.flow)


def _biases(layers: Iterable[Layer]) -> dict[Sign, Counter[bool]]:
    """By kind and shape: how many layers have a bias, and how many have none."""
    found: dict[Sign, Counter[bool]] = {}
    for layer in layers:
        found.setdefault((layer.kind, layer.form), Counter())["bias" in layer.tensors] += 1
    return found
