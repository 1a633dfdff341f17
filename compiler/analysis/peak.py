"""Peak memory as a function of the batch size. The memory in use at a moment is `fixed + each *
batch` bytes. Which moment is the peak depends on the batch size (small: the weights' gradients;
large: the activations), so all moments that are the peak for some batch size are recorded, and one
walk over the network answers for every batch size.
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
    """The memory in use at one moment of a step."""

    each: int
    fixed: int
    phase: str
    """`forward`, `loss`, `backward` or `step`."""
    node: int
    """Index of the node being computed; -1 in the optimizer's update."""


class Peak:
    """The peak memory for every batch size."""

    def __init__(self, moments: list[Moment]) -> None:
        self.moments: list[Moment] = []
        """The moments that are the peak for some batch size, sorted: fewer bytes per image and more
        fixed bytes from one to the next.
        """
        for moment in sorted(moments, key=lambda m: (-m.each, -m.fixed)):
            if not self.moments or moment.fixed > self.moments[-1].fixed:
                self.moments.append(moment)

    def moment(self, batch: int) -> Moment:
        return max(self.moments, key=lambda m: m.fixed + m.each * batch)

    def at(self, batch: int) -> int:
        """The bytes in use at the peak."""
        moment = self.moment(batch)
        return moment.fixed + moment.each * batch

    def fit(self, limit: int) -> int:
        """The largest batch whose peak fits into this many bytes; 0 if none fits."""
        most: int | None = None
        for moment in self.moments:
            if moment.fixed > limit:
                return 0
            if moment.each:
                batch = (limit - moment.fixed) // moment.each
                most = batch if most is None else min(most, batch)
        return most or 0


class Event(NamedTuple):
    """A tensor is allocated, or freed: then with 0 bytes."""

    tensor: object
    """What identifies the tensor."""
    fixed: int = 0
    each: int = 0


class Ledger:
    """The account of memory in use during a walk through a step; with `record`, of each tensor in
    `events`, from which an allocator can be simulated.
    """

    def __init__(self, start: Bytes, *, record: bool = False) -> None:
        self.fixed, self.each = start
        self.moments: list[Moment] = []
        self.events: list[Event] | None = [] if record else None
        self._most_fixed = self._most_each = -1

    def take(self, tensor: object, fixed: int, each: int) -> None:
        """Allocates a tensor, or several that are freed together."""
        self.fixed += fixed
        self.each += each
        if self.events is not None:
            self.events.append(Event(tensor, fixed, each))

    def give(self, tensor: object, fixed: int, each: int) -> None:
        """Frees what was taken under the same name."""
        self.fixed -= fixed
        self.each -= each
        if self.events is not None:
            self.events.append(Event(tensor))

    def note(self, phase: str, node: int, scratch: Bytes = Bytes()) -> None:  # noqa: B008 (a tuple)
        """Records this moment, with scratch memory that is freed immediately."""
        if self.events is not None and (scratch.fixed or scratch.each):
            self.events += [Event("scratch", *scratch), Event("scratch")]
        fixed, each = self.fixed + scratch.fixed, self.each + scratch.each
        # Most moments are below an earlier one in both numbers; dropping them here is cheap.
        if fixed <= self._most_fixed and each <= self._most_each:
            return
        if fixed >= self._most_fixed and each >= self._most_each:
            self._most_fixed, self._most_each = fixed, each
        self.moments.append(Moment(each, fixed, phase, node))

    def peak(self) -> Peak:
        return Peak(self.moments)
