"""The table of `cnn runs`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ...compiler.plan.plan_differences import Change
from ...compiler.report.figures import exact, plural, short
from ...compiler.report.grid import Column, grid
from ...compiler.report.style import ADDED, BOLD, REMOVED, Style, wrapped
from ...dsl.printable import show as printable
from ..display.number_format import duration, is_share, metric
from .run_facts import DAMAGED, KILLED, RUNNING, RunFacts
from .run_rows import Row
from .run_values import is_metric_name, shown_metric, shown_value

DIFFERS = "differs from above"
MAX_CHANGES = 8
_LONGEST_CHANGE = 60
_PARTS = {"ensemble": "network", "folds": "fold", "sweep": "trial"}
_STATE_COLORS = {RUNNING: ADDED, KILLED: REMOVED, DAMAGED: REMOVED, "diverged": REMOVED}


def runs_table(
    rows: Sequence[Row],
    style: Style,
    *,
    columns: Sequence[str] = (),
    arrow: str = "→",
) -> str:
    """The table, the number of runs, and what is wrong with any of them. `columns` are names of
    values, in place of the usual columns."""
    chosen = _chosen(columns) if columns else None
    variants = [chosen] if chosen else [_usual(rows, exact, arrow), _usual(rows, short, arrow)]
    best = _best_row(rows)

    def paint(row: Row, column: str) -> str:
        if column == "state":
            return _STATE_COLORS.get(row.first.state, "")
        return BOLD if row is best and column == row.first.metric else ""

    lines = grid(variants, rows, style, paint)
    lines += ["", *wrapped(counts(rows), style)]
    for run in (run for row in rows for run in row.runs):
        if run.trouble:
            lines += wrapped(printable(f"{run.name}: {run.trouble}"), style, code="")
    return "\n".join(lines)


def counts(rows: Sequence[Row]) -> str:
    """`12 runs: 8 done, 2 killed`."""
    runs = [run for row in rows for run in row.runs]
    states = Counter(run.state for run in runs)
    each = ", ".join(f"{count:,} {printable(state)}" for state, count in states.most_common())
    devices = _devices(rows)
    on = f", on {printable(devices.pop())}" if len(devices) == 1 else ""
    return f"{plural(len(runs), 'run')}: {each}{on}"


def _devices(rows: Sequence[Row]) -> set[str]:
    return {run.device for row in rows for run in row.runs if run.device}


# ---- columns ---------------------------------------------------------------------------------


def _usual(rows: Sequence[Row], number: object, arrow: str) -> list[Column[Row]]:
    figure = exact if number is exact else short

    def count(value: int | None) -> str:
        return "" if value is None else figure(value)

    metrics = {row.first.metric for row in rows if row.first.metric}
    named = metrics.pop() if len(metrics) == 1 else ""
    columns: list[Column[Row]] = [
        Column("run", _name, optional=False, yields=7, least=14),
        Column("state", _state, optional=False),
        Column("epoch", _epochs, True, yields=4),
        Column(named or "metric", lambda row: _best(row, named), True, optional=False),
        Column("params", lambda row: count(row.first.parameters), True, yields=6),
        Column("MACs", lambda row: count(row.first.macs), True, yields=5),
        Column("time", _time, True, yields=3),
    ]
    if len(_devices(rows)) > 1:  # else it is said below the table
        columns.append(Column("device", lambda row: printable(row.first.device), yields=2, least=6))
    if any(run.tags for row in rows for run in row.runs):
        columns.append(Column("tags", _tags, yields=8, least=8))
    if len(rows) > 1:
        columns.append(
            Column(
                DIFFERS,
                lambda row: changes_text(row.main, arrow),
                yields=1,
                least=28,
                wraps=True,
                optional=False,
            )
        )
    return columns


def _chosen(names: Sequence[str]) -> list[Column[Row]]:
    def column(name: str) -> Column[Row]:
        words = name in ("name", "run", "state", "note", "tag", "tags", "device")
        return Column(
            name,
            lambda row: printable(_cell(row, name)),
            right=not words,
            yields=0 if name in ("name", "run") else len(names),
            least=8,
            optional=False,
            wraps=name == "note",
        )

    return [column(name) for name in names]


def _cell(row: Row, name: str) -> str:
    if name in ("name", "run"):
        return _name(row)
    if name == "state":
        return _state(row)
    if name == "best":
        return _best(row, row.first.metric)
    mean, deviation = row.mean(name), row.deviation(name)
    if mean is not None and deviation:
        return spread(name, mean, deviation)
    values = row.values(name)
    return shown_value(name, values[0]) if values else ""


def spread(name: str, mean: float, deviation: float) -> str:
    """`97.50 ± 0.21 %`."""
    if is_metric_name(name) and is_share(name):
        return f"{100 * mean:.2f} ± {100 * deviation:.2f} %"
    if is_metric_name(name):
        return f"{metric(name, mean)} ± {metric(name, deviation)}"
    return f"{mean:.4g} ± {deviation:.2g}"


def _name(row: Row) -> str:
    run, more = row.first, len(row.runs) - 1
    if more:
        return printable(f"{run.name} and {more} more seed{'s' * (more > 1)}")
    parts = plural(len(run.members), _PARTS.get(run.kind, "run")) if run.members else ""
    return printable(f"{run.name} ({parts})" if parts else run.name)


def _state(row: Row) -> str:
    states = Counter(run.state for run in row.runs)
    if len(states) == 1:
        return printable(row.first.state)
    return ", ".join(f"{count} {printable(state)}" for state, count in states.most_common())


def _epochs(row: Row) -> str:
    """`12/30`: the best epoch, and those trained; of a run that has not ended, of how many."""
    if len(row.runs) > 1:
        mean = row.mean("best_epoch")
        return "" if mean is None else f"{mean:.3g}"
    run = row.first
    if run.kind == "sweep" or run.state == DAMAGED:
        return ""
    planned = run.epochs_planned
    best = "-" if run.best_epoch is None else exact(run.best_epoch)
    if not run.epochs and planned is None:
        return ""
    of = "" if run.ended or planned is None else f" of {planned:,}"
    return f"{run.epochs:,}{of}" if run.members else f"{best}/{run.epochs:,}{of}"


def _best(row: Row, named: str) -> str:
    """The metric that selects the best epoch; with its name if the column has not."""
    run = row.first
    mean, deviation = row.mean("best"), row.deviation("best")
    if mean is None:
        return "NaN" if run.best is not None and math.isnan(run.best) else ""
    text = spread(run.metric, mean, deviation) if deviation else shown_metric(run.metric, mean)
    return text if named else f"{printable(run.metric)} {text}"


def _time(row: Row) -> str:
    mean = row.mean("seconds")
    return "" if mean is None else duration(mean)


def _tags(row: Row) -> str:
    return " ".join(dict.fromkeys(tag for run in row.runs for tag in run.tags))


def _best_row(rows: Sequence[Row]) -> Row | None:
    """The row with the best value, if all have the same metric."""
    measured = [row for row in rows if row.mean("best") is not None]
    if len({row.first.metric for row in measured}) != 1 or len(measured) < 2:
        return None
    sign = 1 if measured[0].first.higher_is_better else -1
    return max(measured, key=lambda row: sign * (row.mean("best") or 0.0))


# ---- what differs ----------------------------------------------------------------------------


def changes_text(changes: Sequence[Change], arrow: str = "→") -> str:
    """`lr=0.1→0.05, width=16→32`."""
    names = _short_names(changes)
    texts = [
        _change(name, each, arrow) for name, each in zip(names, changes[:MAX_CHANGES], strict=False)
    ]
    more = len(changes) - MAX_CHANGES
    return printable(", ".join([*texts, *([f"and {more} more"] if more > 0 else [])]))


def _short_names(changes: Sequence[Change]) -> list[str]:
    """The last part of each name; more of it where two are the same."""
    parts = [each.name.split(".") for each in changes]
    last = Counter(one[-1] for one in parts)
    return [".".join(one[-2:]) if last[one[-1]] > 1 else one[-1] for one in parts]


def _change(name: str, change: Change, arrow: str) -> str:
    before, now = _clipped(change.before), _clipped(change.now)
    if change.name == "network" and before and now:
        return f"{before}{arrow}{now}"
    if not before or not now:
        sign, text = ("+", now) if now else ("-", before)
        return (
            f"{sign}{text}" if name in ("network", "augment") else f"{sign}{name} {text}".rstrip()
        )
    return f"{name}={before}{arrow}{now}"


def _clipped(text: str) -> str:
    half = _LONGEST_CHANGE // 2
    return text if len(text) <= _LONGEST_CHANGE else f"{text[:half]}..{text[-half:]}"


def shown_best(run: RunFacts) -> str:
    """`top1 97.50 %`; empty if there is none."""
    return _best(Row([run]), "") if run.best is not None else ""


def state_line(run: RunFacts) -> str:
    """A run on one line, for `--watch` without a terminal."""
    of = run.epochs_planned
    epoch = f"epoch {run.epochs:,}{f'/{of:,}' if of else ''}" if run.epochs else ""
    best = f"best {shown_best(run)}" if run.best is not None else ""
    parts = [f"{printable(run.name)}:", printable(run.state), epoch, best, _time(Row([run]))]
    return "  ".join(filter(None, parts))
