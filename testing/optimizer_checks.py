"""An optimizer and a schedule: what training asks of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..compiler.plan.directive import Directive
from ..compiler.plan.optimizer import Optimizer
from ..compiler.plan.schedule import Schedule
from ..training.optim.optimizers import make_optimizer, parameter_groups, set_rate
from .as_plugin import refusal
from .built import values
from .checked import Checked

STEPS = 60
Kind = TypeVar("Kind", bound=Directive)


def _variants(kind: type[Kind], *left_out: str) -> Iterator[Kind]:
    """The usual arguments, and each other value that is known of one."""
    needed = {field.name: values(field)[0] for field in kind.needed()}
    yield kind(**needed)
    for name, field in kind.fields.items():
        if name not in left_out:
            for value in values(field)[1:3]:
                yield kind(**{**needed, name: value})


def check_optimizer(kind: type[Optimizer], seed: int) -> Checked:
    checked = Checked()
    refused = refusal(kind)
    if refused:
        checked.failures.append(refused)
        return checked
    for directive in _variants(kind, "lr", "decay_all", "norm_lr"):
        try:
            _check(checked, directive, seed)
        except Exception as error:
            checked.failures.append(f"`{directive}` fails: {type(error).__name__}: {error}")
    return checked


class _Training:
    """A layer that learns the numbers that another one has."""

    def __init__(self, directive: Optimizer, seed: int) -> None:
        torch.manual_seed(seed)
        self.module = nn.Linear(4, 4)
        self.inputs = torch.randn(64, 4)
        self.goals = self.inputs @ torch.randn(4, 4)
        groups = parameter_groups(self.module, directive)
        self.optimizer = make_optimizer(directive, groups, torch.device("cpu"))

    def loss(self) -> Tensor:
        loss: Tensor = (self.module(self.inputs) - self.goals).square().mean()
        return loss

    def steps(self, count: int, rate: float) -> list[Tensor]:
        for _ in range(count):
            set_rate(self.optimizer, rate)
            self.optimizer.zero_grad()
            torch.autograd.backward(self.loss())
            self.optimizer.step()
        return [weight.detach().clone() for weight in self.module.parameters()]


def _check(checked: Checked, directive: Optimizer, seed: int) -> None:
    training, of = _Training(directive, seed), f"`{directive}`"
    before, start = float(training.loss().detach()), training.steps(0, 0.0)
    still = training.steps(2, 0.0)
    checked.that(
        all(map(torch.equal, start, still)),
        f'{of} changes weights where the learning rate is 0: it has to use `group["lr"]`, which is'
        " set before each step",
    )
    rate = directive.lr
    half = training.steps(STEPS // 2, rate)
    saved = deepcopy((training.module.state_dict(), training.optimizer.state_dict()))
    whole = training.steps(STEPS // 2, rate)
    after = float(training.loss().detach())
    checked.that(
        not any(map(torch.equal, start, half)), f"{of} leaves weights as they are in {STEPS} steps"
    )
    checked.that(
        math.isfinite(after) and after < before,
        f"{of} does not make the loss smaller: {before:.4g} before {STEPS} steps with its usual"
        f" rate, {after:.4g} after them",
    )
    again = _Training(directive, seed)
    again.module.load_state_dict(saved[0])
    again.optimizer.load_state_dict(saved[1])
    checked.that(
        all(map(torch.equal, whole, again.steps(STEPS // 2, rate))),
        f"{of} goes on otherwise from its saved state: all that it keeps has to be in `self.state`",
    )
    kept = [
        sum(value.numel() for value in state.values() if isinstance(value, Tensor) and value.ndim)
        / weight.numel()
        for weight, state in training.optimizer.state.items()
    ]
    most = max(kept, default=0.0)
    checked.that(
        most <= directive.memory.state,
        f"{of} keeps {most:g} numbers for each weight, and says `state = {directive.memory.state}`",
    )


def check_schedule(kind: type[Schedule]) -> Checked:
    checked = Checked()
    refused = refusal(kind)
    if refused:
        checked.failures.append(refused)
        return checked
    for directive in _variants(kind, "warmup"):
        try:
            factors = [_factors(directive) for _ in range(2)]
        except Exception as error:
            checked.failures.append(f"`{directive}` fails: {type(error).__name__}: {error}")
            continue
        low, high = min(factors[0]), max(factors[0])
        checked.that(
            all(map(math.isfinite, factors[0])) and low >= 0,
            f"the factors of `{directive}` are {low:.4g} to {high:.4g}, and have to be at least 0",
        )
        checked.that(high > 0, f"the factors of `{directive}` are 0 throughout")
        checked.that(
            factors[0] == factors[1],
            f"`{directive}` gives other factors when it is asked again: a run that is resumed would"
            " have other rates",
        )
    return checked


def _factors(schedule: Schedule) -> list[float]:
    """Of a training of ten epochs."""
    return [float(schedule.share_of_rate(at / 100, at / 10)) for at in range(101)]
