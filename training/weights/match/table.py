"""Prints a match as a table, one line for each layer, with a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ....compiler.report.figures import plural
from ....compiler.report.grid import Column, grid
from ....compiler.report.style import CHANGED, FAINT, HEAVY, REMOVED, Style, wrapped
from .layer import Shape
from .rows import MatchRow, Status

_WORST: tuple[Status, ...] = (
    "ambiguous", "reinitialized", "adapted", "reshaped", "matched", "kept", "unused",
)  # fmt: skip

_COLORS: dict[Status, str] = {
    "ambiguous": REMOVED, "reinitialized": HEAVY, "adapted": CHANGED, "unused": FAINT,
}  # fmt: skip


def by_layer(rows: Iterable[MatchRow]) -> list[MatchRow]:
    """Joins the rows of each layer into one: layers of the target, and unused ones of the source.
    Its status is the worst of its tensors."""
    groups: dict[tuple[str, str], list[MatchRow]] = {}
    for row in rows:
        groups.setdefault((row.layer, "" if row.layer else row.source_layer), []).append(row)
    return [
        replace(
            group[0],
            target=group[0].layer,
            source=group[0].source_layer,
            status=min((row.status for row in group), key=_WORST.index),
            notes=tuple(dict.fromkeys(note for row in group for note in row.notes)),
        )
        for group in groups.values()
    ]


def table(rows: Iterable[MatchRow], summary: str, advice: Iterable[str], style: Style) -> str:
    lines = grid([_COLUMNS], by_layer(rows), style, lambda row, _: _COLORS.get(row.status, ""))
    text = [*lines, "", *wrapped(summary, style, code="")]
    for line in advice:
        text += wrapped(f"help: {line}", style, code="")
    return "\n".join(line.rstrip() for line in text)


def _shape(shape: Shape | None) -> str:
    return "" if shape is None else "x".join(map(str, shape)) or "1"


def _source_shape(row: MatchRow) -> str:
    return "" if row.source_shape == row.target_shape else _shape(row.source_shape)


_COLUMNS: list[Column[MatchRow]] = [
    Column("spec", lambda row: row.target, yields=3, least=16, optional=False),
    Column("source", lambda row: row.source, yields=4, least=16, optional=False),
    Column("status", lambda row: row.status),
    Column("shape", lambda row: _shape(row.target_shape)),
    Column("source shape", _source_shape),
    Column("note", lambda row: row.note, yields=2, least=24, wraps=True, optional=False),
]


def summary(rows: Iterable[MatchRow], missing: int, network: str, how: str) -> str:
    """`107 layers of Net: 105 matched, 1 reshaped, 1 reinitialized (…). Matched by …`; `missing`
    counts the values that get no weights."""
    layers = by_layer(rows)
    statuses = Counter(row.status for row in layers if row.target)
    unused = sum(not row.target and row.status == "unused" for row in layers)
    parts = [f"{statuses[status]} {status}" for status in reversed(_WORST) if statuses[status]]
    text = f"{plural(sum(statuses.values()), 'layer')} of {network}: {', '.join(parts)}"
    if missing:
        text += f" ({missing:,} values are not loaded)"
    assigned = Counter(row.evidence for row in layers if row.target and row.evidence != "place")
    if assigned:
        counts = ", ".join(f"{n} assigned by {kind}" for kind, n in assigned.items())
        text += f"; interchangeable layers: {counts}"
    if unused:
        text += f"; {plural(unused, 'layer')} of the source not used"
    return f"{text}. Matched by {how}."
