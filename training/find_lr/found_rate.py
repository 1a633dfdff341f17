"""The result of a learning-rate range test, and its file in the run folder, find-lr.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..untrusted.bad_file import BadFile
from ..untrusted.json_text import finite, load_json, misfit, number
from ..untrusted.open_file import read_text

FIND_LR = "find-lr.json"
_MAX_BYTES = 2**20
_CURVE = ("rates", "losses", "smoothed")


@dataclass(frozen=True)
class FoundRate:
    """The rate to train with, and the curve that it comes from."""

    lr: float
    """The rate found; if none was, that of the spec."""
    found: bool
    reason: str
    """Why this rate, as a part of a sentence."""
    before: float
    """The rate of the spec."""
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """The loss of each step, measured before it, at its rate."""
    smoothed: tuple[float, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        rounded = {name: [float(f"{x:.6g}") for x in getattr(self, name)] for name in _CURVE}
        return {**self.summary(), **rounded}

    def summary(self) -> dict[str, Any]:
        """What record.json keeps."""
        return {
            "lr": self.lr,
            "found": self.found,
            "reason": self.reason,
            "before": self.before,
            "seconds": round(self.seconds, 3),
        }

    @property
    def line(self) -> str:
        """The choice and its reason."""
        if self.found:
            return f"learning rate {self.lr:g}, not {self.before:g}: {self.reason}"
        return f"learning rate {self.before:g}, as in the spec: {self.reason}"

    def text(self) -> str:
        return json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> FoundRate:
        curve = {name: tuple(map(float, data[name])) for name in _CURVE}
        return FoundRate(
            lr=float(data["lr"]),
            found=data["found"],
            reason=data["reason"],
            before=float(data["before"]),
            seconds=float(data["seconds"]),
            **curve,
        )


def _positive(value: object) -> bool:
    return finite(value) and value > 0  # type: ignore[operator]


_FORM = {
    "lr": _positive,
    "found": bool,
    "reason": str,
    "before": _positive,
    "rates": [_positive],
    "losses": [finite],
    "smoothed": [finite],
    "seconds": number,
}


def rate_of_run(folder: Path) -> FoundRate | None:
    """The range test of a run; None if there was none, or its file cannot be used."""
    try:
        data = load_json(read_text(folder / FIND_LR, _MAX_BYTES))
    except BadFile:
        return None
    if misfit(data, _FORM) or len({len(data[name]) for name in _CURVE}) > 1:
        return None
    return FoundRate.from_json(data)
