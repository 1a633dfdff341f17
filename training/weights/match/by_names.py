"""The layers of a dict by their names, where its order says nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .arrange import TooMany, positions
from .layer import last_part, prefix_of
from .names import count_upwards, rank, tags
from .pairing import Pairing
from .sides import Sides, Sign

_LEVELS = r"[._/]", r"[./]"
"""`branch3x3_2a` stands beside `branch3x3_1`, if that can be; `conv_dw` not beside `conv_pw`."""

Stands = dict[int, set[int]]
"""By number of theirs: the parts of ours that it may be."""


def arranged(sides: Sides) -> Pairing | None:
    """By the tree of names, if that fits a line of ours. Layers of a shape that the other side has
    nothing of (a head for other classes) are left out of it."""
    settled: dict[int, int] = {}
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
    for their, parts in stands.items():
        for our in parts:
            if len(parts) == 1:
                found.pair(our, their, "place" if sides.is_single(our) else "names")
            else:
                found.doubt([our], [their])
    return found


def numbered(sides: Sides) -> Pairing:
    """Shape by shape: those whose names differ in numbers only."""
    found = Pairing()
    ours: dict[Sign, list[int]] = {}
    for our, sign in sides.ours.items():
        ours.setdefault(sign, []).append(our)
    for sign, alike in ours.items():
        theirs = [number for number, other in enumerate(sides.theirs) if other == sign]
        theirs.sort(key=lambda number: rank(sides.names[number]))
        if len(alike) == len(theirs) and count_upwards([sides.names[n] for n in theirs]):
            for our, their in zip(alike, theirs, strict=True):
                found.pair(our, their, "place" if len(alike) == 1 else "names")
        elif theirs:
            found.doubt(alike, theirs)
    return found


def _stands(sides: Sides, settled: dict[int, int]) -> Stands | None:
    theirs = [number for number, sign in enumerate(sides.theirs) if sides.our_count[sign]]
    names = [sides.names[number] for number in theirs]
    back = {our: their for their, our in settled.items()}
    for between in _LEVELS:
        found: Stands = {}
        for line in sides.lines:
            ours = [part for part in line if sides.their_count[sides.ours[part]]]

            def fits(number: int, at: int, ours: Sequence[int] = ours) -> bool:
                their, our = theirs[number], ours[at]
                if their in settled or our in back:
                    return settled.get(their) == our
                return sides.theirs[their] == sides.ours[our]

            places = positions(names, len(ours), fits, between)
            for their, among in zip(theirs, places or (), strict=False):
                found.setdefault(their, set()).update(ours[at] for at in among)
        if found:
            return found
    return None


def _told_by_words(sides: Sides, stands: Stands, settled: dict[int, int]) -> dict[int, int]:
    """Those that alone, of all that may be one of ours, have a word for what that is."""
    found: dict[int, int] = {}
    for our, among in _contested(stands):
        for tag in sides.tags[our]:
            called = [their for their in among if tag in tags(sides.names[their])]
            if len(called) == 1 and called[0] not in settled:
                found.setdefault(called[0], our)
    return found


def _contested(stands: Stands) -> Iterator[tuple[int, list[int]]]:
    """Ours that several of theirs may be."""
    candidates: dict[int, list[int]] = {}
    for their, parts in stands.items():
        for our in parts:
            candidates.setdefault(our, []).append(their)
    return ((our, among) for our, among in candidates.items() if len(among) > 1)


def _told_by_numbers(sides: Sides, stands: Stands) -> dict[int, int]:
    """Norms that are numbered like the convolution beside them (`conv1`, `bn1`), always on the same
    side of it, as far as that is known."""
    certain = {our: their for their, parts in stands.items() if len(parts) == 1 for our in parts}
    known = Counter(
        forward
        for our, their in certain.items()
        for forward, beside in _beside(sides, our)
        if beside in certain and _numbered_alike(sides, their, certain[beside])
    )
    if len(known) != 1:
        return {}
    (side,) = known
    found: dict[int, int] = {}
    for our, among in _contested(stands):
        for forward, beside in _beside(sides, our):
            if forward == side and beside in certain:
                alike = [their for their in among if _numbered_alike(sides, their, certain[beside])]
                if len(alike) == 1:
                    found[alike[0]] = our
    return found


def _beside(sides: Sides, our: int) -> Iterator[tuple[bool, int]]:
    """Of a norm: the layers directly before and behind it, if these are of another kind."""
    flow = sides.flow
    if sides.ours[our][0] == "products":
        return
    near = [(False, link.part) for link in flow.parts[our].inputs]
    near += [(True, taken.by) for taken in flow.taken[our]]
    for forward, part in near:
        if part in sides.ours and sides.ours[part][0] == "products":
            yield forward, part


def _numbered_alike(sides: Sides, one: int, other: int) -> bool:
    a, b = sides.names[one], sides.names[other]
    number = rank(last_part(a))
    return bool(number) and prefix_of(a) == prefix_of(b) and number == rank(last_part(b))
