"""The layers of a dict by their names, where its order says nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .arrange import TooMany, positions
from .layer import Layer, last_part, prefix_of
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
    for their, among in stands.items():
        for our in among:
            if len(among) == 1:
                found.pair(our, their, "place" if sides.is_single(our) else "names")
            else:
                found.doubt([our], [their])
    return found


def numbered(sides: Sides) -> Pairing:
    """Shape by shape: those whose names differ in numbers only."""
    found = Pairing()
    for sign in sides.our_count.keys() & sides.their_count.keys():
        ours = [layer for layer in sides.ours if sides.sign[layer] == sign]
        theirs = [layer for layer in sides.theirs if sides.sign[layer] == sign]
        theirs.sort(key=lambda layer: rank(layer.name))
        if len(ours) == len(theirs) and count_upwards([layer.name for layer in theirs]):
            for our, their in zip(ours, theirs, strict=True):
                found.pair(our, their, "place" if len(ours) == 1 else "names")
        else:
            found.doubt(ours, theirs)
    return found


def _stands(sides: Sides, settled: dict[Layer, Layer]) -> Stands | None:
    theirs = [layer for layer in sides.theirs if sides.our_count[sides.sign[layer]]]
    names = [layer.name for layer in theirs]
    back = {our: their for their, our in settled.items()}
    for between in _LEVELS:
        found: Stands = {}
        for line in sides.lines:
            ours = [layer for layer in line if sides.their_count[sides.sign[layer]]]

            def fits(number: int, at: int, ours: Sequence[Layer] = ours) -> bool:
                their, our = theirs[number], ours[at]
                if their in settled or our in back:
                    return settled.get(their) is our
                return sides.sign[their] == sides.sign[our]

            places = positions(names, len(ours), fits, between)
            for their, among in zip(theirs, places or (), strict=False):
                found.setdefault(their, set()).update(ours[at] for at in among)
        if found:
            return found
    return None


def _told_by_words(sides: Sides, stands: Stands, settled: dict[Layer, Layer]) -> dict[Layer, Layer]:
    """Those that alone, of all that may be one of ours, have a word for what that is."""
    found: dict[Layer, Layer] = {}
    for our, among in _contested(stands):
        for tag in sides.tags[our]:
            called = [their for their in among if tag in tags(their.name)]
            if len(called) == 1 and called[0] not in settled:
                found.setdefault(called[0], our)
    return found


def _contested(stands: Stands) -> Iterator[tuple[Layer, list[Layer]]]:
    """Ours that several of theirs may be."""
    candidates: dict[Layer, list[Layer]] = {}
    for their, among in stands.items():
        for our in among:
            candidates.setdefault(our, []).append(their)
    return ((our, among) for our, among in candidates.items() if len(among) > 1)


def _told_by_numbers(sides: Sides, stands: Stands) -> dict[Layer, Layer]:
    """Norms that are numbered like the convolution beside them (`conv1`, `bn1`), always on the same
    side of it, as far as that is known."""
    certain = {our: their for their, among in stands.items() if len(among) == 1 for our in among}
    known = Counter(
        forward
        for our, their in certain.items()
        for forward, beside in _beside(sides, our)
        if beside in certain and _numbered_alike(their, certain[beside])
    )
    if len(known) != 1:
        return {}
    (side,) = known
    found: dict[Layer, Layer] = {}
    for our, among in _contested(stands):
        for forward, beside in _beside(sides, our):
            if forward == side and beside in certain:
                alike = [their for their in among if _numbered_alike(their, certain[beside])]
                if len(alike) == 1:
                    found[alike[0]] = our
    return found


def _beside(sides: Sides, our: Layer) -> Iterator[tuple[bool, Layer]]:
    """Of a norm: the layers directly before and behind it, if these are of another kind."""
    flow = sides.flow
    if our.kind == "products":
        return
    place = flow.places[our]
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
