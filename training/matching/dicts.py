"""Layers of ours brought together with those of a dict, of which kinds, shapes, order and names are
known, but not how data flows through them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence

from .align import Alignment, align
from .alike import alike, decide_by_names
from .arrange import positions
from .flow import Flow, Part
from .layer import Layer, Shape
from .line import Heads, Paths, line
from .names import contradict, count_upwards, rank, tags
from .pairing import Pairing
from .paths import path_tags

Sign = tuple[Hashable, Shape]
"""What layers have to agree in."""


def pair_dict(ours: Flow, theirs: Sequence[Layer], *, by_order: bool = False) -> Pairing:
    """Parts of ours, and theirs by number."""
    return _Dict(ours, theirs, by_order).paired()


def sign(layer: Layer) -> Sign:
    return layer.kind, layer.form


def _label(part: Part) -> Hashable:
    return part.what if part.layer is None else sign(part.layer)


class _Dict:
    def __init__(self, ours: Flow, theirs: Sequence[Layer], by_order: bool) -> None:
        self._flow = ours
        self._theirs = theirs
        self._by_order = by_order
        self._ours = {part: sign(ours.layer(part)) for part in ours.layers}
        self._signs = [sign(layer) for layer in theirs]
        self._names = [layer.name for layer in theirs]
        self._counts = Counter(self._ours.values()), Counter(self._signs)
        self._tags = path_tags(ours)
        self._lines = self._all_lines()

    def paired(self) -> Pairing:
        in_order = self._in_order()
        if not (self._keeps_an_order() and self._fits_in_order(in_order)):
            found = self._by_names()
            if self._by_order:
                _fill(found, in_order)
            return found
        if len(in_order.pairs) < len(self._ours):
            arranged = self._arranged()
            if arranged is not None:
                for our, their in arranged.pairs.items():
                    if in_order.pairs.get(our, their) != their:
                        in_order.doubt([our], [their, in_order.pairs[our]])
                _fill(in_order, arranged)
        return in_order

    # ---- by the order of the dict ----

    def _keeps_an_order(self) -> bool:
        """Not an alphabetical one, nor one that numbers in names contradict."""
        if len(self._names) > 2 and self._names == sorted(self._names):
            return False
        alike: dict[Sign, list[str]] = {}
        for name, sign in zip(self._names, self._signs, strict=True):
            alike.setdefault(sign, []).append(name)
        return not any(contradict(names) for names in alike.values())

    def _all_lines(self) -> list[list[int]]:
        paths: tuple[Paths, ...] = ("written", "short", "long")
        heads: tuple[Heads, ...] = ("written", "last", "before")
        found = [line(self._flow, p, h) for h in heads for p in paths]
        return [each for number, each in enumerate(found) if each not in found[:number]]

    def _in_order(self) -> Pairing:
        best = self._best_line(None)
        if best.score < min(len(self._ours), len(self._signs)):
            # Some files keep all convolutions first, and all norms behind them.
            kinds = dict.fromkeys(kind for kind, _ in self._signs)
            by_kind = [self._best_line(kind) for kind in kinds]
            if sum(part.score for part in by_kind) > best.score:
                best = _together(by_kind)
        found = Pairing()
        for our, their in (*best.pairs.items(), *best.places.items()):
            found.pair(our, their, "place" if self._is_single(our) else "order")
        for our, among in best.doubtful.items():
            found.doubt([our], among)
        self._pair_singles(found)
        groups = alike(self._flow, _label, details=False, ordered=False)
        name, tagged = self._names.__getitem__, self._tags.__getitem__
        decide_by_names(groups, found, name, tagged, self._by_order)
        return found

    def _fits_in_order(self, found: Pairing) -> bool:
        """Whether nothing had to be left out of the alignment that has a partner somewhere: were it
        so, the order would not be that in which the network is carried out."""
        ours, theirs = self._counts
        could = sum(min(number, theirs[sign]) for sign, number in ours.items())
        paired = sum(self._ours[our] == self._signs[their] for our, their in found.pairs.items())
        return paired + len(found.undecided) >= could

    def _best_line(self, kind: Hashable) -> Alignment:
        """The best that any line of ours comes to; where several do, what they agree in."""
        theirs = [n for n, sign in enumerate(self._signs) if kind in (None, sign[0])]
        signs = [self._signs[number] for number in theirs]
        found: list[Alignment] = []
        for each in self._lines:
            ours = [part for part in each if kind in (None, self._ours[part][0])]
            aligned = align([self._ours[part] for part in ours], signs)
            found.append(
                Alignment(
                    {ours[a]: theirs[b] for a, b in aligned.pairs.items()},
                    {ours[a]: theirs[b] for a, b in aligned.places.items()},
                    {ours[a]: {theirs[n] for n in b} for a, b in aligned.doubtful.items()},
                    aligned.score,
                )
            )
        most = max(alignment.score for alignment in found)
        return _agreed_in([alignment for alignment in found if alignment.score == most])

    def _is_single(self, our: int) -> bool:
        """Whether there is nothing else of its shape, here or there."""
        return all(counts[self._ours[our]] == 1 for counts in self._counts)

    def _pair_singles(self, found: Pairing) -> None:
        """What stands elsewhere, but cannot be anything else."""
        theirs = {sign: number for number, sign in enumerate(self._signs)}
        for our, sign in self._ours.items():
            if our not in found.pairs and self._is_single(our):
                found.pair(our, theirs[sign])

    # ---- by names ----

    def _by_names(self) -> Pairing:
        arranged = self._arranged()
        if arranged is not None:
            return arranged
        found = Pairing()
        ours: dict[Sign, list[int]] = {}
        for our, sign in self._ours.items():
            ours.setdefault(sign, []).append(our)
        for sign, alike in ours.items():
            theirs = [number for number, other in enumerate(self._signs) if other == sign]
            theirs.sort(key=lambda number: rank(self._names[number]))
            numbered = count_upwards([self._names[number] for number in theirs])
            if len(alike) == len(theirs) and numbered:
                for our, their in zip(alike, theirs, strict=True):
                    found.pair(our, their, "place" if len(alike) == 1 else "names")
            elif theirs:
                found.doubt(alike, theirs)
        return found

    def _arranged(self) -> Pairing | None:
        """By the tree of names, if it fits a line of ours. Layers whose shape the other side does
        not have at all (a head of other classes) are left out of it."""
        theirs = [n for n, sign in enumerate(self._signs) if sign in self._counts[0]]
        names = [self._names[number] for number in theirs]
        settled: dict[int, int] = {}
        while True:
            stands = self._stands(theirs, names, settled)
            if stands is None:
                return None
            more = self._told_by_words(stands, settled)
            if not more:
                break
            settled.update(more)
        found = Pairing()
        for their, parts in stands.items():
            if len(parts) == 1:
                (our,) = parts
                found.pair(our, their, "place" if self._is_single(our) else "names")
        for their, parts in stands.items():
            for our in parts if len(parts) > 1 else ():
                found.doubt([our], [their])
        return found

    def _stands(
        self, theirs: Sequence[int], names: Sequence[str], settled: dict[int, int]
    ) -> dict[int, set[int]] | None:
        """The parts that each may be, on any line. `settled` are known already."""
        back = {our: their for their, our in settled.items()}
        found: dict[int, set[int]] = {}
        for each in self._lines:
            ours = [part for part in each if self._ours[part] in self._counts[1]]

            def fits(number: int, at: int, ours: Sequence[int] = ours) -> bool:
                their, our = theirs[number], ours[at]
                if their in settled or our in back:
                    return settled.get(their) == our
                return self._signs[their] == self._ours[our]

            for their, places in zip(theirs, positions(names, len(ours), fits) or (), strict=False):
                found.setdefault(their, set()).update(ours[at] for at in places)
        return found or None

    def _told_by_words(
        self, stands: dict[int, set[int]], settled: dict[int, int]
    ) -> dict[int, int]:
        """Of layers that may stand in several places: those that alone, of all that may stand in
        one of these, have a word for what it is."""
        candidates: dict[int, set[int]] = {}
        for their, parts in stands.items():
            for our in parts:
                candidates.setdefault(our, set()).add(their)
        found: dict[int, int] = {}
        for our, among in candidates.items():
            for tag in self._tags[our] if len(among) > 1 else ():
                called = [their for their in among if tag in tags(self._names[their])]
                if len(called) == 1 and called[0] not in settled:
                    found.setdefault(called[0], our)
        return found


def _fill(found: Pairing, more: Pairing) -> None:
    """Pairs for what has none, from another way to find them."""
    taken = found.taken
    for our, their in more.pairs.items():
        if our not in found.pairs and their not in taken:
            found.pair(our, their, more.evidence[our])


def _together(parts: Sequence[Alignment]) -> Alignment:
    """Alignments of different layers as one."""
    return Alignment(
        {our: their for part in parts for our, their in part.pairs.items()},
        {our: their for part in parts for our, their in part.places.items()},
        {our: among for part in parts for our, among in part.doubtful.items()},
        sum(part.score for part in parts),
    )


def _agreed_in(found: Sequence[Alignment]) -> Alignment:
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
