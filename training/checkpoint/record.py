"""record.json: versions, device, seed, data and options of a run, and its results."""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy
import torch

from ...compiler.analysis import analyse
from ..data.opened import Opened
from ..metrics.outcome import Outcome
from ..request import Request
from ..runtime.process_group import Processes
from .run_folder import spec_hash


def start_record(
    request: Request,
    data: Opened,
    *,
    device: str,
    choices: Sequence[str],
    parameters: int,
    trainable: int,
    metric: str,
    folder: Path,
    processes: Processes,
    version: str,
) -> dict[str, Any]:
    """The record at the start of a run. `metric` selects the best epoch."""
    import json

    return {
        "dotcnn": version,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "command": sys.argv[1:] if sys.argv and sys.argv[0].endswith(("cnn", "dotcnn")) else [],
        "device": device,
        "threads": torch.get_num_threads(),
        "world": processes.world,
        "seed": request.plan.train.seed.value,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "network": request.network.name,
        "spec": {"file": request.source.name, "sha256": spec_hash(request.program)},
        "base": str(request.base),
        "base_from_run": from_run(folder, request.base),
        "made_with": request.options.to_json(),
        "choices": list(choices),
        "dataset": asdict(data.dataset),
        "preparation": json.loads(data.preparation.to_json()),
        "parameters": parameters,
        "trainable": trainable,
        "macs": analyse(request.network).totals.macs,
        "metric": metric,
        "state": "running",
        "result": None,
    }


def from_run(folder: Path, base: Path) -> str | None:
    """The way from a run folder to the folder that paths of its data are relative to: it finds the
    data again after both have moved together. None on another drive."""
    try:
        return Path(os.path.relpath(base, folder)).as_posix()
    except (ValueError, OSError):
        return None


def measured(outcome: Outcome) -> dict[str, Any]:
    """The metrics of an evaluation, for JSON."""
    return {
        "metrics": {name: plain(value) for name, value in outcome.metrics.items()},
        "per_class": {
            name: {key: plain(value) for key, value in numbers.items()}
            for name, numbers in outcome.per_class.items()
        },
    }


def plain(value: float) -> float | None:
    """The value; None for NaN and infinity, which JSON does not have."""
    return value if math.isfinite(value) else None


def end_record(
    record: Mapping[str, Any],
    state: str,
    result: Mapping[str, Any],
    outcome: Outcome | None,
    test: Outcome | None,
    why: str = "",
) -> dict[str, Any]:
    """The record at the end of a run, for whatever reason it ended. `why` is the reason that a
    callback gave for its stop, or the error that stopped training."""
    results = dict(result)
    if outcome is not None:
        measured_val = measured(outcome)
        results["val"], results["per_class"] = measured_val["metrics"], measured_val["per_class"]
        results["comparisons"] = [each.to_json() for each in outcome.comparisons]
    if test is not None:
        results["test"] = measured(test)["metrics"]
    return {**record, "state": state, "why": why, "result": results}
