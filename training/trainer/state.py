"""The training state of a network: module, optimizer, learning rates, EMA; saved and restored."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.network import Network
from ...compiler.plan.plan import TrainPlan
from ..data.loader.class_weights import class_weights
from ..data.open import Opened
from ..optim.early_stopping import EarlyStopping
from ..optim.ema import Average
from ..optim.losses import LossFunction, loss_function, mean_one, with_aux
from ..optim.optimizers import make_optimizer, parameter_groups, rate_of, restore_optimizer
from ..optim.precision import Precision
from ..optim.schedules import Length, Rates
from ..transfer.anchor import Anchor
from ..transfer.freezing import Freezing, factors_of
from ..transfer.split_network import Cut


@dataclass(kw_only=True)
class Learner:
    """Everything that changes while a network is trained."""

    network: Network
    plan: TrainPlan
    module: nn.Module
    forward: Callable[[Tensor], Any]
    """The module, compiled or wrapped for several processes. Gives logits; with auxiliary heads, a
    tuple of the logits and those of each head."""
    criterion: Callable[[Any, Tensor], Tensor]
    optimizer: torch.optim.Optimizer
    rates: Rates
    precision: Precision
    device: torch.device
    scaler: torch.amp.GradScaler | None
    average: Average | None
    patience: EarlyStopping | None
    parameters: list[nn.Parameter] = field(repr=False)
    """Those that are trained in some epoch."""
    wrap: Callable[[Any], Any] | None = None
    """Wraps the module for training; again when other layers are trained than before."""
    freezing: Freezing | None = None
    """Which layers are frozen when; None where none ever is."""
    anchor: Anchor | None = None
    """The starting weights that L2-SP pulls towards."""
    cut: Cut | None = None
    """Where batches hold features of the frozen layers: the place at which these end."""

    @property
    def evaluated(self) -> nn.Module:
        """The module that is evaluated and saved: the average of weights (EMA), if there is one."""
        return self.average.module if self.average else self.module

    @property
    def trained_part(self) -> nn.Module:
        """What a training batch goes through: the module, or the part behind cached features."""
        return self.cut.late(self.module) if self.cut else self.module

    @property
    def evaluated_part(self) -> nn.Module:
        """The same of the module that is evaluated."""
        return self.cut.late(self.evaluated) if self.cut else self.evaluated

    def weights(self) -> dict[str, Tensor]:
        return self.evaluated.state_dict()

    def frozen_weights(self) -> dict[str, Tensor]:
        """The part of the module's state that never changes."""
        never = self.freezing.never(self.module) if self.freezing else ()
        state = self.module.state_dict()
        return {name: state[name] for name in never}

    def start_epoch(self, epoch: int) -> None:
        """From 0: layers that are trained get into training mode, frozen ones into evaluation."""
        self.module.train()
        if self.freezing and self.freezing.begin(self.module, epoch) and self.wrap:
            self.forward = self.wrap(self.trained_part)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        plateau = self.rates.plateau
        return {
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "average": self.average.state() if self.average else None,
            "plateau": plateau.state() if plateau else None,
            "patience": self.patience.state() if self.patience else None,
            "anchor": self.anchor.state() if self.anchor else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["model"])
        restore_optimizer(self.optimizer, state["optimizer"])
        if self.scaler and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        for part, name in (
            (self.average, "average"),
            (self.rates.plateau, "plateau"),
            (self.patience, "patience"),
            (self.anchor, "anchor"),
        ):
            if part is not None and state.get(name) is not None:
                part.restore(state[name])


def criterion_of(network: Network, plan: TrainPlan, opened: Opened) -> Callable[..., Tensor]:
    """The loss of a network's outputs, including auxiliary heads and class weights."""
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
    *,
    criterion: Callable[..., Tensor],
    precision: Precision,
    device: torch.device,
    steps_per_epoch: int,
    wrap: Callable[[Any], Any] | None = None,
    freezing: Freezing | None = None,
    transferred: Collection[str] = (),
    cut: Cut | None = None,
) -> Learner:
    """For a module that is on the device already. `transferred` names the weights that were loaded
    from elsewhere."""
    train = plan.train
    anchor: Anchor | None = None
    factors: dict[str, float] = {}
    since: dict[str, int] = {}
    if freezing is not None:
        freezing.ever(module)
        factors, since = factors_of(freezing.strategy, module), freezing.since(module)
        if freezing.strategy.strength:
            anchor = Anchor(module, transferred, freezing.strategy.strength)
    anchored = anchor.names if anchor else ()
    groups = parameter_groups(module, train.optimizer, factors, anchored, since)
    trainable = [parameter for group in groups for parameter in group["params"]]

    def wrapped(inner: Any) -> Any:
        compiled = torch.compile(inner) if train.compile.on else inner
        return wrap(compiled) if wrap is not None else compiled

    length = Length(train.epochs.count, steps_per_epoch)
    return Learner(
        network=network,
        plan=plan,
        module=module,
        forward=wrapped(cut.late(module) if cut else module),
        criterion=criterion,
        optimizer=make_optimizer(train.optimizer, groups, device),
        rates=Rates(train.schedule, rate_of(train.optimizer), length),
        precision=precision,
        device=device,
        scaler=torch.amp.GradScaler(device.type) if precision.dtype == torch.float16 else None,
        average=Average(module, train.ema.decay) if train.ema else None,
        patience=EarlyStopping(train.early_stop) if train.early_stop else None,
        parameters=trainable,
        wrap=wrapped,
        freezing=freezing,
        anchor=anchor,
        cut=cut,
    )
