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

    def pair(self, our: Layer, their: Layer, evidence: Evidence = "place") -> None:
        self.pairs[our] = their
        self.evidence[our] = evidence
        self.undecided.pop(our, None)

    def doubt(self, ours: Iterable[Layer], theirs: Iterable[Layer]) -> None:
        """Takes back what was said about these."""
        candidates = set(theirs)
        for our in list(ours):
            self.pairs.pop(our, None)
            self.evidence.pop(our, None)
            self.undecided.setdefault(our, set()).update(candidates)

    @property
    def taken(self) -> set[Layer]:
        return set(self.pairs.values())

    @property
    def doubtful(self) -> set[Layer]:
        """Of theirs."""
        return {their for candidates in self.undecided.values() for their in candidates}


def decide_by_names(
    groups: Iterable[Sequence[Layer]],
    found: Pairing,
    tagged: Mapping[Layer, frozenset[Tag]],
    by_order: bool,
) -> None:
    """Pairs of layers that are alike stay where names say the same, or where order may decide;
    else they are in doubt."""
    for group in groups:
        paired = [our for our in group if our in found.pairs]
        if not paired:
            continue
        theirs = [found.pairs[our] for our in paired]
        names = [their.name for their in theirs]
        words = told_apart([tagged[our] for our in paired], names)
        if count_upwards(names) or words == list(range(len(names))):
            evidence: Evidence = "names"
        elif by_order and words is None:
            evidence = "order"
        else:
            found.doubt(group, theirs)
            continue
        for our in paired:
            found.evidence[our] = evidence
