"""Which layer of theirs belongs to which of ours: what all ways to find that out answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Evidence = Literal["place", "order", "names"]
"""By its place in the flow of data, or failing that by the order in a file, or by names."""


@dataclass
class Pairing:
    """Both sides by number. What is in neither has nothing to go with."""

    pairs: dict[int, int] = field(default_factory=dict)
    """Theirs, by ours."""
    evidence: dict[int, Evidence] = field(default_factory=dict)
    """What a pair was told by, by ours; nothing where the place alone decides."""
    undecided: dict[int, set[int]] = field(default_factory=dict)
    """Of ours that cannot be told apart: those of theirs that may belong to it."""

    def pair(self, our: int, their: int, evidence: Evidence = "place") -> None:
        self.pairs[our] = their
        self.evidence[our] = evidence
        self.undecided.pop(our, None)

    def doubt(self, ours: Iterable[int], theirs: Iterable[int]) -> None:
        """Takes back what was said about these."""
        alike, candidates = list(ours), set(theirs)
        for our in alike:
            self.pairs.pop(our, None)
            self.evidence.pop(our, None)
            self.undecided.setdefault(our, set()).update(candidates)

    @property
    def taken(self) -> set[int]:
        return set(self.pairs.values())

    @property
    def doubtful(self) -> set[int]:
        """Of theirs."""
        return {their for candidates in self.undecided.values() for their in candidates}
