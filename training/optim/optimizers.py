"""`optimizer sgd lr=0.05 momentum=0.9` as torch's own optimizer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ...compiler.plan.optimizer import Adam, AdamW, Optimizer, RmsProp, Sgd

_PRODUCTS = (nn.modules.conv._ConvNd, nn.Linear)
"""Layers whose weights decay; norms, biases, scales and slopes do not."""


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
    `since` are the epochs in which parameters are unfrozen: torch wants all of a group to start
    together. The order is always the same.
    """
    groups: dict[tuple[float, bool, int], dict[str, Any]] = {}
    for name, parameter, decays in _learning(module):
        factor = (factors or {}).get(name, 1.0)
        decay = directive.arguments["weight_decay"] if decays or directive.decay_all else 0.0
        decay = 0.0 if name in anchored else decay
        group = groups.setdefault(
            (factor, bool(decay), (since or {}).get(name, 1)),
            {"params": [], "weight_decay": decay, "factor": factor},
        )
        group["params"].append(parameter)
    return list(groups.values())


def _learning(module: nn.Module) -> Iterator[tuple[str, nn.Parameter, bool]]:
    """Names, parameters, and whether they decay; shared parameters come once."""
    seen: set[nn.Parameter] = set()
    for prefix, part in module.named_modules():
        for name, parameter in part.named_parameters(prefix, recurse=False):
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                yield name, parameter, isinstance(part, _PRODUCTS) and name.endswith("weight")


def make_optimizer(
    directive: Optimizer, groups: list[dict[str, Any]], device: torch.device
) -> torch.optim.Optimizer:
    """torch's own optimizer, fused where torch has that."""
    fused = device.type in ("cpu", "cuda") and bool(groups)
    match directive:
        case Sgd():
            return torch.optim.SGD(
                groups,
                lr=directive.lr,
                momentum=directive.momentum,
                dampening=directive.dampening,
                nesterov=directive.nesterov,
                fused=fused,
            )
        case Adam() | AdamW():
            kind = torch.optim.AdamW if isinstance(directive, AdamW) else torch.optim.Adam
            return kind(
                groups,
                lr=directive.lr,
                betas=directive.betas,
                eps=directive.eps,
                amsgrad=directive.amsgrad,
                fused=fused,
            )
        case RmsProp():
            return torch.optim.RMSprop(
                groups,
                lr=directive.lr,
                alpha=directive.alpha,
                eps=directive.eps,
                momentum=directive.momentum,
                centered=directive.centered,
            )
    raise AssertionError(directive.word)


def rate_of(directive: Optimizer) -> float:
    """The base learning rate of a plan."""
    return float(directive.arguments["lr"])


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of the next step, times each group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
