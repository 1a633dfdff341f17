"""Matches the layers of a state dict, which has no dataflow, to those of a network.

The evidence is layer types, shapes, order and names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .by_names import arranged, numbered
from .by_order import in_order, is_alphabetical, is_contradicted
from .color_refinement import interchangeable
from .extensions import possible
from .flow import Flow
from .layer import Layer
from .names import assign_by_words, tags
from .pairing import Pairing
from .sides import Candidates, Sides


def pair_dict(flow: Flow, sources: Sequence[Layer], *, by_order: bool = False) -> Pairing:
    """Pairs the layers of both. `by_order` assigns interchangeable layers in their order, whatever
    their names are."""
    sides = Sides(flow, sources)
    pairing = _paired(sides, by_order)
    if not by_order:
        _doubt_numbers(sides, pairing)
    if len(pairing.pairs) < len(sides.targets):
        inner = _without_heads(sides, by_order)
        if inner is not None:
            # The layers that are left are those of auxiliary heads, and are paired with auxiliary
            # heads of the source: for other classes, all but their last layers.
            _fill(inner, pairing, heads=True)
            pairing = inner
    _pair_similar(sides, pairing)
    return pairing


def _without_heads(sides: Sides, by_order: bool) -> Pairing | None:
    """Pairs of all layers except auxiliary heads, which many files and networks leave out. None if
    that is not a complete match, or if the source has all of the heads."""
    kept = [layer for layer in sides.sources if "aux" not in tags(layer.name)]
    has_heads = len(sides.flow.outputs) > 1
    if not has_heads and len(kept) == len(sides.sources):
        return None
    if has_heads and sides.target_count <= sides.source_count:
        return None
    inner = Sides(sides.flow.without_heads(), kept)
    pairing = _paired(inner, by_order)
    pairing.undecided.clear()
    return pairing if len(pairing.pairs) == len(inner.targets) else None


def _paired(sides: Sides, by_order: bool) -> Pairing:
    ordered = in_order(sides, by_order)
    pairing = ordered.pairing
    if is_alphabetical(sides) or not ordered.fits or sides.floating:
        orders = None if is_alphabetical(sides) else possible(sides)
        # What the order of the file rules out stays ruled out, even if names fit otherwise.
        named = arranged(sides, orders) or (_certain(orders) if orders else numbered(sides))
        if by_order:
            _fill(named, pairing)
        return named
    contradicted = is_contradicted(sides)
    if contradicted or len(pairing.pairs) < len(sides.targets):
        other = arranged(sides) or (numbered(sides) if contradicted else None)
        if other is not None:
            _fill(pairing, other)
            if not by_order:
                _doubt_differences(pairing, other, sure=not contradicted)
    return pairing


def _certain(orders: Candidates) -> Pairing:
    """The pairs that all orders of computation share."""
    pairing = Pairing()
    for source, among in orders.items():
        for target in among:
            if len(among) == 1:
                pairing.pair(target, source, "order")
            else:
                pairing.doubt([target], [source])
    return pairing


def _doubt_differences(pairing: Pairing, other: Pairing, sure: bool) -> None:
    """Doubts pairs that the other pairing contradicts; unless `sure`, also those that it does not
    have."""
    for target, source in list(pairing.pairs.items()):
        named = other.pairs.get(target, source if sure else None)
        if pairing.evidence[target] != "place" and named is not source:
            pairing.doubt([target], {source, other.pairs.get(target, source)})


def _doubt_numbers(sides: Sides, pairing: Pairing) -> None:
    """Doubts pairs on paths of a sum that only settings and activations tell apart. Either path may
    be written first, so that numbers say nothing about them; words do."""
    alike = interchangeable(sides.flow, sides.label, details=False, ordered=True)
    group_of = {layer: number for number, group in enumerate(sides.same) for layer in group}
    different = [
        group for group in alike if len({group_of.get(layer, layer.name) for layer in group}) > 1
    ]
    for group in different:
        paired = [target for target in group if target in pairing.pairs]
        if not paired:
            continue
        sources = [pairing.pairs[target] for target in paired]
        tagged = [sides.tags[target] for target in paired]
        words = assign_by_words(tagged, [source.name for source in sources])
        if words != list(range(len(paired))):
            pairing.doubt(group, sources)


def _fill(pairing: Pairing, other: Pairing, heads: bool = False) -> None:
    """Adds pairs of another pairing for unpaired layers; with `heads`, only for auxiliary heads."""
    taken = pairing.taken
    for target, source in other.pairs.items():
        fits = "aux" in tags(source.name) if heads else source not in taken
        if target not in pairing.pairs and fits:
            pairing.pair(target, source, other.evidence[target])


def _pair_similar(sides: Sides, pairing: Pairing) -> None:
    """Pairs remaining layers whose shapes differ in one size only (the classes of a head, the
    channels of an image), if there is no other candidate. Their values are not loaded."""
    taken = pairing.taken | pairing.doubtful
    free = [layer for layer in sides.sources if layer not in taken]
    left = [layer for layer in sides.targets if layer not in pairing.pairs | pairing.undecided]
    alike = [
        (target, source) for target in left for source in free if _differ_in_one(target, source)
    ]
    target_count = Counter(target for target, _ in alike)
    source_count = Counter(source for _, source in alike)
    for target, source in alike:
        if target_count[target] == source_count[source] == 1:
            pairing.pair(target, source)


def _differ_in_one(one: Layer, other: Layer) -> bool:
    a, b = one.shape, other.shape
    if one.kind != other.kind or len(a) != len(b) or len(a) < 2:
        return False
    return sum(x != y for x, y in zip(a, b, strict=True)) == 1
