"""Matches the layers of a state dict by their names, if its order is not that of execution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .layer import Layer, last_part, prefix_of
from .name_order import TooMany, positions
from .names import count_upwards, rank, tags
from .pairing import Pairing
from .ready import Ready, bits
from .sides import Candidates, Sides, Sign

_LEVELS = r"[._/]", r"[./]"
"""Separators in names. An underscore is tried first: `branch3x3_2a` belongs to the same branch as
`branch3x3_1`, but `conv_dw` and `conv_pw` are different layers."""


def arranged(sides: Sides, possible: Candidates | None = None) -> Pairing | None:
    """Pairs by the tree of names, if it fits an order of computation; else None. Layers of
    shapes that the other side does not have (a head for other classes) are left out. `possible` is
    what the order of the file allows."""
    settled: dict[Layer, Layer] = {}
    while True:
        try:
            candidates = _candidates(sides, settled, possible)
        except TooMany:
            return None
        if candidates is None:
            return None
        assigned = _by_words(sides, candidates, settled) or _by_numbers(sides, candidates)
        if not assigned:
            break
        settled.update(assigned)
    pairing = Pairing()
    for source, among in candidates.items():
        for target in among:
            if len(among) == 1:
                pairing.pair(target, source, "place" if sides.is_single(target) else "names")
            else:
                pairing.doubt([target], [source])
    return pairing


def numbered(sides: Sides) -> Pairing:
    """Pairs the layers of each shape in the order of their numbers, if their names differ only in
    these."""
    pairing = Pairing()
    for sign in sides.target_count.keys() & sides.source_count.keys():
        targets = [layer for layer in sides.targets if sides.sign[layer] == sign]
        sources = [layer for layer in sides.sources if sides.sign[layer] == sign]
        sources.sort(key=lambda layer: rank(layer.name))
        if len(targets) == len(sources) and count_upwards([layer.name for layer in sources]):
            for target, source in zip(targets, sources, strict=True):
                pairing.pair(target, source, "place" if len(targets) == 1 else "names")
        else:
            pairing.doubt(targets, sources)
    return pairing


def _candidates(
    sides: Sides, settled: dict[Layer, Layer], possible: Candidates | None
) -> Candidates | None:
    sources = [layer for layer in sides.sources if sides.target_count[sides.sign[layer]]]
    targets = [layer for layer in sides.targets if sides.source_count[sides.sign[layer]]]
    if len(sources) != len(targets):
        return None
    names = [layer.name for layer in sources]
    bit = bits(targets)
    free = {target for target in targets if target not in settled.values()}
    like: dict[Sign, int] = {}
    for target in free:
        like[sides.sign[target]] = like.get(sides.sign[target], 0) | bit[target]
    allowed = [
        bit[settled[source]] if source in settled else like.get(sides.sign[source], 0)
        for source in sources
    ]
    heads = _heads(sides, sources, targets)
    for number, source in enumerate(sources):
        if heads:
            named = "aux" in tags(source.name)
            allowed[number] &= sum(bit[target] for target in targets if (target in heads) == named)
        if possible and source in possible:
            allowed[number] &= sum(bit[target] for target in possible[source])
    ready = Ready(sides.flow, targets, sides.same)
    for between in _LEVELS:
        places = positions(names, lambda n, state: allowed[n] & ready.after(state), between)
        if places is not None:
            return {
                source: {targets[at] for at in among}
                for source, among in zip(sources, places, strict=True)
            }
    return None


def _heads(sides: Sides, sources: Sequence[Layer], targets: Sequence[Layer]) -> set[Layer]:
    """The layers of auxiliary heads, if names have a word for these and no others."""
    heads = {target for target in targets if sides.flow.places[target] not in sides.flow.main}
    called = Counter(sides.sign[source] for source in sources if "aux" in tags(source.name))
    return heads if called == Counter(sides.sign[target] for target in heads) else set()


def _by_words(
    sides: Sides, candidates: Candidates, settled: dict[Layer, Layer]
) -> dict[Layer, Layer]:
    """Layers of the source that are the only candidate with a word for a path (`downsample`)."""
    assigned: dict[Layer, Layer] = {}
    for target, among in _contested(candidates):
        for tag in sides.tags[target]:
            called = [source for source in among if tag in tags(source.name)]
            others = [source for source in among if source not in called]
            if tag == "scale" and not all("norm" in tags(other.name) for other in others):
                continue
            if len(called) == 1 and called[0] not in settled:
                assigned.setdefault(called[0], target)
    return assigned


def _contested(candidates: Candidates) -> Iterator[tuple[Layer, list[Layer]]]:
    """Layers of the target with several candidates, and these."""
    by_target: dict[Layer, list[Layer]] = {}
    for source, among in candidates.items():
        for target in among:
            by_target.setdefault(target, []).append(source)
    return ((target, among) for target, among in by_target.items() if len(among) > 1)


def _by_numbers(sides: Sides, candidates: Candidates) -> dict[Layer, Layer]:
    """Norms with the number of the convolution beside them (`conv1`, `bn1`): the one before, or the
    one after, as for the norms that are certain."""
    certain = {
        target: source
        for source, among in candidates.items()
        if len(among) == 1
        for target in among
    }
    known = Counter(
        forward
        for target, source in certain.items()
        for forward, beside in _beside(sides, target)
        if beside in certain and _numbered_alike(source, certain[beside])
    )
    if len(known) != 1:
        return {}
    (side,) = known
    assigned: dict[Layer, Layer] = {}
    for target, among in _contested(candidates):
        for forward, beside in _beside(sides, target):
            if forward == side and beside in certain:
                alike = [source for source in among if _numbered_alike(source, certain[beside])]
                if len(alike) == 1:
                    assigned[alike[0]] = target
    return assigned


def _beside(sides: Sides, target: Layer) -> Iterator[tuple[bool, Layer]]:
    """The convolutions and linear layers next to a norm, each with whether it comes after."""
    flow = sides.flow
    if target.kind == "products":
        return
    place = flow.places[target]
    near = [(False, link.part) for link in flow.parts[place].inputs]
    near += [(True, use.by) for use in flow.uses[place]]
    for forward, part in near:
        layer = flow.parts[part].layer
        if layer is not None and layer.kind == "products":
            yield forward, layer


def _numbered_alike(one: Layer, other: Layer) -> bool:
    number = rank(last_part(one.name))
    same_module = prefix_of(one.name) == prefix_of(other.name)
    return bool(number) and same_module and number == rank(last_part(other.name))
