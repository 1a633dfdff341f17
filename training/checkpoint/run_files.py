"""Reading the files of a run folder: plan.json, record.json, metrics.jsonl, transfer.txt.

A run folder may have been written by somebody else. So each file must be a regular file of bounded
size and of the expected form; otherwise BadFile says what is wrong with it. (last.ckpt is read in
`checkpoint.py`, weights in `weights/read.py`, the spec in `dsl/files.py`. model.py is written for
people to read; the program never reads it.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...compiler.plan.plan import PlanError, TrainPlan
from ..untrusted.bad_file import BadFile, damaged, guarded
from ..untrusted.json_text import Optional, load_json, misfit, natural, number
from ..untrusted.open_file import read_text
from .run_folder import METRICS, PLAN, RECORD, TRANSFER

MAX_BYTES = 16 * 2**20
"""The record.json of a run with 20,000 classes has four million bytes."""
MAX_METRICS = 256 * 2**20

_FIGURES = {str: (None, number)}


def _path(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and len(value) < 32_768


def _classes(value: object) -> bool:
    return natural(value) and value < 10_000_000  # type: ignore[operator]


_RECORD = {
    "base": _path,
    "made_with": {
        "network": (None, str),
        "input": (None, [natural]),
        "classes": (None, _classes),
        "set": [str],
    },
    "state": str,
    "why": Optional(str),
    "resumptions": Optional(
        [
            {
                "time": str,
                "epoch": natural,
                "position": natural,
                "changes": [{"name": str, "before": str, "now": str}],
                "said": [str],
            }
        ]
    ),
    "result": (
        None,
        {
            "epochs": natural,
            "seconds": number,
            "val": Optional(_FIGURES),
            "test": Optional(_FIGURES),
            "verdict": Optional([{"rule": str, "text": str}]),
            "comparisons": Optional([{"what": str, "against": str, "text": str}]),
        },
    ),
}
_EPOCH = {
    "epoch": natural,
    "steps": natural,
    "lr": number,
    "train": _FIGURES,
    "val": _FIGURES,
    "best": bool,
    "seconds": number,
    "images_per_second": number,
    "waiting": number,
}


def read_record(folder: Path) -> dict[str, Any]:
    """Reads record.json; raises BadFile."""
    record = load_json(read_text(folder / RECORD, MAX_BYTES))
    place = misfit(record, _RECORD)
    if place:
        where = "" if place == "it" else f": `{place}` is missing, or not of the expected type"
        raise damaged(f"it is not the record of a run{where}")
    return dict(record)


def read_plan(folder: Path) -> TrainPlan:
    """Reads plan.json; raises BadFile."""
    text = read_text(folder / PLAN, MAX_BYTES)
    load_json(text)
    with guarded("it is not the plan of a run"):
        try:
            return TrainPlan.from_json(text)
        except PlanError as error:
            raise BadFile(f"cannot be read: {error}") from None


def read_epochs(folder: Path) -> list[dict[str, Any]]:
    """Reads the valid lines of metrics.jsonl; the last one may have been cut short."""
    try:
        lines = read_text(folder / METRICS, MAX_METRICS).splitlines()
    except BadFile:
        return []
    epochs = []
    for line in lines:
        try:
            epoch = load_json(line)
        except BadFile:
            continue
        if not misfit(epoch, _EPOCH):
            epochs.append(epoch)
    return epochs


def read_transfer(folder: Path) -> str:
    """Reads transfer.txt; empty if there is none."""
    try:
        return read_text(folder / TRANSFER, MAX_BYTES)
    except BadFile:
        return ""
