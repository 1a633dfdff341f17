"""The folder of a sweep that nobody trained."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

SEARCHES = [
    {"name": "lr", "place": "train.optimizer.lr", "low": 1e-4, "high": 1e-1, "log": True},
    {"name": "width", "place": "width", "low": 8, "high": 64, "step": 8, "whole": True},
    {"name": "optimizer", "place": "train.optimizer", "choices": ["sgd momentum=0.9", "adamw"]},
]


def search(**given: Any) -> dict[str, Any]:
    usual = {"low": 0, "high": 0, "log": False, "step": None, "whole": False, "choices": []}
    return {**usual, "unit": "", **given}


def sweep_folder(folder: Path, trials: int, *objectives: str, name: str = "Digits") -> Path:
    """A sweep whose results depend on the learning rate, and a little on chance."""
    numbers = random.Random(1)
    compared = objectives or ("top1",)
    folder.mkdir(parents=True)
    about = {
        "format": 1, "dotcnn": "0.1.0", "study": "x", "network": name,
        "spec": {"file": "digits.cnn", "sha256": "0"}, "base": "/data",
        "made_with": {"network": None, "input": None, "classes": 10, "set": []},
        "searches": [search(**each) for each in SEARCHES], "objectives": list(compared),
        "higher": [each == "top1" for each in compared], "trials": trials, "sampler": "tpe",
        "prune": None, "limits": {"params": 300_000}, "started": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    (folder / "sweep.json").write_text(json.dumps(about))
    for number in range(trials):
        values = {
            "lr": 10 ** numbers.uniform(-4, -1),
            "width": numbers.randrange(8, 65, 8),
            "optimizer": numbers.choice(["sgd momentum=0.9", "adamw"]),
        }
        top1 = 0.98 - 0.05 * (math.log10(float(values["lr"])) + 2.3) ** 2
        top1 += numbers.gauss(0, 0.01)
        params = 50 * int(values["width"]) ** 2
        _trial(folder, number, values, {"top1": top1, "params": float(params)}, compared)
    refused = {"values": values, "kind": "over params", "reason": "<b>412,330</b> parameters"}
    (folder / "infeasible.jsonl").write_text(json.dumps({**refused, "proposal": 99}) + "\n")
    return folder


def _trial(
    folder: Path,
    number: int,
    values: dict[str, Any],
    reached: dict[str, float],
    compared: tuple[str, ...],
) -> None:
    state = "pruned" if number % 5 == 4 and len(compared) == 1 else "done"
    claim, run = folder / "claims" / str(number), folder / "trials" / str(number)
    claim.mkdir(parents=True)
    run.mkdir(parents=True)
    epochs = 2 if state == "pruned" else 4
    trial = {
        "number": number, "values": values, "set": [f"width={values['width']}"],
        "proposal": number - 1 if number else None, "state": state,
        "objectives": {each: reached[each] for each in compared}, "costs": {}, "reason": "",
        "seconds": 3.5, "epochs": epochs, "started": "", "host": "here", "process": 1,
    }  # fmt: skip
    (claim / "trial.json").write_text(json.dumps(trial))
    lines = [
        {
            "epoch": epoch, "steps": 9 * epoch, "lr": 0.1, "train": {}, "seconds": 0.5,
            "val": {"loss": 1.0, "top1": reached["top1"] * epoch / epochs}, "best": True,
            "images_per_second": 9.0, "waiting": 0.0,
        }
        for epoch in range(epochs + 1)
    ]  # fmt: skip
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = {
        "base": "/data", "made_with": {"network": None, "input": None, "classes": 10, "set": []},
        "state": state, "result": None,
        "dataset": {"parts": [{"name": "val", "counts": [200, 159]}]},
    }  # fmt: skip
    (run / "record.json").write_text(json.dumps(record))
