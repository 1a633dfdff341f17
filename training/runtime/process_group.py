"""The process group of distributed training: communication between processes; or a single process.

The processes are started by torchrun or by `cnn train --devices 2`. Each gets its share of every
batch. All communication between them is here, so the training loop is the same for one process and
for many.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from ..data.loader.batches import Sharing


class Processes:
    """The process group from the view of one process: its rank, the world size, its device."""

    def __init__(self, rank: int = 0, world: int = 1, device: torch.device | None = None) -> None:
        self.rank = rank
        self.world = world
        self.device = device or torch.device("cpu")

    @property
    def sharing(self) -> Sharing:
        return Sharing(self.rank, self.world)

    @property
    def alone(self) -> bool:
        return self.world == 1

    @property
    def writes(self) -> bool:
        """Whether this process writes files and shows progress: only the first one does."""
        return self.rank == 0

    def wrapped(self, module: Any) -> Any:
        """The module with gradients summed over all processes."""
        if self.world == 1:
            return module
        on_card = self.device.type == "cuda"
        return DistributedDataParallel(module, device_ids=[self.device.index] if on_card else None)

    def without_sum(self, forward: object) -> AbstractContextManager[object]:
        """A context without gradient synchronization, for accumulated batches."""
        if isinstance(forward, DistributedDataParallel):
            return forward.no_sync()
        return nullcontext()

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Sums tensors over all processes, in place."""
        if self.world > 1:
            for tensor in tensors:
                dist.all_reduce(tensor)

    def agreed(self, value: float, stop: bool) -> tuple[float, bool]:
        """The mean of a value over all processes (NaN if any value is), and whether any process was
        asked to stop."""
        if self.world == 1:
            return value, stop
        both = torch.tensor([value / self.world, float(stop)], device=self.device)
        dist.all_reduce(both)
        mean, stops = both.tolist()
        return mean, stops > 0

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def broadcast(self, value: Any) -> Any:
        """The value of the first process, in all processes."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]


ALONE = Processes()
