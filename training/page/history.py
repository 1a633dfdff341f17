"""Reads metrics.jsonl, record.json and transfer.txt of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..checkpoint.run_files import read_epochs, read_record, read_transfer
from ..trainer.callbacks import EpochRecord
from ..untrusted.bad_file import BadFile


def epochs(folder: Path) -> list[EpochRecord]:
    """Those that are written whole: the last line may have been cut short."""
    return [_record(line) for line in read_epochs(folder)]


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
    """JSON has no NaN: it is null there."""
    return {name: float("nan") if value is None else float(value) for name, value in data.items()}


def transfer(folder: Path) -> str:
    """transfer.txt; empty where there is none."""
    return read_transfer(folder)


def record(folder: Path) -> dict[str, Any]:
    """Versions, device, seed and the like; empty where there is none yet."""
    try:
        return read_record(folder)
    except BadFile:
        return {}
