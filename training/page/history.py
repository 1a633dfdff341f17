"""Reads metrics.jsonl, record.json and transfer.txt from a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..checkpoint.run_files import read_epochs, read_record, read_transfer
from ..trainer.callbacks import EpochRecord
from ..untrusted.bad_file import BadFile


def epochs(folder: Path) -> list[EpochRecord]:
    """All complete records; the last line of the file may be cut short."""
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
    """JSON has no NaN: null stands for it."""
    return {name: float("nan") if value is None else float(value) for name, value in data.items()}


def transfer(folder: Path) -> str:
    """The text of transfer.txt; empty if the run has none."""
    return read_transfer(folder)


def record(folder: Path) -> dict[str, Any]:
    """Versions, device, seed and so on; empty if record.json is missing or invalid."""
    try:
        return read_record(folder)
    except BadFile:
        return {}
