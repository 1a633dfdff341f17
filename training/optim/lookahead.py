"""Lookahead (`lookahead 5 keep=0.5`): fast weights that return to a slow average of themselves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.plan.train import Lookahead


class SlowWeights:
    """The slow weights of a module. Running statistics of norms are averaged as well, since they
    have to fit the weights."""

    def __init__(self, module: nn.Module, directive: Lookahead, total: int) -> None:
        self.directive = directive
        self.total = total
        """The number of steps of the whole run."""
        state = module.state_dict()
        self._fast: dict[str, Tensor] = {
            name: value for name, value in state.items() if value.is_floating_point()
        }
        self._slow = {name: value.clone() for name, value in self._fast.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Called after each step, which are counted from 1. A run ends with the slow weights."""
        slow, fast = list(self._slow.values()), list(self._fast.values())
        if step % self.directive.every == 0:
            keep = self.directive.keep * min(1.0, step / self.total) ** self.directive.rise
            torch._foreach_lerp_(slow, fast, 1 - keep)
        elif step != self.total:
            return
        torch._foreach_copy_(fast, slow)

    def state(self) -> dict[str, Any]:
        return dict(self._slow)

    @torch.no_grad()
    def restore(self, state: dict[str, Any]) -> None:
        for name, slow in self._slow.items():
            slow.copy_(state[name])
