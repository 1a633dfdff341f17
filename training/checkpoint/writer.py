"""What of a run is written down, and when, so that it can be gone on with from any moment.

At the end of an epoch: its line, then the checkpoint, then, where it is the best so far, the
weights. A process that dies in between leaves at most lines too many, which are taken away when
the run goes on, or best weights that are missing, which are then in the checkpoint. What never
learns is written once, before the first checkpoint.

Epochs may be shorter than writing takes, as they are with features that are kept. Then not each of
them is written down: at most a tenth of the time goes into that. Best weights that wait for their
turn are remembered, and written at the end at the latest.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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

WRITING = 0.1
"""The share of the time that may go into writing."""
SECONDS = 0.1
"""What writing is taken to last, before it has been done."""


@dataclass
class Position:
    """How far a run is."""

    epoch: int = 0
    """Epochs that are done."""
    position: int = 0
    """Images of the next one that have been learned from."""
    steps: int = 0
    """Since the beginning."""
    seconds: float = 0.0
    best_metrics: dict[str, float] | None = None
    """Of the best epoch so far, on the validation set."""
    best_epoch: int | None = None
    lines: int = 0
    """Of metrics.jsonl."""


class CheckpointWriter:
    """Writes a run down; with several processes, each has one and the first one's writes."""

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
        """What goes into each checkpoint as it is: the plan, the network, numbers."""
        self.metadata = metadata
        """What stands beside the weights."""
        self.every = every
        self.metrics = metrics
        """What the epoch has come to so far."""
        self.callback = callback
        self.processes = processes
        self.position = Position()
        self.last: Mapping[str, float] = {}
        """What the last epoch came to in validation."""
        self._still: str | None = None
        """The file of what never learns, once it is there."""
        self._wanted = False
        """Whether something has come that is to be written."""
        self._again = time.perf_counter() + _rest(SECONDS)
        """When it may be written; by the clock."""
        self._waiting: Best | None = None
        """The best weights, while others are in their file."""
        self.trouble = ""
        """Why the last thing could not be written; empty where all is well."""

    # ---- writing ----

    def epoch(self, learner: Learner, record: EpochRecord, *, last: bool) -> None:
        """At the end of each."""
        self.position.lines += 1
        self.last = record.val
        self._wanted |= record.best or record.epoch % self.every == 0
        due = last or (self._wanted and time.perf_counter() >= self._again)
        due = self.processes.told(due)  # all of them have a part in what is written
        if record.best and self.processes.writes:
            self._waiting = Best.here(record.epoch) if due else Best.copied(learner, record.epoch)
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
                self._waiting = Best.copied(learner, record.epoch)
        else:
            if self.trouble:
                self.callback.note("writing works again")
                self.trouble = ""

    def interrupted(self, learner: Learner) -> None:
        """In the middle of an epoch."""
        state = self._state(learner)
        if not self.processes.writes:
            return
        try:
            self._write(learner, state)
        except OSError as error:
            self.not_written(error)

    def close(self, learner: Learner) -> None:
        """However it has ended: the best weights are in their file, if that can be written."""
        if self._waiting is not None:
            try:
                self._write_best(learner, self._waiting)
            except OSError as error:
                if not self.trouble:  # else it has been said already
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
            "best": self._waiting._asdict() if self._waiting else None,
        }

    def _write(self, learner: Learner, state: dict[str, Any]) -> None:
        """The checkpoint, and the best weights if they wait."""
        began = time.perf_counter()
        still = learner.frozen_weights()
        if still:
            if self._still is None:
                self._still = write_frozen(self.folder.path, still)
            learns = {key: one for key, one in state["model"].items() if key not in still}
            state |= {"model": learns, "still": self._still}
        write_checkpoint(self.folder.checkpoint, state)
        remove_others(self.folder.path, self._still or "")
        if self._waiting is not None:
            self._write_best(learner, self._waiting)
        self._wanted = False
        now = time.perf_counter()
        self._again = now + _rest(now - began)

    def _write_best(self, learner: Learner, best: Best) -> None:
        metadata = {**self.metadata, "epoch": str(best.epoch)}
        write_weights(self.folder.best, {**learner.weights(), **best.weights}, metadata)
        self._waiting = None

    def not_written(self, error: OSError) -> None:
        """Says so; training goes on."""
        self.trouble = error.strerror or type(error).__name__
        kept = about_weights(self.folder.best).get("epoch")
        last = f"; the best weights written are those of epoch {kept}" if kept else ""
        self.callback.note(
            f"cannot write to {shown(self.folder.path)}: {self.trouble}. Files written before are"
            f" intact{last}. Training continues"
        )

    # ---- going on ----

    def restore(self, learner: Learner, state: Mapping[str, Any]) -> None:
        """All as it was when a checkpoint was written."""
        learner.restore(dict(state))
        position = dict(state["position"])
        best = position.pop("best", None)
        if best is not None:  # an early 0.1 kept nothing but the figure that decides
            chosen_by = learner.plan.train.checkpoint.metric
            position["best_metrics"] = {"loss": math.inf, "top1": best, chosen_by: best}
        self.position.__dict__.update(position)
        rank = self.processes.rank
        if len(state["random"]) == self.processes.world:
            self.metrics.restore(state["gauges"][rank])
            restore_random_state(state["random"][rank], learner.device)
        else:
            # Other processes than before: what was measured is the first one's, and random numbers
            # begin anew, from a place where none of them has been.
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
    """Weights that wait to be written. What a learner still has as it was is left out."""

    epoch: int
    weights: dict[str, Tensor]

    @staticmethod
    def here(epoch: int) -> Best:
        """All as the learner has it."""
        return Best(epoch, {})

    @staticmethod
    def copied(learner: Learner, epoch: int) -> Best:
        """All that can change, in memory of the computer."""
        still = () if learner.average else learner.frozen_weights()
        weights = learner.weights().items()
        changing = {name: tensor for name, tensor in weights if name not in still}
        return Best(epoch, {n: t.detach().to("cpu", copy=True) for n, t in changing.items()})


def _rest(seconds: float) -> float:
    """For how long nothing is to be written after that took so many seconds."""
    return seconds * (1 / WRITING - 1)


def _sum(states: list[dict[str, Any]]) -> dict[str, Any]:
    return {"sums": sum(state["sums"] for state in states)}


def _line(record: EpochRecord) -> str:
    """No number is `null` in JSON."""
    return json.dumps(_plain(record._asdict()), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
