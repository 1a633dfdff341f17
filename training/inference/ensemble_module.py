"""The networks of an ensemble as one module, which averages their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class EnsembleModule(nn.Module):
    """An ensemble as a module: averages the probabilities of its networks and returns logits."""

    def __init__(self, members: Sequence[nn.Module], multi_label: bool) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.multi_label = multi_label
        self.answers: Tensor | None = None
        """The logits of each network for the last batch: networks x images x classes."""

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.stack([member(images).float() for member in self.members])
        self.answers = logits
        if self.multi_label:
            return logits.sigmoid().mean(0).logit(eps=1e-7)
        return logits.log_softmax(2).logsumexp(0) - math.log(len(self.members))
