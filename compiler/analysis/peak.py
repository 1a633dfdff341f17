"""Bytes as they depend on the batch, and the largest amount that is in use at any moment.

What is in use at a moment is `fixed + each * batch`. Which moment is the worst depends on the batch
(a small one: the weights' gradients; a large one: the activations), so all that can be the worst
for some batch are remembered, and one walk over a network answers for every batch.
"""

from __future__ import annotations

from typing import NamedTuple


class Bytes(NamedTuple):
    """`fixed + each * batch` bytes."""

    fixed: int = 0
    each: int = 0

    def at(self, batch: int) -> int:
        return self.fixed + self.each * batch

    def plus(self, other: Bytes) -> Bytes:
        return Bytes(self.fixed + other.fixed, self.each + other.each)


class Moment(NamedTuple):
    """What is in use at one point of a step."""

    each: int
    fixed: int
    phase: str
    """`forward`, `loss`, `backward` or `step`."""
    node: int
    """Index of the node that is being computed; -1 in a step of the optimizer."""


class Peak:
    """The most that is in use at any moment, for every batch."""

    def __init__(self, moments: list[Moment]) -> None:
        self.moments: list[Moment] = []
        """Those for which there may be a batch at which no other needs more; fewer bytes an image,
        and more fixed ones, from one to the next."""
        for moment in sorted(moments, key=lambda m: (-m.each, -m.fixed)):
            if not self.moments or moment.fixed > self.moments[-1].fixed:
                self.moments.append(moment)

    def moment(self, batch: int) -> Moment:
        return max(self.moments, key=lambda m: m.fixed + m.each * batch)

    def at(self, batch: int) -> int:
        """Bytes in use at the worst moment."""
        moment = self.moment(batch)
        return moment.fixed + moment.each * batch

    def fit(self, limit: int) -> int:
        """The largest batch with which no moment needs more than so many bytes; 0 if none fits."""
        most: int | None = None
        for moment in self.moments:
            if moment.fixed > limit:
                return 0
            if moment.each:
                batch = (limit - moment.fixed) // moment.each
                most = batch if most is None else min(most, batch)
        return most or 0


class Ledger:
    """What is in use, while a step is walked through."""

    def __init__(self, start: Bytes) -> None:
        self.fixed, self.each = start
        self.moments: list[Moment] = []
        self._most_fixed = self._most_each = -1

    def take(self, amount: Bytes) -> None:
        self.fixed += amount.fixed
        self.each += amount.each

    def give(self, amount: Bytes) -> None:
        self.fixed -= amount.fixed
        self.each -= amount.each

    def note(self, phase: str, node: int, more: Bytes = Bytes()) -> None:  # noqa: B008 (a tuple)
        """Remembers this moment, with scratch memory that is returned at once."""
        fixed, each = self.fixed + more.fixed, self.each + more.each
        # Most moments need less than one before them in both; dropping them at once is cheap.
        if fixed <= self._most_fixed and each <= self._most_each:
            return
        if fixed >= self._most_fixed and each >= self._most_each:
            self._most_fixed, self._most_each = fixed, each
        self.moments.append(Moment(each, fixed, phase, node))

    def peak(self) -> Peak:
        return Peak(self.moments)
