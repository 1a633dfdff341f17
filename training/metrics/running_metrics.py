"""Running training loss and accuracy of an epoch, without waiting for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..runtime.to_device import to_device
from ..tasks.task import Outputs, Task

OFTEN = 32
"""The number of steps after which the collected outputs are summed on the device."""

Mark = tuple[list[tuple[Tensor, Tensor, Tensor]], Tensor]


class RunningMetrics:
    """The mean training loss of an epoch, and the running metric of the task, both at the time of
    each step."""

    def __init__(self, device: torch.device, task: Task) -> None:
        self.task = task
        self._scored = task.running != "loss"
        self._device = device
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []
        self._sums = self._zeros()
        """The number of images, the sum of their losses, and of their scores."""

    def _zeros(self) -> Tensor:
        kind = torch.float32 if self._device.type == "mps" else torch.float64
        return torch.zeros(3, dtype=kind, device=self._device)

    def add(self, loss: Tensor, outputs: Outputs, labels: Tensor) -> None:
        """Adds a batch. Work is deferred: many small operations cost more than a large one."""
        if self._scored:
            packed = self.task.packed(outputs).detach()
        else:  # only the loss is needed: outputs may be large
            packed = labels = loss.new_zeros(len(labels))
        self._kept.append((loss.detach(), packed, labels))
        if len(self._kept) >= OFTEN:
            self._flush()

    @torch.no_grad()
    def _flush(self) -> None:
        if not self._kept:
            return
        losses = torch.stack([loss for loss, _, _ in self._kept])
        sizes = torch.tensor([len(labels) for _, _, labels in self._kept])
        counts = to_device(sizes, self._device)
        outputs = torch.cat([outputs for _, outputs, _ in self._kept])
        labels = torch.cat([labels for _, _, labels in self._kept])
        self._kept.clear()
        score = self.task.score(outputs, labels) if self._scored else losses.new_zeros(())
        loss = (losses.to(self._sums.dtype) * counts).sum()
        self._sums += torch.stack([counts.sum().to(loss), loss, score.to(loss)])

    def counters(self) -> Tensor:
        """The sums that are added over the processes of distributed training."""
        self._flush()
        return self._sums

    def metrics(self) -> dict[str, float]:
        self._flush()
        count, loss, score = self._sums.tolist()
        if not count:
            return {}
        return {"loss": loss / count} | {
            name: score / count for name in (self.task.running,) if name != "loss"
        }

    def reset(self) -> None:
        self._kept.clear()
        self._sums = self._zeros()

    def mark(self) -> Mark:
        """What there is until now, to go back to."""
        return [*self._kept], self._sums.clone()

    def go_back(self, mark: Mark) -> None:
        self._kept, self._sums = [*mark[0]], mark[1].clone()

    def state(self) -> dict[str, Any]:
        self._flush()
        return {"sums": self._sums.cpu()}

    def restore(self, state: dict[str, Any]) -> None:
        self._kept.clear()
        self._sums = state["sums"].to(self._sums, copy=True)
