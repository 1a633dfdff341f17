"""Two flows that are the same graph: every layer has its partner, unless places are alike.

First with the shapes of the weights, then without them: a head for other classes, or a tensor of
another shape in the middle, stands in its place all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from .color_refinement import Colours, refine, same
from .flow import Flow, Part
from .names import count_upwards, rank
from .pairing import Evidence, Pairing

Label = Callable[[Part], Hashable]


def with_shape(part: Part) -> Hashable:
    layer = part.layer
    return part.what if layer is None else (layer.kind, layer.variant, layer.form)


def without_shape(part: Part) -> Hashable:
    layer = part.layer
    return part.what if layer is None else (layer.kind, layer.variant)


def with_settings(part: Part) -> Hashable:
    layer = part.layer
    if layer is None:
        return ()
    bias = "bias" in layer.tensors
    return layer.form, bias, tuple(sorted(layer.settings.items()))


def same_place(ours: Flow, theirs: Flow, *, by_order: bool = False) -> Pairing | None:
    """None where the graphs differ. `by_order` takes what cannot be told apart as it comes."""
    flows = ours, theirs
    colours: Sequence[Colours] = refine(
        flows, [[with_shape(part) for part in flow.parts] for flow in flows]
    )
    if not same(colours):
        colours = refine(flows, [[without_shape(part) for part in flow.parts] for flow in flows])
        if not same(colours):
            return None
        colours = _divided(flows, colours, with_shape)
    if any(len(group.ours) > 1 for group in _groups(ours, theirs, colours)):
        colours = _divided(flows, colours, with_settings, details=True)
    return _paired(ours, theirs, colours, by_order)


def _divided(
    flows: Sequence[Flow], colours: Sequence[Colours], by: Label, details: bool = False
) -> Sequence[Colours]:
    """Colours that several have, divided by something more; as they were, unless both sides are
    divided in the same way."""
    labels = [
        [(colour, by(part)) for colour, part in zip(each, flow.parts, strict=True)]
        for each, flow in zip(colours, flows, strict=True)
    ]
    # One by one: that one of them is written differently says nothing about the others.
    counts: list[defaultdict[int, list[Hashable]]] = []
    for each in labels:
        found: defaultdict[int, list[Hashable]] = defaultdict(list)
        for colour, label in each:
            found[colour].append(label)
        counts.append(found)
    agreed = {
        colour
        for colour, first in counts[0].items()
        if sorted(map(repr, first)) == sorted(map(repr, counts[1][colour]))
    }
    begin = [
        [(colour, label if colour in agreed else None) for colour, label in each] for each in labels
    ]
    new = refine(flows, begin, details=details)
    return new if same(new) else colours


def _paired(ours: Flow, theirs: Flow, colours: Sequence[Colours], by_order: bool) -> Pairing:
    pairing = Pairing()
    groups = _groups(ours, theirs, colours)
    evidence: Evidence = "place"
    undecided: list[Group] = []
    while groups:
        for our, their in groups:
            if len(our) == 1 and our[0] not in pairing.pairs:
                pairing.pair(our[0], their[0], evidence)
        alike = next((g for g in groups if len(g.ours) > 1 and g not in undecided), None)
        if alike is None:
            break
        order, evidence = _decided(theirs, alike.theirs, by_order)
        new = _separated((ours, theirs), colours, alike.ours, order) if order else None
        if new is None:
            undecided.append(alike)
        else:
            colours, undecided = new, []
            groups = _groups(ours, theirs, colours)
    for our, their in groups:
        if len(our) > 1:
            pairing.doubt(our, their)
    return pairing


class Group(NamedTuple):
    """Layers of one colour."""

    ours: tuple[int, ...]
    theirs: tuple[int, ...]


def _groups(ours: Flow, theirs: Flow, colours: Sequence[Colours]) -> list[Group]:
    found: dict[int, tuple[list[int], list[int]]] = {}
    for side, flow in enumerate((ours, theirs)):
        for index in flow.layers:
            found.setdefault(colours[side][index], ([], []))[side].append(index)
    return [Group(tuple(our), tuple(their)) for our, their in found.values()]


def _decided(
    theirs: Flow, alike: Sequence[int], by_order: bool
) -> tuple[list[int] | None, Evidence]:
    """The order in which they go with ours, if anything decides that."""
    named = sorted(alike, key=lambda index: rank(theirs.layer(index).name))
    if count_upwards([theirs.layer(index).name for index in named]):
        return named, "names"
    return (list(alike) if by_order else None), "order"


def _separated(
    flows: Sequence[Flow], colours: Sequence[Colours], ours: Sequence[int], theirs: Sequence[int]
) -> Sequence[Colours] | None:
    """Colours in which each of these has one of its own, if that can be."""
    begin = []
    for each, group in zip(colours, (ours, theirs), strict=True):
        place = {index: number for number, index in enumerate(group)}
        begin.append([(colour, place.get(index)) for index, colour in enumerate(each)])
    new = refine(flows, begin)
    return new if same(new) else None
