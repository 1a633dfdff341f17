"""record.json: how a run was made, and what came of it."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy
import torch

from ..data.open import Opened
from ..metrics.outcome import Outcome
from ..request import Request
from ..runtime.process_group import Processes
from .run_folder import spec_hash


def begun(
    request: Request,
    opened: Opened,
    device: str,
    choices: Sequence[str],
    sizes: tuple[int, int],
    processes: Processes,
    version: str,
) -> dict[str, Any]:
    """Of a run that starts; `sizes` are the parameters, and those that learn."""
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
        "made_with": request.beside.to_json(),
        "choices": list(choices),
        "dataset": asdict(opened.dataset),
        "preparation": json.loads(opened.preparation.to_json()),
        "parameters": sizes[0],
        "trainable": sizes[1],
        "state": "running",
        "result": None,
    }


def measured(outcome: Outcome) -> dict[str, Any]:
    """Of an outcome what is worth a line of JSON."""
    return {
        "metrics": {name: plain(value) for name, value in outcome.metrics.items()},
        "per_class": {
            name: {key: plain(value) for key, value in numbers.items()}
            for name, numbers in outcome.per_class.items()
        },
    }


def plain(value: float) -> float | None:
    """What is no number has no place in JSON."""
    return value if math.isfinite(value) else None


def ended(
    record: Mapping[str, Any],
    state: str,
    result: Mapping[str, Any],
    outcome: Outcome | None,
    test: Outcome | None,
) -> dict[str, Any]:
    """Of a run that has come to its end, whatever that is."""
    found = dict(result)
    if outcome is not None:
        about = measured(outcome)
        found["val"], found["per_class"] = about["metrics"], about["per_class"]
    if test is not None:
        found["test"] = measured(test)["metrics"]
    return {**record, "state": state, "result": found}
