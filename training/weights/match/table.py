"""A match as text: one line a layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from ....compiler.report.figures import plural
from ....compiler.report.grid import Column, grid
from ....compiler.report.style import CHANGED, FAINT, HEAVY, REMOVED, Style, wrapped
from .pairing import Evidence
from .rows import Row
from .tensor_transform import Status

_WORST: tuple[Status, ...] = (
    "ambiguous", "reinitialised", "adapted", "reshaped", "matched", "kept", "unused",
)  # fmt: skip

_COLORS: dict[Status, str] = {
    "ambiguous": REMOVED, "reinitialised": HEAVY, "adapted": CHANGED, "unused": FAINT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A layer of ours with what it gets, or one of theirs that is not used."""

    ours: str
    theirs: str
    status: Status
    our_shape: str
    their_shape: str
    note: str
    evidence: Evidence


def folded(rows: Iterable[Row]) -> list[Line]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.layer, "" if row.layer else row.their_layer), []).append(row)
    return [_line(group) for group in groups.values()]


def _line(rows: Sequence[Row]) -> Line:
    main = rows[0]
    status = min((row.status for row in rows), key=_WORST.index)
    notes = list(dict.fromkeys(note for row in rows for note in row.notes))
    their_shape = "" if main.their_shape == main.our_shape else _shape(main.their_shape)
    return Line(
        main.layer,
        main.their_layer,
        status,
        _shape(main.our_shape),
        their_shape,
        ", ".join(notes),
        main.evidence,
    )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "" if shape is None else "x".join(map(str, shape)) or "1"


def table(rows: Iterable[Row], summary: str, advice: Iterable[str], style: Style) -> str:
    lines = grid([_columns()], folded(rows), style, lambda line, _: _COLORS.get(line.status, ""))
    text = [*lines, "", *wrapped(summary, style, code="")]
    for line in advice:
        text += wrapped(f"help: {line}", style, code="")
    return "\n".join(line.rstrip() for line in text)


def _columns() -> list[Column[Line]]:
    return [
        Column("ours", lambda line: line.ours, yields=3, least=16, optional=False),
        Column("theirs", lambda line: line.theirs, yields=4, least=16, optional=False),
        Column("status", lambda line: line.status),
        Column("shape", lambda line: line.our_shape),
        Column("their shape", lambda line: line.their_shape),
        Column("note", lambda line: line.note, yields=2, least=24, wraps=True, optional=False),
    ]


def summary(rows: Sequence[Row], network: str, how: str) -> str:
    """`107 layers: 105 matched, 1 reshaped, 1 reinitialised. …`"""
    lines = folded(rows)
    ours = Counter(line.status for line in lines if line.ours)
    theirs = sum(not line.ours and line.status == "unused" for line in lines)
    parts = [f"{ours[status]} {status}" for status in reversed(_WORST) if ours[status]]
    text = f"{plural(sum(ours.values()), 'layer')} of {network}: {', '.join(parts)}"
    new = numbers(rows, "reinitialised", "ambiguous")
    if new:
        text += f" ({new:,} numbers get no weights)"
    told = Counter(line.evidence for line in lines if line.ours and line.evidence != "place")
    if told:
        text += f"; told apart by {' and by '.join(f'{kind}: {n}' for kind, n in told.items())}"
    if theirs:
        text += f"; {plural(theirs, 'layer')} of the source not used"
    return f"{text}. Known by {how}."


def numbers(rows: Iterable[Row], *statuses: Status) -> int:
    """How many numbers of ours are in tensors of some statuses."""
    return sum(prod(row.our_shape or ()) for row in rows if row.ours and row.status in statuses)
