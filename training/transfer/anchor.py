"""`l2 0.01`: weights drawn back to where they began, not to zero (Li et al., arXiv:1802.01483).

The loss gets strength/2 times the squared distance; what is added here is its gradient.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn


class Anchor:
    """`taken` are the parameters, by name, that came from somebody."""

    def __init__(self, module: nn.Module, taken: Collection[str], strength: float) -> None:
        self.strength = strength
        self.names = tuple(
            name
            for name, parameter in module.named_parameters()
            if name in taken and parameter.requires_grad
        )
        known = dict(module.named_parameters())
        self._weights = [known[name] for name in self.names]
        self._began = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def pull(self) -> None:
        """Before a step, when the gradients are there."""
        for weight, began in zip(self._weights, self._began, strict=True):
            if weight.grad is not None:
                weight.grad.add_(weight - began, alpha=self.strength)

    def state(self) -> dict[str, Tensor]:
        return dict(zip(self.names, self._began, strict=True))

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, began in zip(self.names, self._began, strict=True):
            began.copy_(state[name])
