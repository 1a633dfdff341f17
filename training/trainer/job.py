"""A training job: request, data, device and callback, which setup, loop and finish all need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ...compiler.plan.plan import TrainPlan
from ..data.loader.fold_stores import FoldStores
from ..data.opened import Opened
from ..find_lr.found_rate import FoundRate
from ..metrics.evaluation_batch import evaluation_batch
from ..optim.precision import FULL, Precision
from ..request import Request
from ..runtime.out_of_memory import Phase, Situation
from ..runtime.process_group import Processes
from ..transfer.source import Source
from .callbacks import Callback
from .own_callbacks import OwnCallbacks


@dataclass(frozen=True, eq=False, kw_only=True)
class Job:
    """A network to train, with its data opened."""

    request: Request
    data: Opened
    device: torch.device
    version: str
    callback: Callback
    processes: Processes
    open_weights: Callable[[], Source] | None = None
    """Opens the weights to transfer; None if nothing is transferred."""
    policy_lines: tuple[str, ...] = ()
    """The decisions of `policy` in the spec, in words."""
    found_rate: FoundRate | None = None
    """The range test that the learning rate comes from, if there was one."""
    folds: FoldStores | None = None
    """What the folds of a cross-validation share; None if there is none."""
    open_data: Callable[[Request], Opened] | None = None
    """Opens the data of another request: of another fold."""
    own: OwnCallbacks = field(default_factory=OwnCallbacks)
    """The user's callbacks, which `callback` calls, too."""
    ensemble_folder: Path | None = None
    """The folder of the ensemble, if the network belongs to one."""

    @property
    def plan(self) -> TrainPlan:
        return self.request.plan

    @property
    def batch_per_device(self) -> int:
        return max(1, self.plan.train.batch.size // self.processes.world)

    def situation(
        self, *, phase: Phase = "training", precision: Precision = FULL, folder: Path | None = None
    ) -> Situation:
        """What messages about errors need to know."""
        return Situation(
            request=self.request,
            device=self.device,
            batch=self.batch_per_device,
            world=self.processes.world,
            data=self.data,
            precision=precision,
            phase=phase,
            folder=folder,
        )

    def evaluation_batch(self, precision: Precision) -> int:
        """The batch size of one device without gradients."""
        train, network = self.plan.train, self.request.network
        return evaluation_batch(network, train, precision, self.device, self.batch_per_device)
