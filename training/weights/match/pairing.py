"""Which layers of the source and the target are paired, and on what evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .layer import Layer
from .names import Tag, assign_by_words, count_upwards

Evidence = Literal["place", "order", "names"]
"""How a pair was found: by its place in the graph, else by the order in a file, or by names."""


@dataclass
class Pairing:
    """Layers that are neither paired nor undecided have no counterpart."""

    pairs: dict[Layer, Layer] = field(default_factory=dict)
    """The source's layer for each layer of the target."""
    evidence: dict[Layer, Evidence] = field(default_factory=dict)
    """The evidence for each pair, by the layer of the target."""
    undecided: dict[Layer, set[Layer]] = field(default_factory=dict)
    """For each ambiguous layer of the target, its candidates in the source."""
    same_graph: bool = False
    """Whether both graphs are the same, but for shapes and settings."""

    def pair(self, target: Layer, source: Layer, evidence: Evidence = "place") -> None:
        self.pairs[target] = source
        self.evidence[target] = evidence
        self.undecided.pop(target, None)

    def doubt(self, targets: Iterable[Layer], sources: Iterable[Layer]) -> None:
        """Makes layers ambiguous; pairs with them are dissolved."""
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
        """The candidates of ambiguous layers."""
        return {source for candidates in self.undecided.values() for source in candidates}


def decide_by_names(
    groups: Iterable[Sequence[Layer]],
    pairing: Pairing,
    tagged: Mapping[Layer, frozenset[Tag]],
    by_order: bool,
) -> None:
    """Checks pairs of interchangeable layers: they stay if names confirm them, or if the order may
    decide; else the layers are ambiguous."""
    for group in groups:
        paired = [target for target in group if target in pairing.pairs]
        if not paired:
            continue
        sources = [pairing.pairs[target] for target in paired]
        names = [source.name for source in sources]
        words = assign_by_words([tagged[target] for target in paired], names)
        if count_upwards(names) or words == list(range(len(names))):
            evidence: Evidence = "names"
        elif by_order and words is None:
            evidence = "order"
        else:
            pairing.doubt(group, sources)
            continue
        for target in paired:
            pairing.evidence[target] = evidence
