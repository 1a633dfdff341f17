"""Optimizers (`optimizer sgd lr=0.05 momentum=0.9`), parameter groups, and their saved state."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.plan import optimizer as plans
from ...compiler.plan.optimizer import Optimizer
from .muon import BLOCKS, Muon

_DECAYING = (nn.modules.conv._ConvNd, nn.Linear)
"""Layers whose weights decay; norms, biases, scales and slopes do not."""

_OF_GROUPS = ("weight_decay", "decay_all", "norm_lr", "adamw_lr")
"""Arguments that are set for each parameter group, not for the optimizer."""


def parameter_groups(
    module: nn.Module,
    directive: Optimizer,
    factors: Mapping[str, float] | None = None,
    anchored: Collection[str] = (),
    since: Mapping[str, int] | None = None,
    hidden: Collection[str] = (),
    norms: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Trainable parameters, grouped by weight decay and learning-rate factor.

    `factors` are by parameter name, 1 for the rest; each group keeps its own as `factor`.
    `anchored` parameters are pulled towards their starting values (L2-SP) and do not decay.
    `since` has the epoch in which each parameter is unfrozen, because torch needs all parameters of
    a group to start together. `hidden` are those that Muon trains itself, `norms` those of
    normalization layers. The order is deterministic.
    """
    groups: dict[tuple[float, float, int, int], dict[str, Any]] = {}
    muon = isinstance(directive, plans.Muon)
    for name, parameter, part in _trainable(module):
        factor = (factors or {}).get(name, 1.0)
        decays = isinstance(part, _DECAYING) and name.endswith("weight")
        decay = directive.arguments.get("weight_decay", 0.0)
        decay = decay if decays or directive.decay_all else 0.0
        decay = 0.0 if name in anchored else decay
        if directive.norm_lr is not None and name in norms:
            factor *= directive.norm_lr
            decay /= directive.norm_lr or 1.0  # torch multiplies it by the learning rate
        blocks = int(getattr(part, "groups", 1)) if muon and name in hidden else 0
        if isinstance(directive, plans.Muon) and not blocks:
            factor *= directive.adamw_lr
        group = groups.setdefault(
            (factor, decay, (since or {}).get(name, 1), blocks),
            {"params": [], "weight_decay": decay, "factor": factor}
            | ({BLOCKS: blocks} if muon else {}),
        )
        group["params"].append(parameter)
    return list(groups.values())


def _trainable(module: nn.Module) -> Iterator[tuple[str, nn.Parameter, nn.Module]]:
    """The name of each trainable parameter, the parameter, and the layer that it belongs to; a
    shared parameter comes only once."""
    seen: set[nn.Parameter] = set()
    for prefix, part in module.named_modules():
        for name, parameter in part.named_parameters(prefix, recurse=False):
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                yield name, parameter, part


def make_optimizer(
    directive: Optimizer, groups: list[dict[str, Any]], device: torch.device
) -> torch.optim.Optimizer:
    """An optimizer of torch, in its fused implementation if there is one, or of a plug-in."""
    if directive.own:
        return _of_plugin(directive, groups)
    kind: Any = (
        Muon if isinstance(directive, plans.Muon) else getattr(torch.optim, directive.torch_name)
    )
    arguments = {k: v for k, v in directive.arguments.items() if k not in _OF_GROUPS}
    if "fused" in inspect.signature(kind).parameters:
        arguments["fused"] = device.type in ("cpu", "cuda") and bool(groups)
    made: torch.optim.Optimizer = kind(groups, **arguments)
    return made


def _of_plugin(directive: Optimizer, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Raises TypeError if it is not an optimizer of torch, or has other groups of parameters: the
    learning rate is set in them."""
    made = directive.make_optimizer(groups)
    if not isinstance(made, torch.optim.Optimizer):
        raise TypeError(
            f"`make_optimizer` of `{directive.word}` returns {type(made).__name__}, which is not a"
            " torch.optim.Optimizer"
        )
    if [len(group["params"]) for group in made.param_groups] != [len(g["params"]) for g in groups]:
        raise TypeError(
            f"the optimizer of `{directive.word}` has other groups than those that it was given:"
            " pass them on as they are"
        )
    return made


def slow_with_fp16(directive: Optimizer, optimizer: torch.optim.Optimizer) -> str:
    """A note for training in fp16 on a GPU, where gradients are scaled and may be infinite: an
    optimizer that cannot leave out a step there makes the program wait. "" for any other."""
    if _may_leave_out(optimizer):
        return ""
    return (
        f"with fp16, each step of `{directive.word}` waits for the GPU, to see whether its"
        " gradients are finite; with bf16, or another optimizer, it does not"
    )


def _may_leave_out(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the optimizer can leave out a step on the device (`found_inf`)."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


@torch.no_grad()
def step_unless(optimizer: torch.optim.Optimizer, skip: Tensor) -> None:
    """Makes a step, but changes no weight if `skip`, a tensor on the device, is true. The program
    need not know, and does not wait to know.

    Fused optimizers can leave a step out on the device, for the sake of loss scaling. Of any other,
    the changes that it makes are taken back, and subtracted by one that can: `sgd`.
    """
    found_inf = skip.to(torch.float32)
    if _may_leave_out(optimizer):
        optimizer.found_inf = found_inf  # type: ignore[attr-defined]
        optimizer.step()
        return
    weights = [
        weight
        for group in optimizer.param_groups
        for weight in group["params"]
        if weight.grad is not None
    ]
    before = torch._foreach_add(weights, 0)  # copies, in few launches
    optimizer.step()
    changes = torch._foreach_sub(before, weights)
    torch._foreach_copy_(weights, before)
    torch._fused_sgd_(
        weights, changes, [], weight_decay=0.0, momentum=0.0, lr=1.0, dampening=0.0,
        nesterov=False, maximize=False, is_first_step=False, found_inf=found_inf,
    )  # fmt: skip


@torch.no_grad()
def state_before(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """Keeps the weights and the state of an optimizer in main memory; returns a function that puts
    them back. State that the optimizer has allocated meanwhile is freed by it."""
    weights = [
        (weight, _kept(weight)) for group in optimizer.param_groups for weight in group["params"]
    ]
    states = {
        weight: {name: (value, _kept(value)) for name, value in state.items()}
        for weight, state in optimizer.state.items()
    }

    @torch.no_grad()
    def put_back() -> None:
        optimizer.state.clear()
        for weight, state in states.items():
            optimizer.state[weight] = {name: _restored(*pair) for name, pair in state.items()}
        for weight, kept in weights:
            weight.copy_(kept)

    return put_back


def _kept(value: Any) -> Any:
    return value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else value


def _restored(value: Any, kept: Any) -> Any:
    return value.copy_(kept) if isinstance(value, Tensor) else kept


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
    if not _is_known(optimizer):  # that of a plug-in knows itself
        optimizer.load_state_dict({"state": saved["state"], "param_groups": groups})
        return
    needed_by = [_needed(optimizer, group) for group in groups for _ in group["params"]]
    for index, state in saved["state"].items():
        if not 0 <= index < len(parameters):
            raise ValueError("the optimizer has other parameters")
        shape, needed = parameters[index].shape, needed_by[index]
        tensors = {name: one for name, one in state.items() if isinstance(one, Tensor) and one.ndim}
        same = all(one.shape == shape and one.is_floating_point() for one in tensors.values())
        missing = [name for name in needed if state and name not in tensors and shape]
        counted = bool(needed) and needed != ("momentum_buffer",)
        if not same or missing or (counted and state and "step" not in state):
            raise ValueError("the state is that of another optimizer")
    own = {index: _own(state, parameters[index]) for index, state in saved["state"].items()}
    optimizer.load_state_dict({"state": own, "param_groups": groups})


def _own(state: Mapping[str, Any], parameter: Tensor) -> dict[str, Any]:
    """A state with copies of the tensors that the optimizer would otherwise use as they are. They
    may be part of a file, from which large tensors are copied to a GPU without a copy between."""
    return {
        name: one.clone()
        if isinstance(one, Tensor) and not (parameter.is_cuda and one.ndim)
        else one
        for name, one in state.items()
    }


def _is_known(optimizer: torch.optim.Optimizer) -> bool:
    kind = type(optimizer)
    return kind is Muon or (kind.__name__ in _NEEDED and kind.__module__.startswith("torch."))


def _needed(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> tuple[str, ...]:
    """The state that each parameter of a group has after the first step."""
    kind = type(optimizer).__name__
    if kind == "Muon":
        return ("momentum_buffer",) if group[BLOCKS] else _NEEDED["AdamW"]
    moving = kind == "RMSprop" and group.get("momentum")
    return _NEEDED[kind] + (("momentum_buffer",) if moving else ())
