"""A match as text: one line a layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ....compiler.report.figures import plural
from ....compiler.report.grid import Column, grid
from ....compiler.report.style import CHANGED, FAINT, HEAVY, REMOVED, Style, wrapped
from .layer import Shape
from .rows import Row, Status

_WORST: tuple[Status, ...] = (
    "ambiguous", "reinitialised", "adapted", "reshaped", "matched", "kept", "unused",
)  # fmt: skip

_COLORS: dict[Status, str] = {
    "ambiguous": REMOVED, "reinitialised": HEAVY, "adapted": CHANGED, "unused": FAINT,
}  # fmt: skip


def by_layer(rows: Iterable[Row]) -> list[Row]:
    """One row for all tensors of a layer, under its name: of ours with what it gets, or of theirs
    that is not used."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.layer, "" if row.layer else row.their_layer), []).append(row)
    return [
        replace(
            group[0],
            ours=group[0].layer,
            theirs=group[0].their_layer,
            status=min((row.status for row in group), key=_WORST.index),
            notes=tuple(dict.fromkeys(note for row in group for note in row.notes)),
        )
        for group in groups.values()
    ]


def table(rows: Iterable[Row], summary: str, advice: Iterable[str], style: Style) -> str:
    lines = grid([_COLUMNS], by_layer(rows), style, lambda row, _: _COLORS.get(row.status, ""))
    text = [*lines, "", *wrapped(summary, style, code="")]
    for line in advice:
        text += wrapped(f"help: {line}", style, code="")
    return "\n".join(line.rstrip() for line in text)


def _shape(shape: Shape | None) -> str:
    return "" if shape is None else "x".join(map(str, shape)) or "1"


def _their_shape(row: Row) -> str:
    return "" if row.their_shape == row.our_shape else _shape(row.their_shape)


_COLUMNS: list[Column[Row]] = [
    Column("ours", lambda row: row.ours, yields=3, least=16, optional=False),
    Column("theirs", lambda row: row.theirs, yields=4, least=16, optional=False),
    Column("status", lambda row: row.status),
    Column("shape", lambda row: _shape(row.our_shape)),
    Column("their shape", _their_shape),
    Column("note", lambda row: row.note, yields=2, least=24, wraps=True, optional=False),
]


def summary(rows: Iterable[Row], missing: int, network: str, how: str) -> str:
    """`107 layers: 105 matched, 1 reshaped, 1 reinitialised. …`; how many numbers are missing."""
    layers = by_layer(rows)
    ours = Counter(row.status for row in layers if row.ours)
    theirs = sum(not row.ours and row.status == "unused" for row in layers)
    parts = [f"{ours[status]} {status}" for status in reversed(_WORST) if ours[status]]
    text = f"{plural(sum(ours.values()), 'layer')} of {network}: {', '.join(parts)}"
    if missing:
        text += f" ({missing:,} numbers get no weights)"
    told = Counter(row.evidence for row in layers if row.ours and row.evidence != "place")
    if told:
        text += f"; told apart by {' and by '.join(f'{kind}: {n}' for kind, n in told.items())}"
    if theirs:
        text += f"; {plural(theirs, 'layer')} of the source not used"
    return f"{text}. Known by {how}."
