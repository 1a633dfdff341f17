"""Writes the checkpoint and the best weights of a run, one after the other, in a thread of its own.

They are copies: the weights of the network may change meanwhile.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from ..trainer.state import Learner
from .checkpoint import write_checkpoint, write_weights
from .frozen_weights import remove_others, write_frozen
from .kept_checkpoints import keep_last, make_room, remove_older
from .large_file import nothing
from .run_folder import RunFolder

NO_FACTS: Mapping[str, str] = MappingProxyType({})


_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class Abandoned(Exception):
    """Writing was given up because the program ends."""


class Best(NamedTuple):
    """The best weights, until they are written."""

    epoch: int
    weights: Mapping[str, Tensor]
    """Those that change in training."""
    facts: Mapping[str, str] = NO_FACTS
    """Results of the validation, such as thresholds: metadata of the written weights."""
    frozen: Mapping[str, Tensor] = MappingProxyType({})
    """Those that never change."""
    current: bool = False
    """Whether they are the weights of the state that is saved with them, which has no second copy
    of them."""

    def plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        weights = {} if self.current else dict(self.weights)
        return {"epoch": self.epoch, "weights": weights, "facts": dict(self.facts)}

    @staticmethod
    def here(learner: Learner, epoch: int, facts: Mapping[str, str]) -> Best:
        """The learner's current weights themselves, not a copy."""
        frozen = {} if learner.average else learner.frozen_weights()
        weights = learner.weights().items()
        changing = {name: tensor for name, tensor in weights if name not in frozen}
        return Best(epoch, changing, dict(facts), frozen, current=True)

    @staticmethod
    def copied(learner: Learner, epoch: int, facts: Mapping[str, str]) -> Best:
        """A copy of the weights that can change, in main memory."""
        best = Best.here(learner, epoch, facts)
        copies = {name: each.detach().to("cpu", copy=True) for name, each in best.weights.items()}
        return best._replace(weights=copies, current=False)


class CheckpointFiles:
    """The checkpoint files of a run. Its methods are called by one thread at a time."""

    def __init__(self, folder: RunFolder, metadata: Mapping[str, str], keep: int = 1) -> None:
        self.folder = folder
        self.keep = keep
        """The number of checkpoints that are kept, the last one included."""
        self.last_steps: int | None = None
        """The steps of the checkpoint that the next one follows; None if there is none, or it is
        damaged."""
        self.metadata = metadata
        """The metadata of the weights."""
        self.best: Best | None = None
        """The best weights, if they could not be written yet."""
        self.notes: list[str] = []
        """What the user should know, until it is told."""
        self.seconds = 0.0
        """How long writing the last checkpoint took."""
        self.abandoned = False
        """Set by another thread: nothing is written any more."""
        self._frozen_file: str | None = None
        """The name of the file of frozen weights, once it is written."""

    def write(
        self,
        state: dict[str, Any],
        frozen: Mapping[str, Tensor],
        best: Best | None,
        arrived: Callable[[], None] = nothing,
    ) -> None:
        """Writes a checkpoint once the state has `arrived`, and the best weights if they are not in
        their file yet. Raises OSError; the best weights are then written with the next
        checkpoint."""
        self.best = best or self.best
        self._check()
        arrived()
        began, steps = time.perf_counter(), state["position"]["steps"]
        if frozen and self._frozen_file is None:
            self._frozen_file = write_frozen(self.folder.path, frozen)
        if frozen:
            state["still"] = self._frozen_file
        state["best"] = self.best.plain() if self.best else None
        if self.best:
            self.best = self.best._replace(current=False)
        try:
            write_checkpoint(
                self.folder.checkpoint, state, self._check, partial(self._keep_last, steps)
            )
        except OSError as error:
            removed = make_room(self.folder.path) if error.errno in _FULL else []
            if not removed:
                raise
            self.notes.append(
                f"the disk is full: removed {', '.join(removed)}. From now on, only the last"
                " checkpoint is kept"
            )
            self.keep = 1
            write_checkpoint(self.folder.checkpoint, state, self._check)
        self.last_steps = steps
        remove_older(self.folder.path, self.keep - 1, steps)
        remove_others(self.folder.path, self._frozen_file or "")
        self.write_best()
        self.seconds = time.perf_counter() - began

    def write_best(self, best: Best | None = None) -> None:
        """Writes the best weights, if there are any that are not in their file; raises OSError."""
        best = best or self.best
        if best is None:
            return
        self._check()
        metadata = {**self.metadata, **best.facts, "epoch": str(best.epoch)}
        write_weights(self.folder.best, {**best.frozen, **best.weights}, metadata, self._check)
        self.best = None

    def _keep_last(self, steps: int) -> None:
        if self.keep > 1 and self.last_steps is not None and self.last_steps < steps:
            keep_last(self.folder.path, self.last_steps)

    def _check(self) -> None:
        if self.abandoned:
            raise Abandoned
