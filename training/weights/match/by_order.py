"""The layers of a dict, in its order, aligned with ours."""

from __future__ import annotations

from dataclasses import dataclass

from .align import Alignment, agreed, align
from .color_refinement import alike
from .layer import Kind
from .names import contradict
from .pairing import Pairing, decide_by_names
from .sides import Sides, Sign


def is_alphabetical(sides: Sides) -> bool:
    """Some formats sort what they keep, so the order says nothing."""
    names = [layer.name for layer in sides.sources]
    return len(names) > 2 and names == sorted(names)


def is_contradicted(sides: Sides) -> bool:
    """Whether the numbers in names of layers of one shape say that the order is another."""
    like: dict[Sign, list[str]] = {}
    for layer in sides.sources:
        like.setdefault(sides.sign[layer], []).append(layer.name)
    return any(contradict(names) for names in like.values())


@dataclass(frozen=True)
class InOrder:
    pairing: Pairing
    fits: bool
    """Whether the order is that in which the network is carried out: nothing had to be left out
    that has a partner somewhere, but perhaps for one that cannot be anything else."""


def in_order(sides: Sides, by_order: bool) -> InOrder:
    best = _best_line(sides)
    if best.score < min(len(sides.targets), len(sides.sources)):
        # Some files keep all convolutions first, and all norms behind them.
        kinds = dict.fromkeys(layer.kind for layer in sides.sources)
        by_kind = [_best_line(sides, kind) for kind in kinds]
        if sum(part.score for part in by_kind) > best.score:
            best = Alignment({}, {}, sum(part.score for part in by_kind))
            for part in by_kind:
                best.pairs.update(part.pairs)
                best.doubtful.update(part.doubtful)
    found = Pairing()
    for target, source in best.pairs.items():
        by_place = sides.is_single(target) or sides.sign[target] != sides.sign[source]
        found.pair(target, source, "place" if by_place else "order")
    for target, among in best.doubtful.items():
        found.doubt([target], among)
    elsewhere = _pair_singles(sides, found)
    groups = alike(sides.flow, sides.label, details=False, ordered=False)
    decide_by_names(groups, found, sides.tags, by_order)
    could = sum(
        min(number, sides.source_count[sign]) for sign, number in sides.target_count.items()
    )
    return InOrder(found, elsewhere < 2 and best.score + elsewhere == could)


def _best_line(sides: Sides, kind: Kind | None = None) -> Alignment:
    """The best that any line of ours comes to; where several do, what they agree in. Of one kind of
    layer, or of all."""
    sources = [layer for layer in sides.sources if kind in (None, layer.kind)]
    sign = sides.sign.__getitem__
    found = [
        align([layer for layer in line if kind in (None, layer.kind)], sources, sign)
        for line in sides.lines
    ]
    most = max(alignment.score for alignment in found)
    return agreed([alignment for alignment in found if alignment.score == most], sign)


def _pair_singles(sides: Sides, found: Pairing) -> int:
    """What stands elsewhere, but cannot be anything else; how many that are."""
    sources = {sides.sign[layer]: layer for layer in sides.sources}
    elsewhere = 0
    for target in sides.targets:
        if sides.is_single(target) and found.pairs.get(target) is not (
            source := sources[sides.sign[target]]
        ):
            found.pair(target, source)
            elsewhere += 1
    return elsewhere
