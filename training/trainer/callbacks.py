"""What the loop tells those who look on: the live display, plain lines, log files.

The loop knows none of them; it calls a Callback, and what a Callback does changes no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from ...compiler.plan.plan import TrainPlan


class RunStart(NamedTuple):
    """All that is known before the first step."""

    folder: Path
    network: str
    plan: TrainPlan
    device: str
    """As it is to be printed: `cpu (2 cores)`, `cuda:0 (NVIDIA …)`."""
    choices: Sequence[str]
    """What was chosen and why, a line each: precision, memory format, where images are kept."""
    images: Mapping[str, int]
    """Of each part."""
    classes: Sequence[str]
    parameters: int
    trainable: int
    epochs: int
    batches: int
    """In an epoch."""
    resumed: tuple[int, int] | None
    """The epoch and the image in it at which a stopped run goes on."""


class Step(NamedTuple):
    epoch: int
    batch: int
    """Counted from 1, in the epoch."""
    loss: float | None
    """None where it would have meant waiting for the device."""
    lr: float
    images_per_second: float
    waiting: float
    """Share of the epoch's time that the device waited for images."""


class EpochRecord(NamedTuple):
    """A line of metrics.jsonl."""

    epoch: int
    """Counted from 1: how many are done."""
    steps: int
    """Since the beginning of the run."""
    lr: float
    train: Mapping[str, float]
    """`loss` and whatever else is measured while learning."""
    val: Mapping[str, float]
    """The metrics of the plan, by name; empty where there is nothing to evaluate with."""
    best: bool
    """Whether it is the best one so far, by the plan's metric."""
    seconds: float
    images_per_second: float
    waiting: float


class RunEnd(NamedTuple):
    folder: Path
    reason: str
    """`done`, `early stop`, `interrupted`, `diverged`, …"""
    epochs: int
    best_epoch: int | None
    best: Mapping[str, float]
    seconds: float
    report: Path | None


class Callback(Protocol):
    """Each is called by the process that writes, in the order of the file."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        """Data are being read or measured."""

    def started(self, start: RunStart) -> None: ...

    def step(self, step: Step) -> None: ...

    def evaluating(self, part: str, batch: int, batches: int) -> None: ...

    def epoch(self, record: EpochRecord) -> None: ...

    def note(self, line: str) -> None:
        """Something that a person ought to read, now."""

    def finished(self, end: RunEnd) -> None: ...

    def close(self) -> None:
        """Whatever happened: the terminal is to be left in order."""


class Silent:
    """Watches nothing; others may fill in what they care for."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        return

    def started(self, start: RunStart) -> None:
        return

    def step(self, step: Step) -> None:
        return

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        return

    def epoch(self, record: EpochRecord) -> None:
        return

    def note(self, line: str) -> None:
        return

    def finished(self, end: RunEnd) -> None:
        return

    def close(self) -> None:
        return
