"""Callbacks: how displays, log files and your own code follow a training.

Training calls each method of a Callback at its time; what a callback does changes no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...compiler.plan.plan import TrainPlan


class RunStart(NamedTuple):
    """What is known before the first step."""

    folder: Path
    network: str
    plan: TrainPlan
    device: str
    """As printed: `cpu (2 cores)`, `cuda:0 (NVIDIA …)`."""
    choices: Sequence[str]
    """A line for each choice and its reason: precision, memory format, where images are kept."""
    images: Mapping[str, int]
    """By part of the data: train, val, test."""
    classes: Sequence[str]
    parameters: int
    trainable: int
    epochs: int
    batches: int
    """Per epoch."""
    resumed: tuple[int, int] | None
    """The epoch, and the image in it, at which a run continues; None for a new run."""


class Step(NamedTuple):
    epoch: int
    batch: int
    """From 1, within the epoch."""
    loss: float | None
    """None where reading it would mean waiting for the device."""
    lr: float
    images_per_second: float
    waiting: float
    """Share of the epoch's time that the device waited for images."""


class EpochRecord(NamedTuple):
    """A line of metrics.jsonl."""

    epoch: int
    """From 1: the number of completed epochs."""
    steps: int
    """Since the start of the run."""
    lr: float
    train: Mapping[str, float]
    """`loss` and the other running metrics."""
    val: Mapping[str, float]
    """The metrics of the plan on the validation set, by name."""
    best: bool
    """Whether it is the best epoch so far, by the plan's metric."""
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


class Callback:
    """Override the methods that you need; each is called in the order of this file, by the process
    that writes the run."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        """Data is being read or measured."""

    def started(self, start: RunStart) -> None:
        """Before the first step."""

    def step(self, step: Step) -> None:
        """After each step of the optimizer."""

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        """After each batch of an evaluation."""

    def epoch(self, record: EpochRecord) -> None:
        """After each epoch and its validation."""

    def note(self, line: str) -> None:
        """A remark or warning that somebody should read now."""

    def finished(self, end: RunEnd) -> None:
        """After everything is written, and after a failure."""

    def close(self) -> None:
        """At the very end, whatever happened: the terminal is to be left in order."""
