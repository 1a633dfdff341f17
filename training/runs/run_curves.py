"""A metric of runs, epoch by epoch, as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from ...compiler.plan.metric_names import is_metric, metric_named
from ...compiler.report.plot import Axis, Curve, plot
from ..display.number_format import is_share
from .run_facts import RunFacts

_PARTS = {"train": "training", "val": "validation"}


def curves_plot(runs: Sequence[RunFacts], metric: str) -> str | None:
    """The SVG: of one run its training and its validation, of several the validation of each (or
    the training, if the metric has no validation); None where no run has such values."""
    members = _single(runs)
    parts: Sequence[str] = list(_PARTS)
    if len(members) > 1:
        parts = ["val"] if any(_points(run, "val", metric) for run in members) else ["train"]
    curves = [
        Curve(run.name if len(members) > 1 else _PARTS[part], points)
        for run in members
        for part in parts
        if (points := _points(run, part, metric))
    ]
    if not curves:
        return None
    title = metric_named(metric).title if is_metric(metric) else metric
    name = members[0].name if len(members) == 1 else _PARTS[parts[0]]
    title = f"{title[:1].upper()}{title[1:]}, {name}"
    return plot(title, curves, Axis("epoch", whole=True), Axis("", percent=is_share(metric)))


def metrics_of(runs: Sequence[RunFacts]) -> list[str]:
    """The metrics that are recorded by epoch."""
    found: dict[str, None] = {}
    for run in _single(runs):
        for line in run.epoch_lines():
            for part in _PARTS:
                values = line.get(part)
                found |= dict.fromkeys(values if isinstance(values, Mapping) else ())
    return list(found)


def _single(runs: Sequence[RunFacts]) -> list[RunFacts]:
    """The runs; for an ensemble or a cross-validation, those of its networks, each once."""
    found = (each for run in runs for each in (run.members or (run,)))
    return list({each.folder: each for each in found}.values())


def _points(run: RunFacts, part: str, metric: str) -> list[tuple[float, float]]:
    """The values after each epoch, and before the first one where it was measured."""
    found = []
    for line in run.epoch_lines():
        values, epoch = line.get(part), line.get("epoch")
        value = values.get(metric) if isinstance(values, Mapping) else None
        if isinstance(epoch, int) and isinstance(value, int | float) and isfinite(value):
            found.append((float(epoch), float(value)))
    return found
