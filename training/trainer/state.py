"""The training state of a network: module, optimizer, learning rates, EMA; how it is saved."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.analysis.hidden import hidden_weights, norm_weights
from ...compiler.network import Network
from ...compiler.plan.plan import TrainPlan
from ..data.loader.class_weights import class_weights
from ..data.opened import Opened
from ..optim.early_stopping import EarlyStopping
from ..optim.ema import Average
from ..optim.freeze_after import FrozenAfter
from ..optim.lookahead import SlowWeights
from ..optim.losses import mean_one, with_aux
from ..optim.optimizers import make_optimizer, parameter_groups, rate_of, restore_optimizer
from ..optim.precision import Precision
from ..optim.schedules import Length, Rates
from ..optim.whitening import keep_whitened
from ..tasks.multi_task import MultiTask
from ..transfer.anchor import Anchor
from ..transfer.freezing import Freezing, factors_of
from ..transfer.split_network import Cut

Compile = Callable[[Any, int], Callable[[Tensor], Any]]
"""Compiles a module for batches of a size."""


@dataclass(kw_only=True)
class Learner:
    """The training state: everything that changes while a network is trained."""

    network: Network
    plan: TrainPlan
    module: nn.Module
    forward: Callable[[Tensor], Any]
    """The module, compiled and wrapped for distributed training if asked for. It returns logits,
    or, with auxiliary heads, a tuple of the logits and those of each head."""
    criterion: Callable[[Any, Tensor], Tensor]
    optimizer: torch.optim.Optimizer
    rates: Rates
    precision: Precision
    device: torch.device
    scaler: torch.amp.GradScaler | None
    average: Average | None
    lookahead: SlowWeights | None
    early_stopping: EarlyStopping | None
    parameters: list[nn.Parameter] = field(repr=False)
    """The parameters that are trained in at least one epoch."""
    wrap: Callable[[Any], Any] | None = None
    """Wraps and compiles the module; called again whenever other layers are frozen."""
    compile: Compile | None = None
    """Compiles a module for batches of a size; None if nothing is compiled."""
    freezing: Freezing | None = None
    """Which layers are frozen in which epochs; None if no layer is ever frozen."""
    frozen_after: FrozenAfter | None = None
    """The layers that are trained in the first epochs only."""
    anchor: Anchor | None = None
    """The starting weights that L2-SP pulls towards."""
    cut: Cut | None = None
    """The place where the network is split, if batches are cached features of its first part."""
    micro_batches: int = 1
    """The parts in which a batch is computed, because it does not fit into memory as a whole."""

    @property
    def evaluated(self) -> nn.Module:
        """The module that is evaluated and saved: the one with averaged weights if there is EMA."""
        return self.average.module if self.average else self.module

    @property
    def trained_part(self) -> nn.Module:
        """The part of the module that processes a training batch: all of it, or the layers after
        the cached features."""
        return self.cut.late(self.module) if self.cut else self.module

    @property
    def evaluated_part(self) -> nn.Module:
        """The part of the evaluated module that processes a batch."""
        return self.cut.late(self.evaluated) if self.cut else self.evaluated

    def weights(self) -> dict[str, Tensor]:
        return self.evaluated.state_dict()

    def frozen_weights(self) -> dict[str, Tensor]:
        """The part of the module's state dict that never changes."""
        always_frozen = self.freezing.always_frozen(self.module) if self.freezing else ()
        state = self.module.state_dict()
        return {name: state[name] for name in always_frozen}

    def start_epoch(self, epoch: int) -> bool:
        """Sets trained layers to training mode and frozen ones to evaluation mode; `epoch` counts
        from 0. Returns whether other layers are trained than before."""
        self.module.train()
        before = self._trained()
        if self.freezing is not None:
            self.freezing.start_epoch(self.module, epoch)
        if self.frozen_after is not None:
            self.frozen_after.start_epoch(self.module, epoch)
        if self.network.init.whitened:
            keep_whitened(self.module.get_submodule(self.network.init.whitened))
        changed = self._trained() != before
        if self.wrap and changed:
            self.forward = self.wrap(self.trained_part)
        return changed

    def _trained(self) -> list[bool]:
        return [parameter.requires_grad for parameter in self.module.parameters()]

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        plateau = self.rates.plateau
        return {
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "average": self.average.state() if self.average else None,
            "lookahead": self.lookahead.state() if self.lookahead else None,
            "plateau": plateau.state() if plateau else None,
            "patience": self.early_stopping.state() if self.early_stopping else None,
            "anchor": self.anchor.state() if self.anchor else None,
            "micro_batches": self.micro_batches,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.micro_batches = state.get("micro_batches", 1)
        self.module.load_state_dict(state["model"])
        restore_optimizer(self.optimizer, state["optimizer"])
        if self.scaler and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        for part, name in (
            (self.average, "average"),
            (self.lookahead, "lookahead"),
            (self.rates.plateau, "plateau"),
            (self.early_stopping, "patience"),
            (self.anchor, "anchor"),
        ):
            if part is not None and state.get(name) is not None:
                part.restore(state[name])


def criterion_of(network: Network, plan: TrainPlan, opened: Opened) -> Callable[..., Tensor]:
    """The loss of a network's outputs, including auxiliary heads and class weights."""
    task = opened.task

    def weights_of(classes: Sequence[str], counts: Sequence[int]) -> Tensor | None:
        weights = mean_one(class_weights(plan.train.weights, classes, counts), counts)
        return None if weights is None else weights.to(opened.device)

    if isinstance(task, MultiTask):
        weighted = [
            replace(one, weights=weights_of(one.answer.classes, one.answer.counts))
            if one.known_loss.weighted and not one.task.numbers else one
            for one in task.each
        ]  # fmt: skip
        return MultiTask.of(weighted).loss(opened.loss, None)
    described = opened.dataset
    weights = weights_of(described.classes, described.train.counts)
    return with_aux(task.loss(opened.loss, weights), [head.weight for head in network.aux])


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
    compile: Compile | None = None,
    batch: int = 0,
    freezing: Freezing | None = None,
    transferred: Collection[str] = (),
    cut: Cut | None = None,
) -> Learner:
    """The initial training state of a module that is already on the device. It is compiled for
    batches of `batch` images. `transferred` has the names of the pretrained weights that were
    loaded."""
    train = plan.train
    anchor: Anchor | None = None
    factors: dict[str, float] = {}
    since: dict[str, int] = {}
    if freezing is not None:
        freezing.enable_gradients(module)
        factors, since = factors_of(freezing.strategy, module), freezing.trained_since(module)
        if freezing.strategy.strength:
            anchor = Anchor(module, transferred, freezing.strategy.strength)
    if network.init.whitened:
        keep_whitened(module.get_submodule(network.init.whitened))
    anchored = anchor.names if anchor else ()
    hidden, norms = hidden_weights(network), norm_weights(network)
    groups = parameter_groups(module, train.optimizer, factors, anchored, since, hidden, norms)
    trainable = [parameter for group in groups for parameter in group["params"]]

    def wrapped(inner: Any) -> Any:
        # Compiled last: torch then lets processes exchange gradients before all are computed.
        module = wrap(inner) if wrap is not None else inner
        return compile(module, batch) if compile is not None else module

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
        lookahead=SlowWeights(module, train.lookahead, length.total) if train.lookahead else None,
        frozen_after=FrozenAfter(network, train.freeze_after) if train.freeze_after else None,
        early_stopping=EarlyStopping(train.early_stop) if train.early_stop else None,
        parameters=trainable,
        wrap=wrapped,
        compile=compile,
        freezing=freezing,
        anchor=anchor,
        cut=cut,
    )
