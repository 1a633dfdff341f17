"""The layers of a dict by their names, where its order says nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .layer import Layer, last_part, prefix_of
from .name_order import TooMany, positions
from .names import count_upwards, rank, tags
from .pairing import Pairing
from .sides import Sides

_LEVELS = r"[._/]", r"[./]"
"""`branch3x3_2a` stands beside `branch3x3_1`, if that can be; `conv_dw` not beside `conv_pw`."""

Stands = dict[Layer, set[Layer]]
"""By layer of theirs: those of ours that it may be."""


def arranged(sides: Sides) -> Pairing | None:
    """By the tree of names, if that fits a line of ours. Layers of a shape that the other side has
    nothing of (a head for other classes) are left out of it."""
    settled: dict[Layer, Layer] = {}
    while True:
        try:
            stands = _stands(sides, settled)
        except TooMany:
            return None
        if stands is None:
            return None
        more = _told_by_words(sides, stands, settled) or _told_by_numbers(sides, stands)
        if not more:
            break
        settled.update(more)
    found = Pairing()
    for source, among in stands.items():
        for target in among:
            if len(among) == 1:
                found.pair(target, source, "place" if sides.is_single(target) else "names")
            else:
                found.doubt([target], [source])
    return found


def numbered(sides: Sides) -> Pairing:
    """Shape by shape: those whose names differ in numbers only."""
    found = Pairing()
    for sign in sides.target_count.keys() & sides.source_count.keys():
        targets = [layer for layer in sides.targets if sides.sign[layer] == sign]
        sources = [layer for layer in sides.sources if sides.sign[layer] == sign]
        sources.sort(key=lambda layer: rank(layer.name))
        if len(targets) == len(sources) and count_upwards([layer.name for layer in sources]):
            for target, source in zip(targets, sources, strict=True):
                found.pair(target, source, "place" if len(targets) == 1 else "names")
        else:
            found.doubt(targets, sources)
    return found


def _stands(sides: Sides, settled: dict[Layer, Layer]) -> Stands | None:
    sources = [layer for layer in sides.sources if sides.target_count[sides.sign[layer]]]
    names = [layer.name for layer in sources]
    back = {target: source for source, target in settled.items()}
    for between in _LEVELS:
        found: Stands = {}
        for line in sides.lines:
            targets = [layer for layer in line if sides.source_count[sides.sign[layer]]]

            def fits(number: int, at: int, targets: Sequence[Layer] = targets) -> bool:
                source, target = sources[number], targets[at]
                if source in settled or target in back:
                    return settled.get(source) is target
                return sides.sign[source] == sides.sign[target]

            places = positions(names, len(targets), fits, between)
            for source, among in zip(sources, places or (), strict=False):
                found.setdefault(source, set()).update(targets[at] for at in among)
        if found:
            return found
    return None


def _told_by_words(sides: Sides, stands: Stands, settled: dict[Layer, Layer]) -> dict[Layer, Layer]:
    """Those that alone, of all that may be one of ours, have a word for what that is."""
    found: dict[Layer, Layer] = {}
    for target, among in _contested(stands):
        for tag in sides.tags[target]:
            called = [source for source in among if tag in tags(source.name)]
            if len(called) == 1 and called[0] not in settled:
                found.setdefault(called[0], target)
    return found


def _contested(stands: Stands) -> Iterator[tuple[Layer, list[Layer]]]:
    """Ours that several of theirs may be."""
    candidates: dict[Layer, list[Layer]] = {}
    for source, among in stands.items():
        for target in among:
            candidates.setdefault(target, []).append(source)
    return ((target, among) for target, among in candidates.items() if len(among) > 1)


def _told_by_numbers(sides: Sides, stands: Stands) -> dict[Layer, Layer]:
    """Norms that are numbered like the convolution beside them (`conv1`, `bn1`), always on the same
    side of it, as far as that is known."""
    certain = {
        target: source for source, among in stands.items() if len(among) == 1 for target in among
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
    found: dict[Layer, Layer] = {}
    for target, among in _contested(stands):
        for forward, beside in _beside(sides, target):
            if forward == side and beside in certain:
                alike = [source for source in among if _numbered_alike(source, certain[beside])]
                if len(alike) == 1:
                    found[alike[0]] = target
    return found


def _beside(sides: Sides, target: Layer) -> Iterator[tuple[bool, Layer]]:
    """Of a norm: the layers directly before and behind it, if these are of another kind."""
    flow = sides.flow
    if target.kind == "products":
        return
    place = flow.places[target]
    near = [(False, link.part) for link in flow.parts[place].inputs]
    near += [(True, taken.by) for taken in flow.taken[place]]
    for forward, part in near:
        layer = flow.parts[part].layer
        if layer is not None and layer.kind == "products":
            yield forward, layer


def _numbered_alike(one: Layer, other: Layer) -> bool:
    number = rank(last_part(one.name))
    same_module = prefix_of(one.name) == prefix_of(other.name)
    return bool(number) and same_module and number == rank(last_part(other.name))
