"""A network with all that it learns with: made from a plan, written down, and gone on with."""

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
from ..optim.optimizers import make_optimizer, parameter_groups, rate_of
from ..optim.precision import Precision
from ..optim.schedules import Length, Rates
from ..transfer.anchor import Anchor
from ..transfer.freezing import Freezing, factors_of
from ..transfer.split_network import Cut


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
    precision: Precision
    device: torch.device
    scaler: torch.amp.GradScaler | None
    average: Average | None
    patience: EarlyStopping | None
    parameters: list[nn.Parameter] = field(repr=False)
    """Those that learn, at some time."""
    wrap: Callable[[Any], Any] | None = None
    """What is put around the module for learning, anew when other weights learn than before."""
    freezing: Freezing | None = None
    """What does not learn now; None where all does, all along."""
    anchor: Anchor | None = None
    """Where weights are drawn back to."""
    cut: Cut | None = None
    """Batches hold what the network's frozen part has computed, and this is where that ends; None
    where they hold images."""

    @property
    def evaluated(self) -> nn.Module:
        """What is evaluated and kept: the averages, where there are some."""
        return self.average.module if self.average else self.module

    @property
    def taught(self) -> nn.Module:
        """What takes a batch: the module, or its part that learns."""
        return self.cut.late(self.module) if self.cut else self.module

    @property
    def examined(self) -> nn.Module:
        """What is evaluated, of it what takes a batch."""
        return self.cut.late(self.evaluated) if self.cut else self.evaluated

    def weights(self) -> dict[str, Tensor]:
        return self.evaluated.state_dict()

    def still(self) -> dict[str, Tensor]:
        """Of the module's state, what never changes."""
        never = self.freezing.never(self.module) if self.freezing else ()
        state = self.module.state_dict()
        return {name: state[name] for name in never}

    def begin(self, epoch: int) -> None:
        """An epoch, counted from 0: all that learns in training mode, the rest in evaluation."""
        self.module.train()
        if self.freezing and self.freezing.begin(self.module, epoch) and self.wrap:
            self.forward = self.wrap(self.taught)

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
            "anchor": self.anchor.state() if self.anchor else None,
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
            (self.anchor, "anchor"),
        ):
            if part is not None and state.get(name) is not None:
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
    precision: Precision,
    device: torch.device,
    steps: int,
    wrap: Callable[[Any], Any] | None = None,
    freezing: Freezing | None = None,
    taken: Collection[str] = (),
    cut: Cut | None = None,
) -> Learner:
    """`steps` are those of an epoch; the module is on the device already. `wrap` puts something
    around it for learning; `taken` are the weights, by name, that came from somebody."""
    train = plan.train
    anchor: Anchor | None = None
    factors: dict[str, float] = {}
    since: dict[str, int] = {}
    if freezing is not None:
        freezing.ever(module)
        factors, since = factors_of(freezing.strategy, module), freezing.since(module)
        if freezing.strategy.strength:
            anchor = Anchor(module, taken, freezing.strategy.strength)
    anchored = anchor.names if anchor else ()
    groups = parameter_groups(module, train.optimizer, factors, anchored, since)
    learning = [parameter for group in groups for parameter in group["params"]]

    def around(inner: Any) -> Any:
        made = torch.compile(inner) if train.compile.on else inner
        return wrap(made) if wrap is not None else made

    return Learner(
        network,
        plan,
        module,
        around(cut.late(module) if cut else module),
        criterion,
        make_optimizer(train.optimizer, groups, device),
        Rates(train.schedule, rate_of(train.optimizer), Length(train.epochs.count, steps)),
        precision,
        device,
        torch.amp.GradScaler(device.type) if precision.dtype == torch.float16 else None,
        Average(module, train.ema.decay) if train.ema else None,
        EarlyStopping(train.early_stop) if train.early_stop else None,
        learning,
        around,
        freezing,
        anchor,
        cut,
    )
