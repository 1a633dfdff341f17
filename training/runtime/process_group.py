"""The processes of a distributed training, each with its share of every batch; or a single one.

They are started by torchrun or by `cnn train --devices 2`. Everything they have to agree on is
here: the loop is the same for one and for many.
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
    """The group, as one of its processes sees it."""

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
        """Only the first process writes and shows."""
        return self.rank == 0

    def wrapped(self, module: Any) -> Any:
        """The module with gradients summed over all processes."""
        if self.world == 1:
            return module
        on_card = self.device.type == "cuda"
        return DistributedDataParallel(module, device_ids=[self.device.index] if on_card else None)

    def without_sum(self, forward: object) -> AbstractContextManager[object]:
        """A context for accumulated batches, without communication."""
        if isinstance(forward, DistributedDataParallel):
            return forward.no_sync()
        return nullcontext()

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Sums over all processes, in place."""
        if self.world > 1:
            for tensor in tensors:
                dist.all_reduce(tensor)

    def agreed(self, value: float, asked: bool) -> tuple[float, bool]:
        """The mean of a value, NaN if any is; and whether any process was asked to end."""
        if self.world == 1:
            return value, asked
        both = torch.tensor([value / self.world, float(asked)], device=self.device)
        dist.all_reduce(both)
        mean, asking = both.tolist()
        return mean, asking > 0

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value)
        return found

    def told(self, value: Any) -> Any:
        """The value of the first process, for all."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]


ALONE = Processes()
