"""The runs as JSON and CSV: everything that is known of them, in full."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...compiler.plan.plan_differences import Change
from .run_facts import RunFacts
from .run_rows import Row
from .run_values import FACTS, TEST, Values, is_metric_name, plain_value

_LEFT_OUT = ("age", "tag", "best")
"""What is not in the data: it depends on the moment, or is there under another name."""


def runs_json(rows: Sequence[Row], columns: Sequence[str] = ()) -> Mapping[str, Any]:
    """All rows; a row of several seeds has the names of its runs, means and deviations."""
    return {"runs": [_row(row, columns) for row in rows]}


def runs_csv(rows: Sequence[Row], columns: Sequence[str] = ()) -> str:
    """A table with a column for every fact, metric and parameter of a network."""
    names = list(columns) or _columns(rows)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    seeds = any(len(row.runs) > 1 for row in rows)
    writer.writerow([*names, *(["seeds"] if seeds else []), *([] if columns else ["differs"])])
    for row in rows:
        cells = [_value(row, name) for name in names]
        cells += [len(row.runs)] if seeds else []
        cells += [] if columns else ["; ".join(map(_change_text, row.differs))]
        writer.writerow(["" if cell is None else cell for cell in cells])
    return stream.getvalue()


def _row(row: Row, columns: Sequence[str]) -> dict[str, Any]:
    run = row.first
    if columns:
        data: dict[str, Any] = {name: _value(row, name) for name in columns}
    else:
        data = _facts(row)
    if len(row.runs) > 1:
        measured = list(columns) or [*run.metrics, *(TEST + name for name in run.test), "seconds"]
        data["seeds"] = [one.seed for one in row.runs]
        data["runs"] = [one.name for one in row.runs]
        data["mean"] = {name: row.mean(name) for name in measured}
        data["deviation"] = {name: row.deviation(name) for name in measured}
    if not columns:
        data["differs"] = [each._asdict() for each in row.differs]
    return data


def _facts(row: Row) -> dict[str, Any]:
    run = row.first
    values = Values(run)
    data = {name: plain_value(values.get(name)) for name in FACTS if name not in _LEFT_OUT}
    return {
        **data,
        "folder": str(run.folder),
        "epochs_planned": run.epochs_planned,
        "trouble": run.trouble,
        "holder": run.holder,
        "metrics": _plain(run.metrics),
        "test": _plain(run.test),
        "tags": list(run.tags),
        "parameters": _plain(values.parameters),
        "members": [member.name for member in run.members],
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain_value(value) for name, value in values.items()}


def _value(row: Row, name: str) -> Any:
    """The value of a row: of several seeds the mean, or what all have in common."""
    if len(row.runs) > 1 and row.numbers(name):
        return row.mean(name)
    values = list(dict.fromkeys(map(plain_value, row.values(name))))
    return values[0] if len(values) == 1 else "; ".join(map(str, values)) if values else None


def _columns(rows: Iterable[Row]) -> list[str]:
    runs: list[RunFacts] = [run for row in rows for run in row.runs]
    facts = [name for name in FACTS if name not in ("age", "tag")]
    metrics = {name for run in runs for name in run.metrics}
    tests = {TEST + name for run in runs for name in run.test}
    parameters = {name for run in runs for name in Values(run).parameters}
    named = sorted(metrics, key=lambda name: (not is_metric_name(name), name))
    return [*facts, "tags", *named, *sorted(tests), *sorted(parameters - metrics)]


def _change_text(change: Change) -> str:
    return f"{change.name}: {change.before or '-'} -> {change.now or '-'}"
