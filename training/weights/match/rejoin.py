"""Joins what a source writes as several layers and a network has as one.

Halves: convolutions that each read a part of the channels, and whose outputs are concatenated, are
one convolution with groups. Pieces: a module that writes a norm out in torch functions uses its own
tensors one by one. Both are joined only if the network has layers of the joined form that the
source lacks, because it may have them apart, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from .flow import Flow, Link, Part, pruned
from .layer import COUNTER, Held, Layer, Shape, last_part, layer_of, prefix_of, role_of


class _Join(NamedTuple):
    """One layer instead of several."""

    layer: Layer
    pieces: tuple[Layer, ...]
    at: int = 0
    """The part that it replaces, in a graph."""
    input: Link = Link(0)


def _wanted(
    joins: Iterable[_Join], targets: Iterable[Layer], sources: Iterable[Layer]
) -> list[_Join]:
    """Those whose layers the target has more of than the source. What is joined may have had the
    form of what others are joined to."""
    lacking = Counter(map(_form, targets))
    lacking.subtract(Counter(map(_form, sources)))
    wanted: list[_Join] = []
    left = [*joins]
    while True:
        kept = []
        for join in left:
            if lacking[_form(join.layer)] <= 0:
                kept.append(join)
                continue
            lacking[_form(join.layer)] -= 1
            lacking.update(map(_form, join.pieces))
            wanted.append(join)
        if len(kept) == len(left):
            return wanted
        left = kept


def _form(layer: Layer) -> Hashable:
    return layer.kind, layer.form, frozenset({*layer.tensors} - {COUNTER})


def rejoined(target: Flow, source: Flow, tensors: Mapping[str, Shape]) -> Flow:
    """The source with layers joined. `tensors` has the shapes of all that it holds."""
    joins = [*_halves_in(source), *_pieces_in(source, tensors)]
    wanted = _wanted(joins, target.places, source.places)
    if not wanted:
        return source
    parts = list(source.parts)
    for join in wanted:
        parts[join.at] = Part("layer", (join.input,), join.layer)
    return pruned(parts)


# ---- halves of a convolution --------------------------------------------------------------------


def joined_dict(targets: Iterable[Layer], sources: Sequence[Layer]) -> list[Layer]:
    """The layers of a state dict, in which halves are numbered: `conv.0`, `conv.1`."""
    families: dict[str, list[Layer]] = {}
    for layer in sources:
        families.setdefault(prefix_of(layer.name), []).append(layer)
    joins = [
        _Join(_whole(halves), tuple(halves))
        for halves in families.values()
        if [last_part(half.name) for half in halves] == [*map(str, range(len(halves)))]
        and _are_halves(halves)
    ]
    joined: dict[Layer, Layer | None] = {}
    for join in _wanted(joins, targets, sources):
        joined |= {**dict.fromkeys(join.pieces), join.pieces[0]: join.layer}
    every = [joined.get(source, source) for source in sources]
    return [one for one in every if one is not None]


def _halves_in(flow: Flow) -> Iterator[_Join]:
    for at, part in enumerate(flow.parts):
        if part.what != "concat" or any(link.through for link in part.inputs):
            continue
        parts = [flow.parts[link.part] for link in part.inputs]
        halves = [part.layer for part in parts if part.layer is not None]
        read = [part.inputs[0] for part in parts if len(part.inputs) == 1]
        if len(halves) < len(parts) or len(read) < len(parts) or not _are_halves(halves):
            continue
        ways = [(link.part, link.through[:-1]) for link in read]
        numbers = [link.through[-1:] for link in read]
        if len({*ways}) == 1 and numbers == [(f"part {n}",) for n in range(len(parts))]:
            source, through = ways[0]
            yield _Join(_whole(halves), tuple(halves), at, Link(source, through))


def _are_halves(layers: Sequence[Layer]) -> bool:
    """Whether these are convolutions that differ in nothing but their values."""
    if len(layers) < 2 or any(layer.kind != "products" for layer in layers):
        return False
    first = layers[0]
    return all(
        {role: held.shape for role, held in layer.tensors.items()}
        == {role: held.shape for role, held in first.tensors.items()}
        and (layer.variant, layer.settings) == (first.variant, first.settings)
        and not any(held.axes for held in layer.tensors.values())
        for layer in layers
    ) and {*first.tensors} <= {"weight", "bias"}


def _whole(halves: Sequence[Layer]) -> Layer:
    first = halves[0]
    return Layer(
        prefix_of(first.name),
        {role: _stacked([half.tensors[role] for half in halves]) for role in first.tensors},
        first.variant,
        first.settings,
    )


def _stacked(parts: Sequence[Held]) -> Held:
    outputs = sum(part.shape[0] for part in parts)
    keys = tuple(part.key for part in parts)
    return Held(" + ".join(keys), (outputs, *parts[0].shape[1:]), parts=keys)


# ---- pieces of a module -------------------------------------------------------------------------


def _pieces_in(flow: Flow, tensors: Mapping[str, Shape]) -> Iterator[_Join]:
    modules: dict[str, list[int]] = {}
    for layer, at in flow.places.items():
        keys = [held.key for held in layer.tensors.values()]
        if len(keys) == 1 and prefix_of(keys[0]) and role_of(keys[0]) != "tau":
            modules.setdefault(prefix_of(keys[0]), []).append(at)
    for name, pieces in modules.items():
        entry = _entry(flow, pieces) if len(pieces) > 1 else None
        if entry is not None:
            own = [
                Held(key, shape)
                for key, shape in tensors.items()
                if prefix_of(key) == name and role_of(key) not in (None, "tau")
            ]
            layers = tuple(layer for layer, at in flow.places.items() if at in pieces)
            yield _Join(layer_of(name, own), layers, max(pieces), entry)


def _entry(flow: Flow, pieces: Sequence[int]) -> Link | None:
    """The only input of the parts from the first piece to the last; None if they have several, or
    if other layers are among them or read them."""
    first, last = min(pieces), max(pieces)
    after, before = {*pieces}, {*pieces}
    for at in range(first, last + 1):
        if any(link.part in after for link in flow.parts[at].inputs):
            after.add(at)
    for at in range(last, first - 1, -1):
        if any(use.by in before for use in flow.uses[at]):
            before.add(at)
    inside = after & before
    if any(flow.parts[at].layer is not None and at not in pieces for at in inside):
        return None
    if any(use.by not in inside for at in inside if at != last for use in flow.uses[at]):
        return None
    entries = [link for at in inside for link in flow.parts[at].inputs if link.part not in inside]
    if len({link.part for link in entries}) != 1:
        return None
    steps = zip(*(link.through for link in entries), strict=False)
    shared = takewhile(lambda names: len({*names}) == 1, steps)
    return Link(entries[0].part, tuple(names[0] for names in shared))
