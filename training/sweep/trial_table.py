"""The trials of a sweep as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import math
import shlex
from collections.abc import Sequence
from typing import Any

from ...compiler.report.figures import plural
from ...compiler.report.style import BOLD, Style
from ...dsl.printable import show
from .sweep_facts import SweepFacts, TrialFacts
from .trial_text import objective_text, value_text


def ordered(facts: SweepFacts) -> list[TrialFacts]:
    """The best first, or those of the front; then those that came to no end."""
    complete = list(facts.complete)
    if len(facts.objectives) > 1:
        front = facts.front
        complete = [*front, *(each for each in complete if each not in front)]
    return [*complete, *(each for each in facts.trials if not each.is_complete)]


def table(facts: SweepFacts, style: Style, trials: Sequence[TrialFacts] | None = None) -> list[str]:
    """A line for each trial, with its values and results."""
    shown = ordered(facts) if trials is None else trials
    marked = {facts.best.number} if facts.best else {each.number for each in facts.front}
    head = ["trial", *facts.objectives, *(each.name for each in facts.searches), "state", "time"]
    rows = [head]
    for trial in shown:
        results = [objective_text(name, trial.objectives.get(name)) for name in facts.objectives]
        values = [
            value_text(each, trial.values.get(each.name)) if each.name in trial.values else "-"
            for each in facts.searches
        ]
        seconds = "" if trial.seconds is None else f"{trial.seconds:.1f} s"
        state = trial.state if not trial.is_written else f"{trial.state}, as written"
        rows.append([str(trial.number), *results, *values, state, seconds])
    columns = list(zip(*[[show(cell) for cell in row] for row in rows], strict=True))
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for at, row in enumerate(rows):
        cells = [
            cell.rjust(width) if number <= len(facts.objectives) or number == len(row) - 1
            else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(map(show, row), widths, strict=True))
        ]  # fmt: skip
        line = "  ".join(cells).rstrip()
        best = at > 0 and shown[at - 1].number in marked
        lines.append(style.paint(line, BOLD) if best or at == 0 else line)
    return lines


def summary(facts: SweepFacts) -> list[str]:
    """What came of the sweep, in words."""
    complete, planned = len(facts.complete), facts.planned
    others = [trial.state for trial in facts.trials if not trial.is_complete]
    counts = {state: others.count(state) for state in dict.fromkeys(others)}
    parts = [plural(complete, "trial") + " to the end", *(f"{n} {s}" for s, n in counts.items())]
    lines = [f"{len(facts.trials)} of {planned} trials: {', '.join(parts)}"]
    if facts.saved:
        lines.append(facts.saved)
    best = facts.best
    if best is not None:
        name = facts.objectives[0]
        lines.append(
            f"best: trial {best.number}, {name} {objective_text(name, best.objectives[name])}"
        )
        lines += [f"  --set {shlex.quote(text)}" for text in best.set]
    elif facts.front:
        numbers = ", ".join(str(each.number) for each in facts.front)
        lines.append(f"the front of {' and '.join(facts.objectives)}: trials {numbers}")
    return lines


def as_json(facts: SweepFacts) -> dict[str, Any]:
    """The sweep for programs."""
    return {
        "folder": str(facts.folder),
        "network": facts.network,
        "objectives": [
            {"name": name, "higher_is_better": higher}
            for name, higher in zip(facts.objectives, facts.higher, strict=True)
        ],
        "searches": [each.to_json() for each in facts.searches],
        "planned": facts.planned,
        "best": facts.best.number if facts.best else None,
        "front": [each.number for each in facts.front],
        "trials": [_trial(each) for each in facts.trials],
        "not_trained": [
            {"values": dict(each.values), "kind": each.kind, "reason": each.reason}
            for each in facts.not_trained
        ],
    }


def _trial(trial: TrialFacts) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "objectives": dict(trial.objectives),
        "values": dict(trial.values),
        "set": list(trial.set),
        "costs": dict(trial.costs),
        "epochs": trial.epochs,
        "seconds": trial.seconds,
        "reason": trial.reason,
        "folder": str(trial.folder),
    }


def as_csv(facts: SweepFacts) -> str:
    """A line for each trial; `set` has the values as the command line takes them."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [each.name for each in facts.searches]
    costs = [name for name in ("params", "macs", "memory") if name not in facts.objectives]
    writer.writerow(
        ["trial", "state", *facts.objectives, *names, *costs, "epochs", "seconds", "reason"]
    )
    for trial in facts.trials:
        objectives = [_plain(trial.objectives.get(name)) for name in facts.objectives]
        values = [_plain(trial.values.get(name)) for name in names]
        counted = [_plain(trial.costs.get(name)) for name in costs]
        writer.writerow([
            trial.number, trial.state, *objectives, *values, *counted,
            trial.epochs, _plain(trial.seconds), trial.reason,
        ])  # fmt: skip
    return out.getvalue()


def _plain(value: object) -> object:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
