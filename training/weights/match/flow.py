"""How data flows through the layers of a network: its graph without everything that holds nothing.

Only layers with tensors and the places where paths come together are left. What lies between two of
them (activations, pools, reshapes) is written on the link. A sum of sums is one sum, and a
concatenation of concatenations one concatenation, however they were carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .layer import Layer

COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum"})
"""Merges whose paths may be written in any order."""


class Link(NamedTuple):
    """Where something comes from, and what happened to it on the way."""

    part: int
    through: tuple[str, ...] = ()


class Part(NamedTuple):
    """The input, a layer, a merge or an output."""

    what: str
    """`input`, `layer`, `output`, or what a merge does."""
    inputs: tuple[Link, ...]
    layer: Layer | None = None


Label = Callable[[Part], Hashable]
"""What two parts have to agree in."""


class Taken(NamedTuple):
    """One use of what a part gives."""

    by: int
    slot: int
    through: tuple[str, ...]


@dataclass(frozen=True)
class Flow:
    """Parts in an order in which they can be computed."""

    parts: tuple[Part, ...]

    @cached_property
    def taken(self) -> list[list[Taken]]:
        """By part: what takes its output."""
        found: list[list[Taken]] = [[] for _ in self.parts]
        for index, part in enumerate(self.parts):
            for slot, link in enumerate(part.inputs):
                found[link.part].append(Taken(index, slot, link.through))
        return found

    @cached_property
    def places(self) -> dict[Layer, int]:
        """Of each layer, the part that it is; in the order of the parts."""
        return {part.layer: index for index, part in enumerate(self.parts) if part.layer}

    @cached_property
    def outputs(self) -> list[int]:
        """The network's own first."""
        return [index for index, part in enumerate(self.parts) if part.what == "output"]

    @cached_property
    def main(self) -> frozenset[int]:
        """The parts that the network's own output needs: without auxiliary heads."""
        return frozenset(_needed(self.parts, self.outputs[:1]))

    def without_heads(self) -> Flow:
        """Itself, but for what only auxiliary outputs need."""
        return Flow(_kept(self.parts, self.main))

    def nearest(
        self, layer: Layer, forward: bool, among: Container[Layer]
    ) -> Iterator[Layer | None]:
        """The first layers behind (or before) one that are `among` those, on every way; None where
        a way reaches the end of the network."""
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
            return [taken.by for taken in self.taken[index]]
        return [link.part for link in self.parts[index].inputs]


def flow_of(parts: Sequence[Part], outputs: Iterable[Link]) -> Flow:
    """The flow of parts as they were met, which may hold more than what the outputs need."""
    met = [*parts, *(Part("output", (link,)) for link in outputs)]
    ends = [index for index, part in enumerate(met) if part.what == "output"]
    flat = _flattened(met, _needed(met, ends))
    return Flow(_kept(flat, _needed(flat, ends)))


def _needed(parts: Sequence[Part], ends: Iterable[int]) -> set[int]:
    todo, seen = list(ends), set[int]()
    while todo:
        index = todo.pop()
        if index not in seen:
            seen.add(index)
            todo += [link.part for link in parts[index].inputs]
    return seen


def _kept(parts: Sequence[Part], wanted: Iterable[int]) -> tuple[Part, ...]:
    """Some of the parts, numbered anew."""
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
            # A sum that others need too (the one before, in a chain of residuals) is a place of
            # its own; the maps in a concatenation can be told apart wherever they end up.
            same = inner.what == part.what and not link.through
            if same and (part.what == "concat" or uses[link.part] == 1):
                inputs += inner.inputs
            else:
                inputs.append(link)
        flat.append(part._replace(inputs=tuple(inputs)))
    return flat
