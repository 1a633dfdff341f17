"""The dataflow graph of a network: layers with weights, merges, and the links between them.

Operations without weights (activations, pools, reshapes) are names on the links. So is a merge of a
value with functions of itself, such as `x * x.sigmoid()` or a norm that code writes out. A sum of
sums is one sum, and a concatenation of concatenations is one concatenation.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .layer import Layer
from .operations import comparable

COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum"})
"""Merges whose inputs can be in any order."""


class Link(NamedTuple):
    """An input of a part: the part that it comes from, and the operations on the way."""

    part: int
    through: tuple[str, ...] = ()


class Part(NamedTuple):
    """The input, a layer, a merge or an output."""

    what: str
    """`input`, `layer`, `output`, or the operation of a merge."""
    inputs: tuple[Link, ...]
    layer: Layer | None = None


Label = Callable[[Part], Hashable]
"""The properties in which corresponding parts have to be equal."""


class Use(NamedTuple):
    """A use of a part's output: by which part, as which of its inputs."""

    by: int
    slot: int
    through: tuple[str, ...]


@dataclass(frozen=True)
class Flow:
    """Parts in an order of execution."""

    parts: tuple[Part, ...]

    @cached_property
    def uses(self) -> list[list[Use]]:
        """For each part, the uses of its output."""
        uses: list[list[Use]] = [[] for _ in self.parts]
        for index, part in enumerate(self.parts):
            for slot, link in enumerate(part.inputs):
                uses[link.part].append(Use(index, slot, link.through))
        return uses

    @cached_property
    def places(self) -> dict[Layer, int]:
        """The index of the part of each layer, in the order of the parts."""
        return {part.layer: index for index, part in enumerate(self.parts) if part.layer}

    @cached_property
    def outputs(self) -> list[int]:
        """The main output first, then those of auxiliary heads."""
        return [index for index, part in enumerate(self.parts) if part.what == "output"]

    @cached_property
    def main(self) -> frozenset[int]:
        """The parts that the main output needs: all except auxiliary heads."""
        return frozenset(_needed(self.parts, self.outputs[:1]))

    def without_heads(self) -> Flow:
        """The flow without the parts that only auxiliary heads need."""
        return Flow(_kept(self.parts, self.main))

    def nearest(
        self, layer: Layer, forward: bool, among: Container[Layer]
    ) -> Iterator[Layer | None]:
        """The nearest layers of `among` after (or before) a layer, on every path; None for a path
        that reaches the end of the network."""
        todo, seen = self._beside(self.places[layer], forward), set[int]()
        while todo:
            index = todo.pop()
            if index in seen:
                continue
            seen.add(index)
            part = self.parts[index]
            if part.what in ("input", "output"):
                yield None
            elif part.layer is not None and part.layer in among:
                yield part.layer
            else:
                todo += self._beside(index, forward)

    def _beside(self, index: int, forward: bool) -> list[int]:
        if forward:
            return [use.by for use in self.uses[index]]
        return [link.part for link in self.parts[index].inputs]


def flow_of(parts: Sequence[Part], outputs: Iterable[Link]) -> Flow:
    """The flow of the parts that the outputs need, with nested merges joined."""
    every = _of_one_value([*parts, *(Part("output", (link,)) for link in outputs)])
    ends = [index for index, part in enumerate(every) if part.what == "output"]
    return pruned(_flattened(every, _needed(every, ends)))


def pruned(parts: Sequence[Part]) -> Flow:
    """The flow of the parts that its outputs need."""
    ends = [index for index, part in enumerate(parts) if part.what == "output"]
    return Flow(_kept(parts, _needed(parts, ends)))


def _of_one_value(parts: Sequence[Part]) -> list[Part]:
    """The parts, and links that skip merges whose inputs all come from one part."""
    skipped: dict[int, Link] = {}
    found: list[Part] = []
    for index, part in enumerate(parts):
        inputs = tuple(_resolved(link, skipped) for link in part.inputs)
        if len(inputs) > 1 and len({link.part for link in inputs}) == 1:
            longest = max(inputs, key=lambda link: len(link.through))
            if part.layer is None:
                skipped[index] = longest._replace(through=(*longest.through, part.what))
            inputs = (longest,)
        found.append(part._replace(inputs=inputs))
    return found


def _resolved(link: Link, skipped: Mapping[int, Link]) -> Link:
    if link.part not in skipped:
        return link
    before = skipped[link.part]
    return before._replace(through=(*before.through, *link.through))


def _needed(parts: Sequence[Part], ends: Iterable[int]) -> set[int]:
    todo, seen = list(ends), set[int]()
    while todo:
        index = todo.pop()
        if index not in seen:
            seen.add(index)
            todo += [link.part for link in parts[index].inputs]
    return seen


def _kept(parts: Sequence[Part], wanted: Iterable[int]) -> tuple[Part, ...]:
    """A selection of the parts, renumbered."""
    number = {old: new for new, old in enumerate(sorted(wanted))}
    return tuple(
        parts[old]._replace(
            inputs=tuple(link._replace(part=number[link.part]) for link in parts[old].inputs)
        )
        for old in number
    )


def _flattened(parts: Sequence[Part], needed: set[int]) -> list[Part]:
    uses = [0] * len(parts)
    for index in needed:
        for link in parts[index].inputs:
            uses[link.part] += 1
    flat: list[Part] = []
    for part in parts:
        if part.what != "concat" and part.what not in COMMUTATIVE:
            flat.append(part)
            continue
        inputs: list[Link] = []
        for link in part.inputs:
            inner = flat[link.part]
            # A sum that other parts use too (in a chain of residual blocks) stays separate; the
            # inputs of a concatenation are distinct in any case.
            if part.what == "concat":
                joins = not link.through
            else:
                joins = uses[link.part] == 1 and not comparable(link.through)
            if inner.what == part.what and joins:
                inputs += inner.inputs
            else:
                inputs.append(link)
        flat.append(part._replace(inputs=tuple(inputs)))
    return flat
