"""A network with all that it learns with: made from a plan, written down, and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..compiler.graph import Network
from ..compiler.plan.plan import TrainPlan
from .average import Average
from .data.balance import class_weights
from .data.opening import Opened
from .losses import LossFunction, loss_function, mean_one, with_aux
from .numerics import Numbers
from .optimizers import make_optimizer, parameter_groups, rate_of
from .schedules import Length, Rates
from .stopping import Patience


@dataclass
class Learner:
    """Everything that changes while a network learns."""

    network: Network
    plan: TrainPlan
    module: nn.Module
    forward: Callable[[Tensor], Any]
    """The module, or what stands around it: compiled, or one of several processes. Gives logits;
    with auxiliary heads, a tuple of them and theirs."""
    criterion: Callable[[Any, Tensor], Tensor]
    optimizer: torch.optim.Optimizer
    rates: Rates
    numbers: Numbers
    device: torch.device
    scaler: torch.amp.GradScaler | None
    average: Average | None
    patience: Patience | None
    parameters: list[nn.Parameter] = field(repr=False)
    """Those that learn."""

    @property
    def evaluated(self) -> nn.Module:
        """What is evaluated and kept: the averages, where there are some."""
        return self.average.module if self.average else self.module

    def weights(self) -> dict[str, Tensor]:
        return self.evaluated.state_dict()

    def state(self) -> dict[str, Any]:
        """As it goes into a checkpoint."""
        plateau = self.rates.plateau
        return {
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "average": self.average.state() if self.average else None,
            "plateau": plateau.state() if plateau else None,
            "patience": self.patience.state() if self.patience else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scaler and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        for part, name in (
            (self.average, "average"),
            (self.rates.plateau, "plateau"),
            (self.patience, "patience"),
        ):
            if part is not None and state[name] is not None:
                part.restore(state[name])


def criterion_of(network: Network, plan: TrainPlan, opened: Opened) -> Callable[..., Tensor]:
    """The loss of a network's outputs, auxiliary heads and weights of classes included."""
    weights = class_weights(plan.train.weights, opened.dataset)
    weights = mean_one(weights, opened.dataset.train.counts)
    function: LossFunction = loss_function(
        plan.train.loss, None if weights is None else weights.to(opened.device)
    )
    return with_aux(function, [head.weight for head in network.aux])


def make_learner(
    network: Network,
    module: nn.Module,
    plan: TrainPlan,
    criterion: Callable[..., Tensor],
    numbers: Numbers,
    device: torch.device,
    steps: int,
    wrap: Callable[[nn.Module], Callable[[Tensor], Any]] | None = None,
    factors: dict[str, float] | None = None,
) -> Learner:
    """`steps` are those of an epoch; the module is on the device already. `wrap` puts something
    around it for learning; `factors` are those of learning rates, by the names of parameters."""
    train = plan.train
    groups = parameter_groups(module, train.optimizer, factors)
    learning = [parameter for group in groups for parameter in group["params"]]
    forward: Callable[[Tensor], Any] = module
    if train.compile.on:
        forward = torch.compile(module)
    if wrap is not None:
        forward = wrap(forward)  # type: ignore[arg-type]
    return Learner(
        network,
        plan,
        module,
        forward,
        criterion,
        make_optimizer(train.optimizer, groups, device),
        Rates(train.schedule, rate_of(train.optimizer), Length(train.epochs.count, steps)),
        numbers,
        device,
        torch.amp.GradScaler(device.type) if numbers.dtype == torch.float16 else None,
        Average(module, train.ema.decay) if train.ema else None,
        Patience(train.early_stop) if train.early_stop else None,
        learning,
    )
