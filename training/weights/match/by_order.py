"""The layers of a dict, in its order, aligned with ours."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from .align import Alignment, align
from .names import contradict
from .pairing import Pairing
from .sides import Sides, Sign
from .symmetric_layers import alike, decide_by_names


def is_alphabetical(sides: Sides) -> bool:
    """Some formats sort what they keep, so the order says nothing."""
    return len(sides.names) > 2 and sides.names == sorted(sides.names)


def is_contradicted(sides: Sides) -> bool:
    """Whether the numbers in names of layers of one shape say that the order is another."""
    like: dict[Sign, list[str]] = {}
    for name, sign in zip(sides.names, sides.theirs, strict=True):
        like.setdefault(sign, []).append(name)
    return any(contradict(names) for names in like.values())


@dataclass(frozen=True)
class InOrder:
    pairing: Pairing
    fits: bool
    """Whether the order is that in which the network is carried out: nothing had to be left out
    that has a partner somewhere, but perhaps for one that cannot be anything else."""


def in_order(sides: Sides, by_order: bool) -> InOrder:
    best = _best_line(sides, None)
    if best.score < min(len(sides.ours), len(sides.theirs)):
        # Some files keep all convolutions first, and all norms behind them.
        kinds = dict.fromkeys(kind for kind, _ in sides.theirs)
        by_kind = [_best_line(sides, kind) for kind in kinds]
        if sum(part.score for part in by_kind) > best.score:
            best = _together(by_kind)
    found = Pairing()
    for our, their in best.pairs.items():
        found.pair(our, their, "place" if sides.is_single(our) else "order")
    for our, their in best.places.items():
        found.pair(our, their)
    for our, among in best.doubtful.items():
        found.doubt([our], among)
    elsewhere = _pair_singles(sides, found)
    groups = alike(sides.flow, sides.label, details=False, ordered=False)
    name, tagged = sides.names.__getitem__, sides.tags.__getitem__
    decide_by_names(groups, found, name, tagged, by_order)
    could = sum(min(number, sides.their_count[sign]) for sign, number in sides.our_count.items())
    return InOrder(found, elsewhere < 2 and best.score + elsewhere == could)


def _best_line(sides: Sides, kind: Hashable) -> Alignment:
    """The best that any line of ours comes to; where several do, what they agree in. Of one kind of
    layer, or of all."""
    theirs = [number for number, sign in enumerate(sides.theirs) if kind in (None, sign[0])]
    signs = [sides.theirs[number] for number in theirs]
    found: list[Alignment] = []
    for line in sides.lines:
        ours = [part for part in line if kind in (None, sides.ours[part][0])]
        aligned = align([sides.ours[part] for part in ours], signs)
        found.append(
            Alignment(
                {ours[a]: theirs[b] for a, b in aligned.pairs.items()},
                {ours[a]: theirs[b] for a, b in aligned.places.items()},
                {ours[a]: {theirs[n] for n in b} for a, b in aligned.doubtful.items()},
                aligned.score,
            )
        )
    most = max(alignment.score for alignment in found)
    return _agreed([alignment for alignment in found if alignment.score == most])


def _pair_singles(sides: Sides, found: Pairing) -> int:
    """What stands elsewhere, but cannot be anything else; how many that are."""
    theirs = {sign: number for number, sign in enumerate(sides.theirs)}
    elsewhere = 0
    for our, sign in sides.ours.items():
        if sides.is_single(our) and found.pairs.get(our) != theirs[sign]:
            found.pair(our, theirs[sign])
            elsewhere += 1
    return elsewhere


def _together(parts: Sequence[Alignment]) -> Alignment:
    """Alignments of different layers as one."""
    return Alignment(
        {our: their for part in parts for our, their in part.pairs.items()},
        {our: their for part in parts for our, their in part.places.items()},
        {our: among for part in parts for our, among in part.doubtful.items()},
        sum(part.score for part in parts),
    )


def _agreed(found: Sequence[Alignment]) -> Alignment:
    """What several alignments agree in; what they pair differently is in doubt."""
    pairs: dict[int, int] = {}
    doubtful: dict[int, set[int]] = {}
    for our in dict.fromkeys(our for each in found for our in (*each.pairs, *each.doubtful)):
        said = [
            {each.pairs[our]} if our in each.pairs else each.doubtful.get(our, set())
            for each in found
        ]
        among = set.union(*said)
        if len(among) == 1 and all(our in each.pairs for each in found):
            pairs[our] = among.pop()
        else:
            doubtful[our] = among
    places = {
        our: their
        for our, their in found[0].places.items()
        if all(each.places.get(our) == their for each in found)
    }
    return Alignment(pairs, places, doubtful, found[0].score)
