"""What the page of a sweep shows: its facts, and the metric of each trial by epoch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from math import isfinite

from ...compiler.plan.search_space import Value
from ...compiler.plan.sweep_directives import COSTS
from ..checkpoint.run_files import read_epochs, read_record
from ..sweep.sweep_facts import PRUNED, SweepFacts, TrialFacts, is_final
from ..sweep.trial_text import objective_text, values_text
from ..untrusted.bad_file import BadFile
from .plot_axis import PlotAxis, axis_of_results

Curve = Sequence[tuple[int, float]]
"""Epochs and values."""


@dataclass(frozen=True, eq=False)
class SweepContents:
    facts: SweepFacts
    known_curves: dict[int, Curve] = field(default_factory=dict)
    """Those of trials that have ended, which are read only once."""

    # ---- trials ----

    @cached_property
    def complete(self) -> tuple[TrialFacts, ...]:
        """The trials that came to their end, in the order of their numbers."""
        return tuple(sorted(self.facts.complete, key=lambda trial: trial.number))

    @cached_property
    def pruned(self) -> tuple[TrialFacts, ...]:
        return tuple(trial for trial in self.facts.trials if trial.state == PRUNED)

    @cached_property
    def marked(self) -> frozenset[int]:
        """The numbers of the best trial, or of those on the front."""
        return frozenset(trial.number for trial in self.facts.front)

    def css(self, trial: TrialFacts) -> str:
        """How a trial is drawn: the best, one that came to its end, or one that did not."""
        if trial.number in self.marked:
            return "two"
        return "one" if trial.is_complete else "early"

    def value(self, trial: TrialFacts, name: str) -> Value | None:
        return trial.values.get(name)

    def result(self, trial: TrialFacts, objective: str) -> float | None:
        value = trial.objectives.get(objective)
        return value if value is not None and isfinite(value) else None

    def title(self, trial: TrialFacts) -> str:
        """A trial in a line, for tooltips."""
        return self._titles[trial.number]

    @cached_property
    def _titles(self) -> Mapping[int, str]:
        return {trial.number: self._title(trial) for trial in self.facts.trials}

    def _title(self, trial: TrialFacts) -> str:
        results = ", ".join(
            f"{name} {objective_text(name, trial.objectives.get(name))}"
            for name in self.facts.objectives
            if name in trial.objectives
        )
        state = "" if trial.is_complete else f" ({trial.state})"
        values = values_text(self.facts.searches, trial.values)
        return f"trial {trial.number}{state}: {results}{'; ' if results else ''}{values}"

    def href(self, trial: TrialFacts) -> str:
        """Where a trial's report is, or its folder."""
        return self._places[trial.number]

    @cached_property
    def _places(self) -> Mapping[int, str]:
        return {trial.number: self._place(trial) for trial in self.facts.trials}

    def _place(self, trial: TrialFacts) -> str:
        place = f"trials/{trial.number}/"
        report = self.facts.folder / place / "report.html"
        return f"{place}report.html" if os.path.lexists(report) else place

    # ---- what is compared ----

    @property
    def measured(self) -> list[str]:
        """The objectives that are known only when a trial has been trained."""
        return [name for name in self.facts.objectives if name not in COSTS or name == "seconds"]

    def axis(self, name: str, values: Sequence[float], label: str = "") -> PlotAxis:
        """The axis of an objective."""
        return axis_of_results(
            label or name,
            values,
            partial(objective_text, name),
            complete=[trial.objectives[name] for trial in self.complete],
            higher=self.is_higher_better(name),
        )

    @property
    def metric(self) -> str:
        """The first objective that is a metric."""
        return next(name for name in self.facts.objectives if name not in COSTS)

    def is_higher_better(self, objective: str) -> bool:
        return self.facts.higher[self.facts.objectives.index(objective)]

    @cached_property
    def ranks(self) -> Mapping[int, float]:
        """The rank of each complete trial by the first objective: 0 for the best, 1 for the last;
        trials with the same result share one."""
        name = self.facts.objectives[0]
        sign = -1 if self.facts.higher[0] else 1
        results = {trial.number: sign * trial.objectives[name] for trial in self.complete}
        ordered = sorted(results.values())
        last = max(1, len(ordered) - 1)
        first_at = {value: place for place, value in reversed(list(enumerate(ordered)))}
        return {number: first_at[value] / last for number, value in results.items()}

    # ---- epochs ----

    def curve(self, trial: TrialFacts) -> Curve:
        """The metric of a trial by epoch."""
        known = self.known_curves.get(trial.number)
        if known is not None:
            return known
        curve = tuple(
            (int(line["epoch"]), float(line["val"][self.metric]))
            for line in read_epochs(trial.folder)
            if isinstance(line["val"].get(self.metric), (int, float))
        )
        if is_final(trial.state):
            self.known_curves[trial.number] = curve
        return curve

    @cached_property
    def validation_images(self) -> int | None:
        """How many images results are measured on."""
        if not self.complete:
            return None
        try:
            parts = read_record(self.complete[0].folder)["dataset"]["parts"]
            return next(sum(map(int, part["counts"])) for part in parts if part["name"] == "val")
        except (BadFile, KeyError, TypeError, ValueError, StopIteration):
            return None
