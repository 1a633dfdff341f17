"""Turns the JSON lines of the suite into Markdown, for RESULTS.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Record = Mapping[str, Any]

LONG = 40
"""Of tables with more rows than this, only a summary and the rows that do not hold are printed."""


def read(path: Path) -> list[Record]:
    """The records of a file; its last line may be cut off."""
    records: list[Record] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def markdown(records: Sequence[Record], every_row: bool = False) -> str:
    """What was measured, and where; then one table for all commands, and one for each of theirs."""
    parts = [*_environments(records), _commands(records)]
    tables: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if "status" in record:
            tables.setdefault((record["command"], record["table"]), []).append(record)
    for (command, title), rows in tables.items():
        parts.append(f"### {command}: {title}" if title else f"### {command}")
        parts.append(_table(rows, every_row))
    return "\n\n".join(part for part in parts if part) + "\n"


def _environments(records: Sequence[Record]) -> list[str]:
    lines = [
        ", ".join(f"{name} {value}" for name, value in record["environment"].items())
        for record in records
        if "environment" in record
    ]
    return [f"Measured on: {line}." for line in dict.fromkeys(lines)]


def _commands(records: Sequence[Record]) -> str:
    rows = [
        [
            record["command"],
            *(record[key] for key in ("checks", "bad", "skipped")),
            f"{record['seconds']:g} of {record['limit']:g}",
        ]
        for record in records
        if "checks" in record
    ]
    return _lines(["command", "checks", "do not hold", "skipped", "seconds"], rows) if rows else ""


def _table(rows: Sequence[Record], every_row: bool) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row.get("facts", {})))
    if len(rows) <= LONG or every_row:
        return _lines(["", *columns, "result"], [_row(row, columns) for row in rows])
    held = [row for row in rows if row["status"] == "ok"]
    summary = [
        [name, min(values), statistics.median(values), max(values)]
        for name in columns
        if (values := _numbers(held, name))
    ]
    text = f"{len(held)} of {len(rows)} hold."
    if summary:
        text += "\n\n" + _lines(["", "least", "median", "most"], summary)
    others = [_row(row, columns) for row in rows if row["status"] != "ok"]
    return text + ("\n\n" + _lines(["", *columns, "result"], others) if others else "")


def _numbers(rows: Sequence[Record], name: str) -> list[float]:
    values = [row["facts"].get(name) for row in rows if "facts" in row]
    return [value for value in values if isinstance(value, int | float)]


def _row(row: Record, columns: Sequence[str]) -> list[object]:
    facts = row.get("facts", {})
    result = "; ".join(filter(None, ["" if row["status"] == "ok" else row["status"],
                                     row.get("message", "")]))  # fmt: skip
    return [row["check"], *(facts.get(name, "") for name in columns), result]


def _lines(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    texts = [columns, ["---"] * len(columns), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in texts)


def _text(cell: object) -> str:
    """Floats with four digits; nothing that would end a cell."""
    if isinstance(cell, float):
        cell = f"{cell:.0f}" if abs(cell) >= 10_000 else f"{cell:.4g}"
    elif isinstance(cell, int) and not isinstance(cell, bool):
        cell = f"{cell:,}"
    return str(cell).replace("|", "\\|").replace("\n", " ")
