"""L2-SP (`l2 0.01`): decay towards the pretrained weights (Li et al., arXiv:1802.01483).

The loss gets strength/2 times the squared distance; its gradient is added here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn


class Anchor:
    """The starting values of the parameters, and the pull towards them. `transferred` has the names
    of the parameters that were loaded from pretrained weights."""

    def __init__(self, module: nn.Module, transferred: Collection[str], strength: float) -> None:
        self.strength = strength
        self.names = tuple(
            name
            for name, parameter in module.named_parameters()
            if name in transferred and parameter.requires_grad
        )
        known = dict(module.named_parameters())
        self._weights = [known[name] for name in self.names]
        self._start = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def pull(self) -> None:
        """Adds the gradient; called before a step, after the backward pass."""
        trained = [
            (weight.grad, weight, start)
            for weight, start in zip(self._weights, self._start, strict=True)
            if weight.grad is not None
        ]
        if trained:
            gradients, weights, starts = (list(each) for each in zip(*trained, strict=True))
            torch._foreach_add_(gradients, torch._foreach_sub(weights, starts), alpha=self.strength)

    def state(self) -> dict[str, Tensor]:
        return dict(zip(self.names, self._start, strict=True))

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, start in zip(self.names, self._start, strict=True):
            start.copy_(state[name])
