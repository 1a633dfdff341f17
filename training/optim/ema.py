"""`ema 0.999`: averages of the weights over the last steps, in a network of their own."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """The averages; statistics of norms are averaged, too, and whole numbers are those of now."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.steps = 0
        theirs, ours = module.state_dict(), self.module.state_dict()
        pairs = [(ours[key], theirs[key]) for key in ours]
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """After each step. At first less is kept than `decay` says: else the weights of the very
        beginning, which are random, would be in the average for long."""
        self.steps += 1
        kept = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages: list[Tensor] = [ours for ours, _ in self._averaged]
        torch._foreach_lerp_(averages, [theirs for _, theirs in self._averaged], 1 - kept)
        for ours, theirs in self._copied:
            ours.copy_(theirs)

    def state(self) -> dict[str, Any]:
        return {"steps": self.steps, "weights": self.module.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.steps = int(state["steps"])
        self.module.load_state_dict(state["weights"])
