"""Writes checkpoints, best weights and metrics, so that a run can always be resumed.

At the end of an epoch it writes a line of metrics, then the checkpoint, then, if this is the best
epoch so far, the weights. If the process dies in between, there may be surplus lines, which are
removed when the run is resumed, or the best weights may be missing, which are then in the
checkpoint. Frozen weights are written once, before the first checkpoint.

Training does not wait for that: it copies its state (snapshot.py), and another thread writes the
copy (checkpoint_files.py). With `checkpoint every=10min` that also happens within an epoch.

With cached features, an epoch may take less time than writing a checkpoint. Then checkpoints are
skipped, so that writing takes at most a tenth of the time. Best weights that were not written are
kept in memory; they are written at the end at the latest.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...compiler.plan.train import Checkpoint
from ..metrics.running_metrics import RunningMetrics
from ..runtime.process_group import Processes
from ..runtime.seeding import random_state, restore_random_state, seed_all
from ..trainer.callbacks import Callback, EpochRecord
from ..trainer.state import Learner
from .checkpoint import about_weights
from .checkpoint_files import NO_FACTS, Abandoned, Best, CheckpointFiles
from .run_folder import RunFolder, shown
from .snapshot import Snapshot, Snapshots

WRITING = 0.1
"""The share of the time that writing may take at most; if it is 1, training waits for it."""
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
    shift: int = 0
    """The steps by which the schedule is ahead, since the number of steps of an epoch changed."""

    @property
    def of_schedule(self) -> int:
        """The number of steps as the schedule counts them."""
        return self.steps + self.shift


class CheckpointWriter:
    """Writes the state of a run. Each process has one; only that of the first process writes."""

    def __init__(
        self,
        *,
        folder: RunFolder,
        fixed: Mapping[str, Any],
        metadata: Mapping[str, str],
        when: Checkpoint,
        metrics: RunningMetrics,
        callback: Callback,
        processes: Processes,
        device: torch.device,
    ) -> None:
        self.folder = folder
        self.fixed = fixed
        """The part of each checkpoint that never changes: plan, network, precision."""
        self.when = when
        self.metrics = metrics
        """The running metrics of the epoch."""
        self.callback = callback
        self.processes = processes
        self.position = Position()
        self.last: Mapping[str, float] = {}
        """The metrics of the last validation."""
        self.trouble = ""
        """Why the last write failed; empty if it succeeded."""
        self._files = CheckpointFiles(folder, metadata, when.keep)
        self._snapshots = Snapshots(device)
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._steps = 0
        """The steps since the start of this process, as long as no memory is prepared."""
        self._writes: list[_Write] = []
        """Those that the thread has not done, or whose outcome was not looked at yet."""
        self._pending = False
        """Whether there is something to write."""
        self._not_before = time.perf_counter() + _rest(SECONDS)
        """The earliest time for the next checkpoint, so that writing does not take too much of
        it."""
        self._saved = time.perf_counter()
        """When the state was last copied."""
        self._asked = False
        """Whether a checkpoint within the epoch is due, and the other processes are being told."""
        self._waiting: Best | None = None
        """The best weights, as long as they are not handed over to be written."""
        self._written = False
        """Whether the checkpoint of the last epoch is written, or is being written."""
        self._told = False
        """Whether it was said that training waits for writing."""

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
        self._pending |= record.best or self._due_after(record.epoch)
        self._look()
        rested = time.perf_counter() >= self._not_before and not self._writes
        due = last or (self._pending and rested)
        due = self.processes.broadcast(due)  # all processes contribute to a checkpoint
        self._written = due
        state = self._state(learner) if due else None
        if not self.processes.writes:
            return
        try:
            self.folder.metrics.add(_line(record))
        except OSError as error:
            self.not_written(error)
            self._written, state = False, None
        if record.best and state is None:
            self._waiting = Best.copied(learner, record.epoch, facts)
        if state is not None:
            best = Best.here(learner, record.epoch, facts) if record.best else self._waiting
            self._save(learner, state, best)
            self._snapshots.before_change()  # a callback of the user may change the weights now
            if WRITING >= 1:
                self._finish_writing()

    def before_step(self, learner: Learner) -> None:
        """Called before each step of the optimizer, after the forward pass: copies of the weights
        have to arrive first."""
        self._snapshots.before_change()
        if self._steps == 1 and self.processes.writes:  # from now on, the optimizer has its state
            state = learner.state()
            _leave_out(learner.frozen_weights(), state)
            self._snapshots.prepare(state, self._thread)
        self._steps += 1

    def due(self) -> bool:
        """Whether a checkpoint is due within the epoch, by the clock of the first process. It is
        said once, to tell the other processes, and then when the checkpoint was made."""
        seconds = self.when.seconds
        if seconds is None or self._asked or not self.processes.writes:
            return False
        self._asked = time.perf_counter() >= self._saved + seconds and self._has_room()
        return self._asked

    def due_by_steps(self) -> bool:
        """Whether a checkpoint is due after this step, in all processes."""
        steps = self.when.every_steps
        return steps is not None and self.position.steps % steps == 0

    def within_epoch(self, learner: Learner, seconds: float) -> None:
        """Called between two steps when a checkpoint is due; `seconds` of the epoch have passed."""
        state = self._state(learner, seconds)
        if not self.processes.writes:
            return
        self._asked = False  # memory may not be ready yet: it is due again then
        if self._has_room():
            self._save(learner, state, self._waiting)
            if WRITING >= 1:
                self._finish_writing()

    def stopped(self, learner: Learner) -> None:
        """Called when training ends after an epoch that was not known to be the last."""
        if not self._written:
            self.interrupted(learner)

    def interrupted(self, learner: Learner) -> None:
        """Called when training is interrupted in the middle of an epoch."""
        state = self._state(learner)
        if self.processes.writes:
            self._drop_waiting()
            self._save(learner, state, self._waiting)
            self._finish_writing()

    def abandon(self) -> None:
        """Called when training has to end at once: what is being written is not finished. The files
        from before stay."""
        self._files.abandoned = True

    def close(self) -> None:
        """Called at the end of training, for whatever reason: waits until all is written, also the
        best weights if they are not in their file yet."""
        self._thread.shutdown(cancel_futures=self._files.abandoned)
        self._look()
        self._files.best = self._waiting or self._files.best
        try:
            self._files.write_best()
        except OSError as error:
            if not self.trouble:  # otherwise it was reported already
                self.not_written(error)

    def _due_after(self, epoch: int) -> bool:
        """Whether a checkpoint is due after an epoch, even if it is not the best one."""
        seconds, steps = self.when.seconds, self.when.every_steps
        if seconds is not None:
            return time.perf_counter() >= self._saved + seconds
        return self.due_by_steps() if steps is not None else epoch % self.when.every_epochs == 0

    def _state(self, learner: Learner, seconds: float = 0.0) -> dict[str, Any]:
        position = asdict(self.position)
        return {
            **self.fixed,
            **learner.state(),
            "position": position | {"seconds": position["seconds"] + seconds},
            "gauges": self.processes.gathered(self.metrics.state()),
            "random": self.processes.gathered(random_state(learner.device)),
            "threads": torch.get_num_threads(),
            "world": self.processes.world,
        }

    def _save(self, learner: Learner, state: dict[str, Any], best: Best | None) -> None:
        """Copies a state and the best weights, and hands them over to be written; if there is no
        memory for copies, they are written here and now."""
        if not self._has_room():
            self._drop_waiting()
        if not self._has_room():
            self._finish_writing()
        self._saved, self._asked, self._pending = time.perf_counter(), False, False
        self._waiting = None
        frozen = learner.frozen_weights()
        _leave_out(frozen, state)
        here = best is not None and best.current
        copied = (state, best.weights if best and here else {})
        snapshot = self._snapshots.take(copied, changing=list(learner.module.buffers()))
        if snapshot is not None:
            state, weights = snapshot.state
            best = best._replace(weights=weights) if best and here else best
            done = self._thread.submit(self._files.write, state, frozen, best, snapshot.wait)
            self._writes.append(_Write(done, snapshot, best is not None))
            return
        if not self._told:
            self._told = True
            self.callback.note(
                "there is no memory to copy the training state: training waits while checkpoints"
                " are written"
            )
        self._finish_writing()
        try:
            self._files.write(state, frozen, best)
        except OSError as error:
            self.not_written(error)
            if best and here:
                self._files.best = Best.copied(learner, best.epoch, best.facts)
        else:
            self._succeeded()

    def _has_room(self) -> bool:
        self._look()
        return self._snapshots.available

    def _finish_writing(self) -> None:
        """Waits until everything is written."""
        wait([write.done for write in self._writes])
        self._look()

    def _drop_waiting(self) -> None:
        """Gives up a copy that nothing was written of yet, since a newer one follows; unless it has
        the best weights."""
        for write in list(self._writes):
            if not write.best and write.done.cancel():
                self._writes.remove(write)
                self._snapshots.release(write.snapshot)

    def _look(self) -> None:
        """Looks at what the thread has done."""
        while self._writes and self._writes[0].done.done():
            write = self._writes.pop(0)
            error = None if write.done.cancelled() else write.done.exception()
            # The best weights of a copy that was not written are still needed.
            self._snapshots.release(write.snapshot, reuse=error is None)
            if isinstance(error, OSError):
                self.not_written(error)
            elif isinstance(error, Abandoned):
                continue
            elif error is not None:
                raise error
            else:
                self._succeeded()

        for note in self._files.notes:
            self.callback.note(note)
        self._files.notes.clear()

    def _succeeded(self) -> None:
        self._not_before = time.perf_counter() + _rest(self._files.seconds)
        if self.trouble:
            self.callback.note("writing works again")
            self.trouble = ""

    def not_written(self, error: OSError) -> None:
        """Tells the callback that writing failed; training continues."""
        trouble = error.strerror or type(error).__name__
        again, self.trouble = trouble == self.trouble, trouble
        if again:
            return
        kept = about_weights(self.folder.best).get("epoch")
        last = f"; the best weights written are those of epoch {kept}" if kept else ""
        self.callback.note(
            f"cannot write to {shown(self.folder.path)}: {self.trouble}. Files written before are"
            f" intact{last}. Training continues"
        )

    # ---- resuming ----

    def restore(self, learner: Learner, state: Mapping[str, Any], path: Path) -> None:
        """Restores the state of a checkpoint, which is in this file."""
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
        if path == self.folder.checkpoint:  # else the last one is damaged: it is not kept
            self._files.last_steps = self.position.steps
        best = Best(**state["best"]) if state.get("best") else None
        if best and about_weights(self.folder.best).get("epoch") != str(best.epoch):
            weights = {**learner.weights(), **best.weights}
            self._files.write_best(best._replace(weights=weights))


class _Write(NamedTuple):
    """A copy that is being written."""

    done: Future[None]
    snapshot: Snapshot
    best: bool
    """Whether it has best weights."""


def _leave_out(frozen: Mapping[str, Tensor], state: dict[str, Any]) -> None:
    """Leaves frozen weights out of a state: they are in a file of their own."""
    state["model"] = {key: one for key, one in state["model"].items() if key not in frozen}


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
