"""The networks of an ensemble as one module, which averages their answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..tasks.task import Task


class EnsembleModule(nn.Module):
    """An ensemble as a module: its outputs give the averaged answers of its networks."""

    def __init__(self, members: Sequence[nn.Module], task: Task) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.task = task
        self.answers: Tensor | None = None
        """The outputs of each network for the last batch: networks x images x …."""

    def forward(self, images: Tensor) -> Tensor:
        outputs = torch.stack([self.task.packed(member(images)).float() for member in self.members])
        self.answers = outputs
        return self.task.averaged(outputs)
