"""A sweep on a terminal: a table of trials that changes in its place."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ...compiler.plan.search_space import Search, Value
from ...dsl.printable import show
from ..trainer.callbacks import EpochRecord, RunStart, Step
from .sweep_display import SweepDisplay
from .sweep_facts import SweepFacts, TrialFacts, never_trained
from .trial_table import ordered
from .trial_text import objective_text, value_text

_LEAST_ROWS, _AROUND = 4, 8
"""Rows of trials on a small terminal; lines that are not trials."""


class LiveTable(SweepDisplay):
    """The best trials, what is being trained, and how far it is."""

    def __init__(self, stream: TextIO, *, color: bool) -> None:
        console = Console(file=stream, no_color=not color, highlight=False)
        self._console = console
        self._live = Live(
            console=console, auto_refresh=False, transient=True, vertical_overflow="crop"
        )
        self._facts: SweepFacts | None = None
        self._searches: tuple[Search, ...] = ()
        self._now: dict[int, str] = {}
        self._values: dict[int, Mapping[str, Value]] = {}
        self._infeasible = 0
        self._epochs = self._batches = 0
        self._shown = 0.0

    def begin(self, facts: SweepFacts, lines: list[str]) -> None:
        self._facts, self._searches = facts, facts.searches
        for line in lines:
            self.say(line)
        self._live.start()
        self._draw(at_once=True)

    def infeasible(self, values: Mapping[str, Value], reason: str) -> None:
        self._infeasible += 1
        self._draw()

    def trial(self, number: int, values: Mapping[str, Value], *, again: bool) -> None:
        self._values = {number: values}
        self._now = {number: "goes on" if again else "begins"}
        self._draw(at_once=True)

    def reading(self, what: str, done: int, total: int | None) -> None:
        self._now = dict.fromkeys(self._now, f"{what}: {done:,}")
        self._draw()

    def training(self, number: int, start: RunStart) -> None:
        self._epochs, self._batches = start.epochs, start.batches
        self._draw()

    def step(self, number: int, step: Step) -> None:
        where = f"epoch {step.epoch} of {self._epochs}, batch {step.batch} of {self._batches}"
        self._now[number] = f"{where}, loss {step.loss:.4g}"
        self._draw()

    def epoch(self, number: int, record: EpochRecord) -> None:
        names = self._facts.objectives if self._facts else ()
        val = [f"{name} {objective_text(name, record.val[name])}" for name in names
               if name in record.val]  # fmt: skip
        self._now[number] = f"epoch {record.epoch} of {self._epochs}: {', '.join(val)}"
        self._draw(at_once=True)

    def note(self, number: int, line: str) -> None:
        self.say(f"trial {number}: {line}")

    def ended(self, trial: TrialFacts, facts: SweepFacts) -> None:
        self._facts = facts
        self._now.clear()
        self._values.clear()
        self._draw(at_once=True)

    def say(self, line: str) -> None:
        self._console.print(Text(show(line)))

    def close(self) -> None:
        self._live.stop()

    # ---- drawing ----

    def _draw(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._live.is_started and (at_once or now - self._shown > 0.1):
            self._shown = now
            self._live.update(self._page(), refresh=True)

    def _page(self) -> RenderableType:
        facts = self._facts
        if facts is None:
            return Text("")
        rows = max(_LEAST_ROWS, self._console.height - _AROUND)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("trial", justify="right")
        for name in facts.objectives:
            table.add_column(name, justify="right")
        for search in self._searches:
            table.add_column(show(search.name))
        table.add_column("state")
        marked = {facts.best.number} if facts.best else {each.number for each in facts.front}
        trials = [each for each in ordered(facts) if each.number not in self._now]
        for trial in trials[: rows - len(self._now)]:
            results = [
                objective_text(each, trial.objectives.get(each)) for each in facts.objectives
            ]
            style = "bold green" if trial.number in marked else ""
            table.add_row(
                str(trial.number), *results, *self._cells(trial.values), trial.state, style=style
            )
        for number, what in self._now.items():
            blank = ["…"] * len(facts.objectives)
            cells = self._cells(self._values.get(number, {}))
            table.add_row(str(number), *blank, *cells, Text(show(what)), style="cyan")
        hidden = len(trials) - rows + len(self._now)
        ended = len(facts.ended)
        line = f"{ended} of {facts.planned} trials"
        line += f"; {hidden} more are not shown" if hidden > 0 else ""
        saved = never_trained(facts.not_trained, len(facts.trials))
        return Group(table, Text(line), *([Text(saved)] if saved else []))

    def _cells(self, values: Mapping[str, Value]) -> list[Text]:
        return [
            Text(show(value_text(each, values[each.name]))) if each.name in values else Text("-")
            for each in self._searches
        ]
