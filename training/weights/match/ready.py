"""Which layers of a network can be computed next, in any order of computation.

A layer comes after those that its input needs. The paths of a sum may come in any order, those of a
concatenation only as they are written, and auxiliary heads from the first: these have an order. So
have paths of a sum that are the same, because their exchange changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .flow import COMMUTATIVE, Flow, Link, Use
from .layer import Layer


def needs(flow: Flow, layers: Sequence[Layer]) -> dict[Layer, int]:
    """For each layer, those nearest before it, as bits: the first of `layers` is the lowest."""
    bit = bits(layers)
    return {
        layer: sum(bit[other] for other in set(flow.nearest(layer, False, bit)) if other)
        for layer in layers
    }


def bits(layers: Sequence[Layer]) -> dict[Layer, int]:
    return {layer: 1 << number for number, layer in enumerate(layers)}


class Ready:
    """`layers` are those that are looked at, in the order of the flow; `same` are groups of layers
    that nothing tells apart."""

    def __init__(
        self, flow: Flow, layers: Sequence[Layer], same: Iterable[Sequence[Layer]] = ()
    ) -> None:
        found = needs(flow, layers)
        self._needs = [found[layer] for layer in layers]
        places = {layer: place for place, layer in enumerate(layers)}
        for later, before in [
            *_as_written(flow, bits(layers), self._needs),
            *_in_turn(flow, places, same),
        ]:
            self._needs[later] |= before
        self._next: list[list[int]] = [[] for _ in layers]
        for number, needed in enumerate(self._needs):
            for before in numbers(needed):
                self._next[before].append(number)
        self._known = {0: sum(1 << n for n, needed in enumerate(self._needs) if not needed)}

    def after(self, state: int) -> int:
        """The layers that can be computed after those of `state`, which are computed."""
        known = state
        added: list[int] = []
        while known not in self._known:  # the last one can be left out: no other needs it
            added.append(known.bit_length() - 1)
            known ^= 1 << added[-1]
        for number in reversed(added):
            free = self._known[known] & ~(1 << number)
            known |= 1 << number
            for later in self._next[number]:
                if self._needs[later] & ~known == 0:
                    free |= 1 << later
            self._known[known] = free
        return self._known[state]


def _as_written(
    flow: Flow, bit: Mapping[Layer, int], needed: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """The first layers of each path of a concatenation, and of each auxiliary head, each with the
    last of those before."""
    before: list[int] = []  # all layers that a part needs, itself included
    for part in flow.parts:
        all_before = 0 if part.layer is None else bit.get(part.layer, 0)
        for link in part.inputs:
            all_before |= before[link.part]
        before.append(all_before)
        if part.what == "concat":
            yield from _one_by_one([before[link.part] for link in part.inputs], 0, needed)
    if flow.outputs:
        main, *heads = (before[output] for output in flow.outputs)
        yield from _one_by_one(
            sorted(heads, key=lambda head: (head & main).bit_count()), main, needed
        )


def _one_by_one(
    paths: Sequence[int], earlier: int, needed: Sequence[int]
) -> Iterator[tuple[int, int]]:
    last = 0
    for path in paths:
        own = path & ~earlier
        earlier |= own
        used = 0
        for number in numbers(own):
            used |= needed[number]
            if not needed[number] & own and last:
                # Only those that the flow has in this order, too: then there is no circle.
                yield number, last & ((1 << number) - 1)
        last = own & ~used or last


def _in_turn(
    flow: Flow, number: Mapping[Layer, int], same: Iterable[Sequence[Layer]]
) -> Iterator[tuple[int, int]]:
    """The first layer of each path of a sum that is the same as the one before, with the first one
    of that."""
    for group in same:
        last: dict[tuple[Link, Use], int] = {}
        for layer in group:
            part = flow.parts[flow.places[layer]]
            if len(part.inputs) != 1 or layer not in number:
                continue
            source = part.inputs[0]
            end = _end(flow, flow.places[layer])
            if len(flow.uses[source.part]) > 1 and end is not None:
                if (source, end) in last:
                    yield number[layer], 1 << last[source, end]
                last[source, end] = number[layer]


def _end(flow: Flow, part: int) -> Use | None:
    """Where the path of layers that a layer is on goes into a sum."""
    while len(flow.uses[part]) == 1:
        use = flow.uses[part][0]
        if flow.parts[use.by].layer is None:
            return use._replace(slot=0) if flow.parts[use.by].what in COMMUTATIVE else None
        part = use.by
    return None


def numbers(state: int) -> Iterator[int]:
    """The numbers of the bits that are set."""
    while state:
        yield (state & -state).bit_length() - 1
        state &= state - 1
