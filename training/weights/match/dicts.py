"""Layers of ours brought together with those of a dict, of which kinds, shapes, order and names are
known, but not how data flows through them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .by_names import arranged, numbered
from .by_order import in_order, is_alphabetical, is_contradicted
from .flow import Flow
from .layer import Layer
from .names import tags
from .pairing import Pairing
from .sides import Sides


def pair_dict(targets: Flow, sources: Sequence[Layer], *, by_order: bool = False) -> Pairing:
    """`by_order` takes what cannot be told apart as it comes, whatever its names say."""
    sides = Sides(targets, sources)
    found = _paired(sides, by_order)
    if len(found.pairs) < len(sides.targets):
        inner = _without_heads(sides, by_order)
        if inner is not None:
            # What is left then is of auxiliary heads, and goes with what is one in theirs: of heads
            # for other classes, all but the last layers.
            _fill(inner, found, heads=True)
            found = inner
    _pair_similar(sides, found)
    return found


def _without_heads(sides: Sides, by_order: bool) -> Pairing | None:
    """Many files come without auxiliary heads, and many networks do: all pairs, if they are those
    of everything else. Not where theirs has all that ours has, the heads too."""
    kept = [layer for layer in sides.sources if "aux" not in tags(layer.name)]
    has_heads = len(sides.flow.outputs) > 1
    if not has_heads and len(kept) == len(sides.sources):
        return None
    if has_heads and sides.target_count <= sides.source_count:
        return None
    inner = Sides(sides.flow.without_heads(), kept)
    found = _paired(inner, by_order)
    found.undecided.clear()
    return found if len(found.pairs) == len(inner.targets) else None


def _paired(sides: Sides, by_order: bool) -> Pairing:
    ordered = in_order(sides, by_order)
    found = ordered.pairing
    if is_alphabetical(sides) or not ordered.fits:
        named = arranged(sides) or numbered(sides)
        if by_order:
            _fill(named, found)
        return named
    contradicted = is_contradicted(sides)
    if contradicted or len(found.pairs) < len(sides.targets):
        other = arranged(sides) or (numbered(sides) if contradicted else None)
        if other is not None:
            _fill(found, other)
            if not by_order:
                _doubt_differences(found, other, sure=not contradicted)
    return found


def _doubt_differences(found: Pairing, other: Pairing, sure: bool) -> None:
    """What both do not agree in; unless the first is sure, also what the other is silent about."""
    for target, source in list(found.pairs.items()):
        named = other.pairs.get(target, source if sure else None)
        if found.evidence[target] != "place" and named is not source:
            found.doubt([target], {source, other.pairs.get(target, source)})


def _fill(found: Pairing, other: Pairing, heads: bool = False) -> None:
    """Pairs for what has none, from another way to find them; or only those of auxiliary heads."""
    taken = found.taken
    for target, source in other.pairs.items():
        fits = "aux" in tags(source.name) if heads else source not in taken
        if target not in found.pairs and fits:
            found.pair(target, source, other.evidence[target])


def _pair_similar(sides: Sides, found: Pairing) -> None:
    """What is left, where it differs in one number alone (the classes of a head, the colours of an
    image), and nothing else does so little: its place, though not its numbers."""
    taken = found.taken | found.doubtful
    free = [layer for layer in sides.sources if layer not in taken]
    left = [layer for layer in sides.targets if layer not in found.pairs | found.undecided]
    alike = [
        (target, source) for target in left for source in free if _differ_in_one(target, source)
    ]
    target_count = Counter(target for target, _ in alike)
    source_count = Counter(source for _, source in alike)
    for target, source in alike:
        if target_count[target] == source_count[source] == 1:
            found.pair(target, source)


def _differ_in_one(one: Layer, other: Layer) -> bool:
    a, b = one.shape, other.shape
    if one.kind != other.kind or len(a) != len(b) or len(a) < 2:
        return False
    return sum(x != y for x, y in zip(a, b, strict=True)) == 1
