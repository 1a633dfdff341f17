"""Values, results and states of trials in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...compiler.plan.metric_names import is_metric, metric_named
from ...compiler.plan.search_space import Search, Value
from ...compiler.plan.sweep_directives import COSTS
from ...compiler.report.figures import data_size, short
from .sweep_facts import SweepFacts, TrialFacts


def numbered(number: int) -> str:
    return f"trial {number}"


def value_text(search: Search, value: Value | None) -> str:
    """A value for people: `0.0123`, `16`, `adam`."""
    if value is None:
        return "…"
    if isinstance(value, str):
        return value
    if search.whole:
        return str(round(value))
    return f"{100 * value:.4g}%" if search.unit == "%" else f"{value:.4g}"


def values_text(searches: Sequence[Search], values: Mapping[str, Value]) -> str:
    """All values: `lr 0.0123, width 16`."""
    known = [each for each in searches if each.name in values]
    texts = [f"{each.name} {value_text(each, values[each.name])}" for each in known]
    return ", ".join(texts) or "the spec as written"


def objective_text(name: str, value: float | None) -> str:
    """A result for people: `94.30%`, `25.6M`, `1.13 GiB`, `12.3 s`."""
    if value is None:
        return "…"
    if name == "memory":
        return data_size(round(value))
    if name == "seconds":
        return f"{value:.1f} s"
    if name in COSTS:
        return short(round(value))
    if is_metric(name) and metric_named(name).share:
        return f"{100 * value:.2f}%"
    return f"{value:.4g}"


def results_text(trial: TrialFacts, facts: SweepFacts) -> str:
    known = [name for name in facts.objectives if name in trial.objectives]
    return ", ".join(f"{name} {objective_text(name, trial.objectives[name])}" for name in known)


def reached(trial: TrialFacts, facts: SweepFacts) -> str:
    """What a trial has reached, and how it ended."""
    results = results_text(trial, facts)
    seconds = f" in {trial.seconds:.1f} s" if trial.seconds is not None else ""
    after = f" after {trial.epochs} epoch{'' if trial.epochs == 1 else 's'}"
    if trial.state == "done":
        return f"{results}{seconds}"
    if trial.state == "pruned":
        return f"pruned{after}: {results}"
    if trial.state == "early stop":
        return f"{results}, stopped early{after}{seconds}"
    text = f"{trial.state}{after}" + (f": {trial.reason}" if trial.reason else "")
    return f"{text}, {results}" if results and not trial.reason else text
