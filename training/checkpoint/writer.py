"""Writes checkpoints, best weights and metrics, so that a run can always be resumed.

At the end of an epoch it writes a line of metrics, then the checkpoint, then, if this is the best
epoch so far, the weights. If the process dies in between, there may be surplus lines, which are
removed when the run is resumed, or the best weights may be missing, which are then in the
checkpoint. Frozen weights are written once, before the first checkpoint.

With cached features, an epoch may take less time than writing a checkpoint. Then checkpoints are
skipped, so that writing takes at most a tenth of the time. Best weights that were not written are
kept in memory; they are written at the end at the latest.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..metrics.running_metrics import RunningMetrics
from ..runtime.process_group import Processes
from ..runtime.seeding import random_state, restore_random_state, seed_all
from ..trainer.callbacks import Callback, EpochRecord
from ..trainer.state import Learner
from .checkpoint import about_weights, write_checkpoint, write_weights
from .frozen_weights import remove_others, write_frozen
from .run_folder import RunFolder, shown

NO_FACTS: Mapping[str, str] = MappingProxyType({})
WRITING = 0.1
"""The share of the time that writing may take at most."""
SECONDS = 0.1
"""The assumed duration of writing, before it is measured."""


@dataclass
class Position:
    """The progress of a run."""

    epoch: int = 0
    """Completed epochs."""
    position: int = 0
    """The number of images of the current epoch that have been processed."""
    steps: int = 0
    """The number of optimizer steps since the start of the run."""
    seconds: float = 0.0
    best_metrics: dict[str, float] | None = None
    """The metrics of the best epoch so far on the validation set."""
    best_epoch: int | None = None
    lines: int = 0
    """The number of lines of metrics.jsonl."""


class CheckpointWriter:
    """Writes the state of a run. Each process has one; only that of the first process writes."""

    def __init__(
        self,
        *,
        folder: RunFolder,
        fixed: Mapping[str, Any],
        metadata: Mapping[str, str],
        every: int,
        metrics: RunningMetrics,
        callback: Callback,
        processes: Processes,
    ) -> None:
        self.folder = folder
        self.fixed = fixed
        """The part of each checkpoint that never changes: plan, network, precision."""
        self.metadata = metadata
        """The metadata of the weights."""
        self.every = every
        self.metrics = metrics
        """The running metrics of the epoch."""
        self.callback = callback
        self.processes = processes
        self.position = Position()
        self.last: Mapping[str, float] = {}
        """The metrics of the last validation."""
        self._frozen_file: str | None = None
        """The name of the file of frozen weights, once it is written."""
        self._pending = False
        """Whether there is something to write."""
        self._written = False
        """Whether the checkpoint of the last epoch is written, as all processes see it."""
        self._not_before = time.perf_counter() + _rest(SECONDS)
        """The earliest time for the next checkpoint."""
        self._waiting: Best | None = None
        """The best weights, as long as they are not in their file."""
        self.trouble = ""
        """Why the last write failed; empty if it succeeded."""

    # ---- writing ----

    def before_training(self, record: EpochRecord) -> None:
        """Called once before the first step, with the metrics of epoch 0."""
        self.position.lines += 1
        if not self.processes.writes:
            return
        try:
            self.folder.metrics.add(_line(record))
        except OSError as error:
            self.not_written(error)

    def epoch(
        self,
        learner: Learner,
        record: EpochRecord,
        *,
        last: bool,
        facts: Mapping[str, str] = NO_FACTS,
    ) -> None:
        """Called at the end of each epoch. `facts` go into the metadata of its weights."""
        self.position.lines += 1
        self.last = record.val or self.last
        self._pending |= record.best or record.epoch % self.every == 0
        due = last or (self._pending and time.perf_counter() >= self._not_before)
        due = self.processes.broadcast(due)  # all processes contribute to a checkpoint
        self._written = due
        if record.best and self.processes.writes:
            best = Best.here(record.epoch) if due else Best.copied(learner, record.epoch)
            self._waiting = best._replace(facts=dict(facts))
        state = self._state(learner) if due else None
        if not self.processes.writes:
            return
        try:
            self.folder.metrics.add(_line(record))
            if state is not None:
                self._write(learner, state)
        except OSError as error:
            self.not_written(error)
            if self._waiting and self._waiting.epoch == record.epoch:
                best = Best.copied(learner, record.epoch)
                self._waiting = best._replace(facts=dict(facts))
        else:
            if self.trouble:
                self.callback.note("writing works again")
                self.trouble = ""

    def stopped(self, learner: Learner) -> None:
        """Called when training ends after an epoch that was not known to be the last."""
        if not self._written:
            self.interrupted(learner)

    def interrupted(self, learner: Learner) -> None:
        """Called when training is interrupted in the middle of an epoch."""
        state = self._state(learner)
        if not self.processes.writes:
            return
        try:
            self._write(learner, state)
        except OSError as error:
            self.not_written(error)

    def close(self, learner: Learner) -> None:
        """Called at the end of training, for whatever reason: writes the best weights if they are
        not in their file yet."""
        if self._waiting is not None:
            try:
                self._write_best(learner, self._waiting)
            except OSError as error:
                if not self.trouble:  # otherwise it was reported already
                    self.not_written(error)

    def _state(self, learner: Learner) -> dict[str, Any]:
        return {
            **self.fixed,
            **learner.state(),
            "position": asdict(self.position),
            "gauges": self.processes.gathered(self.metrics.state()),
            "random": self.processes.gathered(random_state(learner.device)),
            "threads": torch.get_num_threads(),
            "world": self.processes.world,
            "best": self._waiting.plain() if self._waiting else None,
        }

    def _write(self, learner: Learner, state: dict[str, Any]) -> None:
        """Writes the checkpoint, and the best weights if they are not in their file yet."""
        began = time.perf_counter()
        frozen = learner.frozen_weights()
        if frozen:
            if self._frozen_file is None:
                self._frozen_file = write_frozen(self.folder.path, frozen)
            trained = {key: one for key, one in state["model"].items() if key not in frozen}
            state |= {"model": trained, "still": self._frozen_file}
        write_checkpoint(self.folder.checkpoint, state)
        remove_others(self.folder.path, self._frozen_file or "")
        if self._waiting is not None:
            self._write_best(learner, self._waiting)
        self._pending = False
        now = time.perf_counter()
        self._not_before = now + _rest(now - began)

    def _write_best(self, learner: Learner, best: Best) -> None:
        metadata = {**self.metadata, **best.facts, "epoch": str(best.epoch)}
        write_weights(self.folder.best, {**learner.weights(), **best.weights}, metadata)
        self._waiting = None

    def not_written(self, error: OSError) -> None:
        """Tells the callback that writing failed; training continues."""
        self.trouble = error.strerror or type(error).__name__
        kept = about_weights(self.folder.best).get("epoch")
        last = f"; the best weights written are those of epoch {kept}" if kept else ""
        self.callback.note(
            f"cannot write to {shown(self.folder.path)}: {self.trouble}. Files written before are"
            f" intact{last}. Training continues"
        )

    # ---- resuming ----

    def restore(self, learner: Learner, state: Mapping[str, Any]) -> None:
        """Restores the state of a checkpoint."""
        learner.restore(dict(state))
        position = dict(state["position"])
        best = position.pop("best", None)
        if best is not None:  # early 0.1 saved only the metric that selects the best epoch
            chosen_by = learner.plan.train.checkpoint.metric or "top1"
            position["best_metrics"] = {"loss": math.inf, "top1": best, chosen_by: best}
        self.position.__dict__.update(position)
        rank = self.processes.rank
        if len(state["random"]) == self.processes.world:
            self.metrics.restore(state["gauges"][rank])
            restore_random_state(state["random"][rank], learner.device)
        else:
            # The number of processes has changed: the first process gets the sums of all, and the
            # random generators get a seed that no process has used before.
            if rank == 0:
                self.metrics.restore(_sum(state["gauges"]))
            seed_all(int(self.fixed["seed"]) + self.position.steps, rank)
        if not self.processes.writes:
            return
        self.folder.metrics.keep(self.position.lines)
        best = Best(**state["best"]) if state.get("best") else None
        if best and about_weights(self.folder.best).get("epoch") != str(best.epoch):
            self._write_best(learner, best)


class Best(NamedTuple):
    """The best weights, until they are written; without the weights that never change."""

    epoch: int
    weights: dict[str, Tensor]
    facts: Mapping[str, str] = NO_FACTS
    """Results of the validation, such as thresholds: metadata of the written weights."""

    def plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {**self._asdict(), "facts": dict(self.facts)}

    @staticmethod
    def here(epoch: int) -> Best:
        """The learner's current weights, which need no copy."""
        return Best(epoch, {})

    @staticmethod
    def copied(learner: Learner, epoch: int) -> Best:
        """A copy of all weights that can change, in main memory."""
        frozen = () if learner.average else learner.frozen_weights()
        weights = learner.weights().items()
        changing = {name: tensor for name, tensor in weights if name not in frozen}
        return Best(epoch, {n: t.detach().to("cpu", copy=True) for n, t in changing.items()})


def _rest(seconds: float) -> float:
    """The pause after a write that took this many seconds."""
    return seconds * (1 / WRITING - 1)


def _sum(states: list[dict[str, Any]]) -> dict[str, Any]:
    return {"sums": sum(state["sums"] for state in states)}


def _line(record: EpochRecord) -> str:
    """A line of metrics.jsonl; NaN and infinity become null."""
    return json.dumps(_plain(record._asdict()), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
