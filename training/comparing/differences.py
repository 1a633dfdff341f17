"""What differs between the specs and plans of runs, and between their networks, by structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ...compiler.analysis import Analysis, analyse
from ...compiler.report.diff import Difference, difference
from ...compiler.report.diff_text import diff_text
from ...compiler.report.figures import plural, signed
from ...compiler.report.style import Style
from ...dsl.diagnostics import SpecError
from ..runs.run_differences import NETWORK, SEED, run_changes
from ..saved_request import request_of
from .contender import Contender


class Setting(NamedTuple):
    """A directive or parameter that is not the same in all runs."""

    name: str
    values: tuple[str, ...]
    """Of each run; empty where it is not there."""


class Statements(NamedTuple):
    """Statements of the network that a run has instead of those of the first."""

    before: str
    now: str


@dataclass(frozen=True, eq=False)
class Differences:
    """What differs from the first run."""

    contenders: tuple[Contender, ...]

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The directives and parameters that differ anywhere, with the value of each run."""
        first, *others = self.contenders
        values: dict[str, list[str]] = {}
        for place, other in enumerate(others, 1):
            for change in self._changes(first, other):
                if change.name == NETWORK or (change.name == SEED and first.several):
                    continue
                own = values.setdefault(change.name, [change.before] * len(self.contenders))
                own[place] = change.now
        return tuple(Setting(name, tuple(own)) for name, own in values.items())

    def statements(self, other: Contender) -> list[Statements]:
        """The statements of the network that differ."""
        changes = self._changes(self.contenders[0], other)
        return [Statements(each.before, each.now) for each in changes if each.name == NETWORK]

    def _changes(self, first: Contender, other: Contender) -> Sequence[_Change]:
        return [_Change(*change) for change in run_changes(first.run, other.run)]

    # ---- networks ----

    @cached_property
    def analyses(self) -> tuple[Analysis | None, ...]:
        """The network of each run; None if its spec cannot be read any more."""
        return tuple(map(_analysis, self.contenders))

    def networks(self, place: int) -> Difference | None:
        """The difference between the networks of the first run and of another one; None if they
        are the same, or not known."""
        first, other = self.analyses[0], self.analyses[place]
        if first is None or other is None:
            return None
        found = difference(first, other)
        return None if found.same else found

    def networks_text(self, place: int, style: Style) -> str:
        """As `cnn diff` prints it; empty if the networks are the same."""
        found = self.networks(place)
        return diff_text(found, style=style) if found is not None else ""

    def networks_line(self, place: int) -> str:
        """In a few words: `3 layers changed: +3,792 parameters`; empty if there is none."""
        found = self.networks(place)
        if found is None:
            return ""
        counts = [
            f"{plural(len(parts), 'layer')}{_or_parts(parts) * (what != 'changed')} {what}"
            for what, parts in (
                ("added", found.added),
                ("removed", found.removed),
                ("changed", found.changed),
            )
            if parts
        ]
        params = found.after.totals.params - found.before.totals.params
        macs = found.after.totals.macs - found.before.totals.macs
        costs = [f"{signed(params)} parameters"] * bool(params)
        costs += [f"{signed(macs)} multiply-adds"] * bool(macs)
        text = ", ".join(counts) or "the same layers at other sizes"
        return f"{text}: {', '.join(costs)}" if costs else text

    # ---- costs ----

    def parameters(self, place: int) -> int | None:
        """Of an ensemble, those of all its networks."""
        known = self.contenders[place].run.parameters
        if known is None and (analysis := self.analyses[place]) is not None:
            known = analysis.totals.params
        return None if known is None else known * self._networks(place)

    def macs(self, place: int) -> int | None:
        """Multiply-adds for one image; of a run that does not record them, of its network."""
        known = self.contenders[place].run.macs
        if known is None and (analysis := self.analyses[place]) is not None:
            known = analysis.totals.macs
        return None if known is None else known * self._networks(place)

    def _networks(self, place: int) -> int:
        """How many answer an image together."""
        run = self.contenders[place].run
        return max(1, len(run.members)) if run.kind == "ensemble" else 1


class _Change(NamedTuple):
    name: str
    before: str
    now: str


def _analysis(contender: Contender) -> Analysis | None:
    try:
        return analyse(request_of(contender.run.folder).network)
    except (SpecError, OSError):
        return None


def _or_parts(parts: Sequence[object]) -> str:
    return " or part" if len(parts) == 1 else " or parts"
