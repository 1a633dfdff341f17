"""Writing checkpoints: what is written when, so that a run can be resumed after any interruption.

At the end of an epoch: its line of metrics, then the checkpoint, then, if it is the best epoch so
far, the weights. A process that dies in between leaves surplus lines, which are removed on
resuming, or misses the best weights, which are then in the checkpoint. Frozen weights are written
once, before the first checkpoint.

With cached features an epoch may be shorter than writing takes. Then checkpoints are skipped, so
that writing takes a tenth of the time at most. Best weights that were skipped are kept in memory
and written at the end at the latest.
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
"""The largest share of the time that writing may take."""
SECONDS = 0.1
"""The assumed duration of writing, before it is measured."""


@dataclass
class Position:
    """The progress of a run."""

    epoch: int = 0
    """Completed epochs."""
    position: int = 0
    """Images of the running epoch that are done."""
    steps: int = 0
    """Since the start of the run."""
    seconds: float = 0.0
    best_metrics: dict[str, float] | None = None
    """Of the best epoch so far, on the validation set."""
    best_epoch: int | None = None
    lines: int = 0
    """Of metrics.jsonl."""


class CheckpointWriter:
    """Each process has one; only the first one's writes."""

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
        """The validation metrics of the last epoch."""
        self._still: str | None = None
        """The file of frozen weights, once it is written."""
        self._wanted = False
        """Whether there is something to write."""
        self._again = time.perf_counter() + _rest(SECONDS)
        """The time from which on the next checkpoint may be written."""
        self._waiting: Best | None = None
        """The best weights, while they are not in their file yet."""
        self.trouble = ""
        """Why the last writing failed; empty where it did not."""

    # ---- writing ----

    def epoch(self, learner: Learner, record: EpochRecord, *, last: bool) -> None:
        """At the end of each epoch."""
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
        """At the end, however it came: writes the best weights if they are still waiting."""
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
        """The checkpoint, and the best weights if they are waiting."""
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
        """Tells the callback that writing failed; training continues."""
        self.trouble = error.strerror or type(error).__name__
        kept = about_weights(self.folder.best).get("epoch")
        last = f"; the best weights written are those of epoch {kept}" if kept else ""
        self.callback.note(
            f"cannot write to {shown(self.folder.path)}: {self.trouble}. Files written before are"
            f" intact{last}. Training continues"
        )

    # ---- going on ----

    def restore(self, learner: Learner, state: Mapping[str, Any]) -> None:
        """Restores the state of a checkpoint."""
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
        best = Best(state["best"]["epoch"], state["best"]["weights"]) if state.get("best") else None
        if best and about_weights(self.folder.best).get("epoch") != str(best.epoch):
            self._write_best(learner, best)


class Best(NamedTuple):
    """The best weights, while they wait to be written; without unchanged ones."""

    epoch: int
    weights: dict[str, Tensor]

    @staticmethod
    def here(epoch: int) -> Best:
        """All weights as the learner has them."""
        return Best(epoch, {})

    @staticmethod
    def copied(learner: Learner, epoch: int) -> Best:
        """A copy of all weights that can change, in main memory."""
        still = () if learner.average else learner.frozen_weights()
        weights = learner.weights().items()
        changing = {name: tensor for name, tensor in weights if name not in still}
        return Best(epoch, {n: t.detach().to("cpu", copy=True) for n, t in changing.items()})


def _rest(seconds: float) -> float:
    """The pause after a writing that took so many seconds."""
    return seconds * (1 / WRITING - 1)


def _sum(states: list[dict[str, Any]]) -> dict[str, Any]:
    return {"sums": sum(state["sums"] for state in states)}


def _line(record: EpochRecord) -> str:
    """NaN and infinity become null."""
    return json.dumps(_plain(record._asdict()), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
