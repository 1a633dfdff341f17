"""Optimizers (`optimizer sgd lr=0.05 momentum=0.9`), parameter groups, and their saved state."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.plan.optimizer import Optimizer

_DECAYING = (nn.modules.conv._ConvNd, nn.Linear)
"""Layers whose weights decay; norms, biases, scales and slopes do not."""

_OF_GROUPS = ("weight_decay", "decay_all")
"""Arguments that are set for each parameter group, not for the optimizer."""


def parameter_groups(
    module: nn.Module,
    directive: Optimizer,
    factors: Mapping[str, float] | None = None,
    anchored: Collection[str] = (),
    since: Mapping[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Trainable parameters, grouped by weight decay and learning-rate factor.

    `factors` are by parameter name, 1 for the rest; each group keeps its own as `factor`.
    `anchored` parameters are pulled towards their starting values (L2-SP) and do not decay.
    `since` has the epoch in which each parameter is unfrozen, because torch needs all parameters of
    a group to start together. The order is deterministic.
    """
    groups: dict[tuple[float, bool, int], dict[str, Any]] = {}
    for name, parameter, decays in _trainable(module):
        factor = (factors or {}).get(name, 1.0)
        decay = directive.arguments["weight_decay"] if decays or directive.decay_all else 0.0
        decay = 0.0 if name in anchored else decay
        group = groups.setdefault(
            (factor, bool(decay), (since or {}).get(name, 1)),
            {"params": [], "weight_decay": decay, "factor": factor},
        )
        group["params"].append(parameter)
    return list(groups.values())


def _trainable(module: nn.Module) -> Iterator[tuple[str, nn.Parameter, bool]]:
    """The name of each trainable parameter, the parameter, and whether it decays; a shared
    parameter comes only once."""
    seen: set[nn.Parameter] = set()
    for prefix, part in module.named_modules():
        for name, parameter in part.named_parameters(prefix, recurse=False):
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                yield name, parameter, isinstance(part, _DECAYING) and name.endswith("weight")


def make_optimizer(
    directive: Optimizer, groups: list[dict[str, Any]], device: torch.device
) -> torch.optim.Optimizer:
    """An optimizer of torch, in its fused implementation if there is one."""
    kind: type[torch.optim.Optimizer] = getattr(torch.optim, directive.torch_name)
    arguments = {k: v for k, v in directive.arguments.items() if k not in _OF_GROUPS}
    if "fused" in inspect.signature(kind).parameters:
        arguments["fused"] = device.type in ("cpu", "cuda") and bool(groups)
    return kind(groups, **arguments)


def rate_of(directive: Optimizer) -> float:
    """The base learning rate of a plan."""
    return float(directive.arguments["lr"])


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of the next step, times each group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


_NEEDED = {
    "Adam": ("exp_avg", "exp_avg_sq"), "AdamW": ("exp_avg", "exp_avg_sq"),
    "RMSprop": ("square_avg",), "SGD": (),
}  # fmt: skip
"""The state of each optimizer for a parameter after the first step, besides `step` and momentum."""


def restore_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]) -> None:
    """Restores the optimizer's state for each parameter from a checkpoint; learning rates and all
    other options remain those of the plan. Raises ValueError for the state of another optimizer or
    network."""
    groups = optimizer.state_dict()["param_groups"]
    sizes = [len(group["params"]) for group in groups]
    if sizes != [len(group["params"]) for group in saved["param_groups"]]:
        raise ValueError("the optimizer has other parameter groups")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moving = any(group.get("momentum") for group in groups)
    kind = type(optimizer).__name__
    needed = _NEEDED[kind] + (("momentum_buffer",) if moving and kind == "RMSprop" else ())
    for index, state in saved["state"].items():
        if not 0 <= index < len(parameters):
            raise ValueError("the optimizer has other parameters")
        shape = parameters[index].shape
        tensors = {name: one for name, one in state.items() if isinstance(one, Tensor) and one.ndim}
        same = all(one.shape == shape and one.is_floating_point() for one in tensors.values())
        missing = [name for name in needed if state and name not in tensors and shape]
        if not same or missing or (needed and state and "step" not in state):
            raise ValueError("the state is that of another optimizer")
    optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
