"""Reads metrics.jsonl, record.json and transfer.txt of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..trainer.callbacks import EpochRecord


def epochs(folder: Path) -> list[EpochRecord]:
    """Those that are written whole: the last line may have been cut short."""
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines:
        try:
            found.append(_record(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _record(data: Mapping[str, Any]) -> EpochRecord:
    return EpochRecord(
        int(data["epoch"]),
        int(data["steps"]),
        float(data["lr"]),
        _numbers(data["train"]),
        _numbers(data["val"]),
        bool(data["best"]),
        float(data["seconds"]),
        float(data["images_per_second"]),
        float(data["waiting"]),
    )


def _numbers(data: Mapping[str, Any]) -> dict[str, float]:
    """null is NaN, which JSON does not have."""
    return {
        str(name): float("nan") if value is None else float(value)
        for name, value in data.items()
        if value is None or isinstance(value, (int, float))
    }


def transfer(folder: Path) -> str:
    """transfer.txt; empty where there is none."""
    try:
        return (folder / "transfer.txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def record(folder: Path) -> dict[str, Any]:
    """Versions, device, seed and the like; empty where there is none yet."""
    try:
        found = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
