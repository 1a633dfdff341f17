"""A training job: what setup, loop and finish of a network all need to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ...compiler.plan.plan import TrainPlan
from ..data.open import Opened
from ..request import Request
from ..runtime.process_group import Processes
from ..transfer.source import Source
from .callbacks import Callback


@dataclass(frozen=True, eq=False, kw_only=True)
class Job:
    """One network to train, with its data at hand."""

    request: Request
    data: Opened
    device: torch.device
    version: str
    callback: Callback
    processes: Processes
    open_weights: Callable[[], Source] | None = None
    """Opens the weights to transfer; None where the network starts with its own."""
    policy_lines: tuple[str, ...] = ()
    """What a `policy` of the spec decided, in words."""
    ensemble_folder: Path | None = None
    """The folder of the ensemble that this network is a member of."""

    @property
    def plan(self) -> TrainPlan:
        return self.request.plan

    @property
    def batch_per_device(self) -> int:
        return max(1, self.plan.train.batch.size // self.processes.world)
