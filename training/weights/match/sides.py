"""The layers of target and source while a state dict is matched, with counts by shape."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from itertools import accumulate

from .color_refinement import interchangeable
from .flow import Flow, Part
from .layer import Kind, Layer, prefix_of
from .linear_order import Heads, Paths, line
from .names import Tag
from .paths import path_tags

Sign = tuple[Kind, Hashable]
"""What paired layers have in common: their kind and the shape of their weight; also whether they
have a bias, if on both sides equally many layers of that kind and shape have one."""

Candidates = dict[Layer, set[Layer]]
"""For each layer of the source: the layers of the target that it may be."""


class Sides:
    def __init__(self, flow: Flow, sources: Sequence[Layer]) -> None:
        self.flow = flow
        self.targets = list(flow.places)
        self.sources = sources
        in_target, in_source = _biases(self.targets), _biases(sources)
        self._bias_counts = {
            key for key, counted in in_target.items() if in_source.get(key) == counted
        }
        self.sign = {layer: self._sign(layer) for layer in (*self.targets, *sources)}
        self.target_count = Counter(self.sign[layer] for layer in self.targets)
        self.source_count = Counter(self.sign[layer] for layer in sources)

    def _sign(self, layer: Layer) -> Sign:
        if (layer.kind, layer.form) in self._bias_counts:
            return layer.kind, (layer.form, "bias" in layer.tensors)
        return layer.kind, layer.form

    def label(self, part: Part) -> Hashable:
        return part.what if part.layer is None else self.sign[part.layer]

    def is_single(self, layer: Layer) -> bool:
        """Whether no other layer has its kind and shape, on either side."""
        sign = self.sign[layer]
        return self.target_count[sign] == self.source_count[sign] == 1

    @cached_property
    def same(self) -> list[list[Layer]]:
        """Groups of layers of the target that nothing tells apart, not even settings."""

        def label(part: Part) -> Hashable:
            settings = part.layer.settings if part.layer else {}
            return self.label(part), tuple(sorted(settings.items()))

        return interchangeable(self.flow, label, details=True, ordered=True)

    @cached_property
    def own(self) -> list[Layer]:
        """What modules hold themselves (`block.gamma`), beside layers. A file has them before the
        layers of the module, wherever they are used, so its order says nothing about them."""
        keys = {held.key for layer in self.sources for held in layer.tensors.values()}
        above = {
            prefix
            for layer in self.sources
            if layer.name not in keys
            for prefix in accumulate(re.split(r"(?=[./])", prefix_of(layer.name)))
        }
        return [layer for layer in self.bare if prefix_of(layer.name) in above]

    @cached_property
    def bare(self) -> list[Layer]:
        """Tensors that are not called as those of layers are, such as `weight` or `bias`: most are
        what modules hold themselves, although the names of a file may not say of which."""
        return [
            layer
            for layer in self.sources
            if any(held.key == layer.name for held in layer.tensors.values())
        ]

    @cached_property
    def floating(self) -> set[Sign]:
        """What layers look like that modules hold themselves and that others look like, too."""
        count = Counter(self.sign[layer] for layer in self.own)
        places = Counter((self.sign[layer], prefix_of(layer.name)) for layer in self.own)
        return {sign for sign in count if count[sign] < self.source_count[sign]} | {
            sign for (sign, _), several in places.items() if several > 1
        }

    @cached_property
    def lines(self) -> list[list[Layer]]:
        """The orders in which code may define the target's layers."""
        paths: tuple[Paths, ...] = ("written", "short", "long")
        heads: tuple[Heads, ...] = ("written", "last", "before")
        orders = [line(self.flow, path, head) for head in heads for path in paths]
        return [each for number, each in enumerate(orders) if each not in orders[:number]]

    @cached_property
    def tags(self) -> dict[Layer, frozenset[Tag]]:
        return path_tags(self.flow)


def _biases(layers: Iterable[Layer]) -> dict[Sign, Counter[bool]]:
    """For each kind and shape, the number of layers with and without a bias."""
    biases: dict[Sign, Counter[bool]] = {}
    for layer in layers:
        biases.setdefault((layer.kind, layer.form), Counter())["bias" in layer.tensors] += 1
    return biases
