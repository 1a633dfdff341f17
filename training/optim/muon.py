"""The Muon optimizer (`optimizer muon lr=0.02`): steps of hidden layers are orthogonalized.

The weights of a hidden layer are a matrix: its outputs times its inputs, where a convolution has
its channels and its kernel flattened into one axis. (A grouped convolution is one matrix for each
group.) The averaged gradient of a matrix is replaced by the nearest matrix whose singular values
are all about 1. All other weights are trained by AdamW, at a learning rate of their own. Which
layers are hidden, the graph of the network says (compiler/analysis/hidden.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

BLOCKS = "blocks"
"""In a parameter group: the number of matrices that each weight consists of; 0 for AdamW."""

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial a x + b x^3 + c x^5, by which small singular values grow fastest. Its limit is
not 1 but a range around it, which has no effect on what networks learn."""

_EPS = 1e-7


class Muon(torch.optim.Optimizer):
    """MomentUm Orthogonalized by Newton-Schulz (Jordan et al., 2024)."""

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        steps: int,
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "nesterov": nesterov, "steps": steps, "betas": betas,
            "eps": eps, "weight_decay": 0.0, BLOCKS: 0,
        }  # fmt: skip
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights and group[BLOCKS]:
                self._matrices(group, weights)
            elif weights:
                self._adamw(group, weights)

    def _matrices(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        if group["weight_decay"]:
            torch._foreach_mul_(weights, 1 - lr * group["weight_decay"])
        together: dict[tuple[int, int], list[Tensor]] = {}
        for weight in weights:
            size = len(weight) // group[BLOCKS], weight[0].numel()
            together.setdefault(size, []).append(weight)
        for (rows, columns), some in together.items():
            gradients = _gradients(some)
            averages = [self._state(weight, "momentum_buffer") for weight in some]
            torch._foreach_lerp_(averages, gradients, 1 - momentum)
            steps: Sequence[Tensor] = averages
            if group["nesterov"]:
                steps = torch._foreach_lerp(gradients, averages, momentum)
            matrices = torch.cat([step.reshape(group[BLOCKS], rows, columns) for step in steps])
            del steps
            orthogonal = orthogonalized(matrices, group["steps"])
            changes = [
                change.reshape(weight.shape).to(weight.dtype)
                for change, weight in zip(torch.split(orthogonal, group[BLOCKS]), some, strict=True)
            ]
            torch._foreach_add_(some, changes, alpha=-lr * max(1.0, rows / columns) ** 0.5)

    def _adamw(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        for weight in weights:
            self.state[weight].setdefault("step", torch.tensor(0.0))
        adamw(
            weights,
            _gradients(weights),
            [self._state(weight, "exp_avg") for weight in weights],
            [self._state(weight, "exp_avg_sq") for weight in weights],
            [],
            [self.state[weight]["step"] for weight in weights],
            foreach=weights[0].is_cuda,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )

    def _state(self, weight: Tensor, name: str) -> Tensor:
        state = self.state[weight]
        if name not in state:
            state[name] = torch.zeros_like(weight, memory_format=torch.preserve_format)
        return state[name]  # type: ignore[no-any-return]


def _gradients(weights: list[Tensor]) -> list[Tensor]:
    return [weight.grad for weight in weights if weight.grad is not None]


def orthogonalized(matrices: Tensor, steps: int, dtype: torch.dtype | None = None) -> Tensor:
    """Matrices (N x rows x columns) with their singular values brought to about 1, by iterations of
    Newton and Schulz. On a GPU they are computed in bfloat16, which is accurate enough."""
    a, b, c = COEFFICIENTS
    x = matrices.to(dtype or (torch.bfloat16 if matrices.is_cuda else torch.float32))
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    # The largest singular value is at most the Frobenius norm.
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_EPS)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
