"""Matches the layers of a state dict in its order, by aligning them with those of the target."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from .align import Alignment, agreed, align
from .color_refinement import interchangeable
from .layer import Kind
from .names import contradict
from .pairing import Pairing, decide_by_names
from .sides import Sides, Sign


def is_alphabetical(sides: Sides) -> bool:
    """Whether the names are sorted, as some formats do: then the order has no meaning."""
    names = [layer.name for layer in sides.sources]
    return len(names) > 2 and names == sorted(names)


def is_contradicted(sides: Sides) -> bool:
    """Whether numbers in the names of layers of one shape contradict the order."""
    like: dict[Sign, list[str]] = {}
    for layer in sides.sources:
        like.setdefault(sides.sign[layer], []).append(layer.name)
    return any(contradict(names) for names in like.values())


@dataclass(frozen=True)
class InOrder:
    pairing: Pairing
    fits: bool
    """Whether the order is that of execution: every layer that has a counterpart has it in order,
    except for at most one whose shape is unique."""


def in_order(sides: Sides, by_order: bool) -> InOrder:
    best = _best_line(sides)
    kinds = [kind for kind, _ in groupby(layer.kind for layer in sides.sources)]
    if best.score < min(len(sides.targets), len(sides.sources)) and len(set(kinds)) == len(kinds):
        # Some files have all convolutions first, and all norms after them.
        by_kind = [_best_line(sides, kind) for kind in kinds]
        if sum(part.score for part in by_kind) > best.score:
            best = Alignment({}, {}, sum(part.score for part in by_kind))
            for part in by_kind:
                best.pairs.update(part.pairs)
                best.doubtful.update(part.doubtful)
    pairing = Pairing()
    for target, source in best.pairs.items():
        by_place = sides.is_single(target) or sides.sign[target] != sides.sign[source]
        pairing.pair(target, source, "place" if by_place else "order")
    for target, among in best.doubtful.items():
        pairing.doubt([target], among)
    elsewhere = _pair_singles(sides, pairing)
    groups = interchangeable(sides.flow, sides.label, details=False, ordered=False)
    decide_by_names(groups, pairing, sides.tags, by_order)
    possible = sum(
        min(number, sides.source_count[sign]) for sign, number in sides.target_count.items()
    )
    return InOrder(pairing, elsewhere < 2 and best.score + elsewhere == possible)


def _best_line(sides: Sides, kind: Kind | None = None) -> Alignment:
    """The best alignment with any order of the target's layers; of several, what they agree on.
    With `kind`, only layers of this kind are aligned."""
    sources = [layer for layer in sides.sources if kind in (None, layer.kind)]
    sign = sides.sign.__getitem__
    alignments = [
        align([layer for layer in line if kind in (None, layer.kind)], sources, sign)
        for line in sides.lines
    ]
    most = max(alignment.score for alignment in alignments)
    return agreed([alignment for alignment in alignments if alignment.score == most], sign)


def _pair_singles(sides: Sides, pairing: Pairing) -> int:
    """Pairs layers of unique shapes that are out of order; returns how many there are."""
    sources = {sides.sign[layer]: layer for layer in sides.sources}
    elsewhere = 0
    for target in sides.targets:
        if not sides.is_single(target):
            continue
        source = sources[sides.sign[target]]
        if pairing.pairs.get(target) is not source:
            pairing.pair(target, source)
            elsewhere += 1
    return elsewhere
