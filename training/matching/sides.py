"""Both sides of a match where theirs is a dict, and what they agree in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from functools import cached_property

from .flow import Flow, Part
from .layer import Layer, Shape
from .line import Heads, Paths, line
from .names import Tag
from .paths import path_tags

Sign = tuple[Hashable, Shape]
"""What two layers have to agree in: their kind and the shape of their weight."""


def sign_of(layer: Layer) -> Sign:
    return layer.kind, layer.form


def label(part: Part) -> Hashable:
    return part.what if part.layer is None else sign_of(part.layer)


class Sides:
    """Ours by part of the flow, theirs by number."""

    def __init__(self, flow: Flow, layers: Sequence[Layer]) -> None:
        self.flow = flow
        self.ours: dict[int, Sign] = {part: sign_of(flow.layer(part)) for part in flow.layers}
        self.theirs: list[Sign] = [sign_of(layer) for layer in layers]
        self.names: list[str] = [layer.name for layer in layers]
        self.our_count = Counter(self.ours.values())
        self.their_count = Counter(self.theirs)

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
