"""The Muon optimizer (`optimizer muon lr=0.02`): steps of hidden layers are orthogonalized.

The weights of a hidden layer are a matrix: its outputs times its inputs, where a convolution has
its channels and its kernel flattened into one axis. (A grouped convolution is one matrix for each
group.) The averaged gradient of a matrix is replaced by the nearest matrix whose singular values
are all about 1. All other weights are trained by AdamW, at a learning rate of their own. Which
layers are hidden, the graph of the network says (compiler/analysis/hidden.py).

Like the fused optimizers of torch, it can leave out a step whose gradients are infinite or NaN, as
float16 often has them, without the program knowing: that is decided on the GPU.
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
        fused: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "nesterov": nesterov, "steps": steps, "betas": betas,
            "eps": eps, "weight_decay": 0.0, BLOCKS: 0, "fused": fused,
        }  # fmt: skip
        super().__init__(groups, defaults)
        # Read by torch.amp.GradScaler, which then sets `grad_scale` and `found_inf`.
        self._step_supports_amp_scaling = fused

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        scale: Tensor | None = getattr(self, "grad_scale", None)
        skip: Tensor | None = getattr(self, "found_inf", None)
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights and scale is not None:
                torch._foreach_div_(_gradients(weights), scale)
            if weights and group[BLOCKS]:
                self._matrices(group, weights, skip)
            elif weights:
                self._adamw(group, weights, skip)

    def _matrices(self, group: dict[str, Any], weights: list[Tensor], skip: Tensor | None) -> None:
        lr, momentum = group["lr"], group["momentum"]
        if group["weight_decay"]:
            made = 1 if skip is None else 1 - skip
            torch._foreach_mul_(weights, 1 - lr * group["weight_decay"] * made)
        together: dict[tuple[int, int], list[Tensor]] = {}
        for weight in weights:
            size = len(weight) // group[BLOCKS], weight[0].numel()
            together.setdefault(size, []).append(weight)
        for (rows, columns), some in together.items():
            gradients = _gradients(some)
            averages = [self._state(weight, "momentum_buffer") for weight in some]
            _average(averages, gradients, momentum, skip)
            steps: Sequence[Tensor] = averages
            if group["nesterov"]:
                steps = torch._foreach_lerp(gradients, averages, momentum)
            matrices = torch.cat([step.reshape(group[BLOCKS], rows, columns) for step in steps])
            del steps
            orthogonal = orthogonalized(matrices, group["steps"])
            changes = [
                torch.empty_like(weight).copy_(change.reshape(weight.shape))
                for change, weight in zip(torch.split(orthogonal, group[BLOCKS]), some, strict=True)
            ]
            _subtract(some, changes, lr * max(1.0, rows / columns) ** 0.5, skip)

    def _adamw(self, group: dict[str, Any], weights: list[Tensor], skip: Tensor | None) -> None:
        for weight in weights:
            device = weight.device if group["fused"] else None
            self.state[weight].setdefault("step", torch.tensor(0.0, device=device))
        adamw(
            weights,
            _gradients(weights),
            [self._state(weight, "exp_avg") for weight in weights],
            [self._state(weight, "exp_avg_sq") for weight in weights],
            [],
            [self.state[weight]["step"] for weight in weights],
            foreach=False,
            fused=group["fused"],
            found_inf=skip,
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


def _average(
    averages: list[Tensor], gradients: list[Tensor], momentum: float, skip: Tensor | None
) -> None:
    """Moves averages towards gradients, unless `skip` is 1."""
    if skip is None:
        torch._foreach_lerp_(averages, gradients, 1 - momentum)
        return
    # With this dampening, the momentum of SGD is such an average; and with lr=0, what it takes for
    # weights stays as it is. On a CPU, it has no momentum if that is 0.
    momentum = momentum or torch.finfo(torch.float32).tiny
    torch._fused_sgd_(
        gradients, gradients, averages, weight_decay=0.0, momentum=momentum, lr=0.0,
        dampening=momentum, nesterov=False, maximize=False, is_first_step=False, found_inf=skip,
    )  # fmt: skip


def _subtract(
    weights: list[Tensor], changes: list[Tensor], rate: float, skip: Tensor | None
) -> None:
    """Subtracts changes, times the rate, unless `skip` is 1."""
    if skip is None:
        torch._foreach_add_(weights, changes, alpha=-rate)
        return
    torch._fused_sgd_(
        weights, changes, [], weight_decay=0.0, momentum=0.0, lr=rate, dampening=0.0,
        nesterov=False, maximize=False, is_first_step=False, found_inf=skip,
    )  # fmt: skip


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
