"""Which layer of theirs belongs to which of ours: what all ways to find that out answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .layer import Layer
from .names import Tag, count_upwards, told_apart

Evidence = Literal["place", "order", "names"]
"""By its place in the flow of data, or failing that by the order in a file, or by names."""


@dataclass
class Pairing:
    """What is in neither has nothing to go with."""

    pairs: dict[Layer, Layer] = field(default_factory=dict)
    """Theirs, by ours."""
    evidence: dict[Layer, Evidence] = field(default_factory=dict)
    """What a pair was told by, by ours."""
    undecided: dict[Layer, set[Layer]] = field(default_factory=dict)
    """Of ours that cannot be told apart: those of theirs that may belong to it."""

    def pair(self, target: Layer, source: Layer, evidence: Evidence = "place") -> None:
        self.pairs[target] = source
        self.evidence[target] = evidence
        self.undecided.pop(target, None)

    def doubt(self, targets: Iterable[Layer], sources: Iterable[Layer]) -> None:
        """Takes back what was said about these."""
        candidates = set(sources)
        for target in list(targets):
            self.pairs.pop(target, None)
            self.evidence.pop(target, None)
            self.undecided.setdefault(target, set()).update(candidates)

    @property
    def taken(self) -> set[Layer]:
        return set(self.pairs.values())

    @property
    def doubtful(self) -> set[Layer]:
        """Of theirs."""
        return {source for candidates in self.undecided.values() for source in candidates}


def decide_by_names(
    groups: Iterable[Sequence[Layer]],
    found: Pairing,
    tagged: Mapping[Layer, frozenset[Tag]],
    by_order: bool,
) -> None:
    """Pairs of layers that are alike stay where names say the same, or where order may decide;
    else they are in doubt."""
    for group in groups:
        paired = [target for target in group if target in found.pairs]
        if not paired:
            continue
        sources = [found.pairs[target] for target in paired]
        names = [source.name for source in sources]
        words = told_apart([tagged[target] for target in paired], names)
        if count_upwards(names) or words == list(range(len(names))):
            evidence: Evidence = "names"
        elif by_order and words is None:
            evidence = "order"
        else:
            found.doubt(group, sources)
            continue
        for target in paired:
            found.evidence[target] = evidence
