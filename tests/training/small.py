"""A small network that trains quickly, and callbacks to observe it."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import dotcnn
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.trainer.callbacks import Callback, EpochRecord, RunEnd, RunStart, Step
from dotcnn.training.trainer.result import Result

NETWORK = """
network Net {
  input 1x8x8
  conv 4 3x3 stride=2 same, bn, relu
  flatten
  dropout 0.2
  fc classes
}
"""

TRAIN = """
train {
  data digits
  epochs 3
  batch 256
  optimizer adamw lr=5e-3
}
"""

SPEC = NETWORK + TRAIN


class Looker(Callback):
    """A callback that records all events, and can press Ctrl-C after a step."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.begun: RunStart | None = None
        self.steps: list[Step] = []
        self.epochs: list[EpochRecord] = []
        self.notes: list[str] = []
        self.end: RunEnd | None = None
        self.closed = False
        self.stop_after = stop_after

    def started(self, start: RunStart) -> None:
        self.begun = start

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) == self.stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    def epoch(self, record: EpochRecord) -> None:
        self.epochs.append(record)

    def note(self, line: str) -> None:
        self.notes.append(line)

    def finished(self, end: RunEnd) -> None:
        self.end = end

    def close(self) -> None:
        self.closed = True


def trained(folder: Path, spec: str = SPEC, **options: Any) -> Result:
    """Trains on the CPU, into a folder."""
    changes: Mapping[str, object] = options.pop("set", {})
    return dotcnn.train(spec, output=folder, device="cpu", set=changes, **options)


def gone_on(folder: Path, spec: str | None = None, **options: Any) -> Result:
    return dotcnn.train(spec, resume=folder, device="cpu", **options)


def last(folder: Path) -> dict[str, Tensor]:
    """The last weights of a run."""
    state: dict[str, Tensor] = read_checkpoint(folder / "last.ckpt")["model"]
    return state


def equal(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)
