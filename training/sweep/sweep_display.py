"""What a sweep shows while it runs: plain lines, one for each trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from ...compiler.plan.search_space import Search, Value
from ...dsl.printable import show
from ..trainer.callbacks import EpochRecord, RunStart, Step
from .sweep_facts import SweepFacts, TrialFacts
from .trial_text import numbered, reached, values_text


class SweepDisplay:
    """The events of a sweep, in the order in which they happen. Shows nothing."""

    def begin(self, facts: SweepFacts, lines: list[str]) -> None:
        """Called before the first trial, with what there is to say of the whole sweep."""

    def infeasible(self, values: Mapping[str, Value], reason: str) -> None:
        """Called for values that are not trained."""

    def trial(self, number: int, values: Mapping[str, Value], *, again: bool) -> None:
        """Called when a trial begins; `again`: one that was interrupted goes on."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        """Called while data is read."""

    def training(self, number: int, start: RunStart) -> None:
        """Called before the first step of a trial."""

    def step(self, number: int, step: Step) -> None:
        """Called after each step."""

    def epoch(self, number: int, record: EpochRecord) -> None:
        """Called after each epoch."""

    def note(self, number: int, line: str) -> None:
        """Called with a note of a trial's run."""

    def ended(self, trial: TrialFacts, facts: SweepFacts) -> None:
        """Called when a trial has ended, however that was."""

    def say(self, line: str) -> None:
        """Called with a line about the sweep."""

    def close(self) -> None:
        """Called at the very end."""


class PlainLines(SweepDisplay):
    """A line for each trial."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._searches: tuple[Search, ...] = ()
        self._closed = False

    def begin(self, facts: SweepFacts, lines: list[str]) -> None:
        self._searches = facts.searches
        for line in lines:
            self.say(line)

    def infeasible(self, values: Mapping[str, Value], reason: str) -> None:
        self.say(f"not trained: {values_text(self._searches, values)}: {reason}")

    def trial(self, number: int, values: Mapping[str, Value], *, again: bool) -> None:
        what = "goes on" if again else "begins"
        self.say(f"{numbered(number)} {what}: {values_text(self._searches, values)}")

    def ended(self, trial: TrialFacts, facts: SweepFacts) -> None:
        best = facts.best
        mark = ", the best so far" if best is not None and best.number == trial.number else ""
        self.say(f"{numbered(trial.number)} {reached(trial, facts)}{mark}")

    def say(self, line: str) -> None:
        if self._closed:
            return
        try:
            self._stream.write(f"{show(line)}\n")
            self._stream.flush()
        except OSError:  # nobody reads the output any more: the sweep goes on
            self._closed = True
