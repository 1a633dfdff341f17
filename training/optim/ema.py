"""Exponential moving average of the weights (`ema 0.999`), in a copy of the network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """A copy of the module with averaged weights. Running statistics of norms are averaged as well;
    integers are copied."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.steps = 0
        trained, averaged = module.state_dict(), self.module.state_dict()
        pairs = [(averaged[key], trained[key]) for key in averaged]
        self._averaged = _columns([pair for pair in pairs if pair[0].is_floating_point()])
        self._copied = _columns([pair for pair in pairs if not pair[0].is_floating_point()])

    @torch.no_grad()
    def update(self) -> None:
        """Called after each step. The decay is smaller at the start, because otherwise the initial
        random weights would remain in the average for long."""
        self.steps += 1
        kept = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages, trained = self._averaged
        if averages:
            torch._foreach_lerp_(averages, trained, 1 - kept)
        copies, originals = self._copied
        if copies:
            torch._foreach_copy_(copies, originals)

    def state(self) -> dict[str, Any]:
        return {"steps": self.steps, "weights": self.module.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.steps = int(state["steps"])
        self.module.load_state_dict(state["weights"])


def _columns(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    """Pairs as two lists: one operation then takes all of them."""
    return [one for one, _ in pairs], [other for _, other in pairs]
