"""Both sides of a match where theirs is a dict, and what they agree in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property

from .flow import Flow, Part
from .layer import Kind, Layer
from .linear_order import Heads, Paths, line
from .names import Tag
from .paths import path_tags

Sign = tuple[Kind, Hashable]
"""What two layers have to agree in: their kind and the shape of their weight; and in whether they
have a bias, where as many of both sides have one."""


class Sides:
    def __init__(self, flow: Flow, sources: Sequence[Layer]) -> None:
        self.flow = flow
        self.targets = list(flow.places)
        self.sources = sources
        mine, others = _biases(self.targets), _biases(sources)
        self._told_by_bias = {key for key, counted in mine.items() if others.get(key) == counted}
        self.sign = {layer: self._sign(layer) for layer in (*self.targets, *sources)}
        self.target_count = Counter(self.sign[layer] for layer in self.targets)
        self.source_count = Counter(self.sign[layer] for layer in sources)

    def _sign(self, layer: Layer) -> Sign:
        if (layer.kind, layer.form) in self._told_by_bias:
            return layer.kind, (layer.form, "bias" in layer.tensors)
        return layer.kind, layer.form

    def label(self, part: Part) -> Hashable:
        return part.what if part.layer is None else self.sign[part.layer]

    def is_single(self, layer: Layer) -> bool:
        """Whether there is nothing else of its shape, here or there."""
        sign = self.sign[layer]
        return self.target_count[sign] == self.source_count[sign] == 1

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
