"""Optimizers: `optimizer sgd lr=0.05 momentum=0.9 nesterov weight_decay=5e-4`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from ...dsl.diagnostics import Diagnostic, Edit
from ..analysis.setting import OPTIMIZERS, OptimizerMemory
from ..extend.torch_class import Torch
from ..language.kinds import factor, flag, number, real_number, switch, tuple_of, whole
from ..language.signature import ArgumentError
from .directive import Context, Directive

HIGH_RATE = "high-rate"
"""A warning: a learning rate at which training most often ends in NaN."""

_MUCH = 100
"""Times the usual learning rate."""


def learning_rate(default: float) -> float:
    return number(  # type: ignore[no-any-return]
        "learning rate", default, minimum=0, above=True, maximum=1000,
        elsewhere="learning_rate learningrate eta max_lr",
    )  # fmt: skip


def decay(default: float = 0.0) -> float:
    return number(  # type: ignore[no-any-return]
        "strength of weight decay", default, minimum=0, maximum=10,
        elsewhere="wd weightdecay l2 decay",
    )  # fmt: skip


def _momentum() -> float:
    return number(  # type: ignore[no-any-return]
        "share of the previous step that is added to the next", 0.0,
        minimum=0, maximum=1, below=True,
        elsewhere="mom",
    )  # fmt: skip


def _eps() -> float:
    return number(  # type: ignore[no-any-return]
        "added to the denominator, to avoid division by zero",
        1e-8,
        minimum=0,
        maximum=1,
        above=True,
        elsewhere="epsilon",
    )


def _beta(value: object) -> float:
    number = real_number(value)
    if not 0 <= number < 1:
        raise ArgumentError(f"{number:g} is not from 0 to below 1")
    return number


def _betas() -> tuple[float, float]:
    return tuple_of(  # type: ignore[no-any-return]
        "decay rates of the averages of gradients and of their squares",
        _beta,
        "two numbers from 0 to below 1, like (0.9, 0.999)",
        (0.9, 0.999),
        single=False,
        elsewhere="beta beta1 beta2 beta_1 beta_2 adam_betas opt_betas",
    )


class Optimizer(Directive):
    """The optimizer, which updates the weights in each step."""

    section = "train"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "optimizer": "solver_type solver optimiser optim opt",
        "optimizer sgd lr=0.1": "lr learning_rate learningrate base_lr lr0 init_lr",
        "optimizer sgd momentum=0.9": "momentum mom",
        "optimizer sgd weight_decay=5e-4": "weight_decay wd decay l2 l2_regularization l2_reg"
        " kernel_regularizer regularization",
    }
    advice: ClassVar[Mapping[str, str]] = {
        "give it to the optimizer: `optimizer sgd lr=0.1`": "lr learning_rate learningrate"
        " base_lr lr0 init_lr",
        "give it to the optimizer: `optimizer sgd lr=0.1 momentum=0.9`": "momentum mom nesterov",
        "give it to the optimizer: `optimizer sgd lr=0.1 weight_decay=5e-4`": "weight_decay wd"
        " decay l2 l2_regularization l2_reg kernel_regularizer regularization",
    }

    decay_all: bool = switch("apply weight decay to biases and normalization layers, too", False)
    norm_lr: float | None = factor(
        "factor of the learning rate for normalization layers; their weight decay stays the same",
        None,
        keyword_only=True,
    )

    torch_name: ClassVar[str] = ""
    """Its class in torch.optim, whose arguments have the same names."""

    @classmethod
    def usual(cls, context: Context) -> Optimizer:
        return AdamW.make()

    lr: float
    usual_lr: ClassVar[float] = 1e-3
    """Of other size only with a reason."""
    state: ClassVar[int] = 0
    """For an optimizer of a plug-in: the numbers that it keeps for each weight, for estimates of
    memory."""

    def make_optimizer(self, groups: list[dict[str, Any]]) -> Torch:
        """For an optimizer of a plug-in: the `torch.optim.Optimizer`, which imports torch itself.
        Each group has `params` and `weight_decay`; its `lr` is set before each step. (Those of the
        language: training/optim.)"""
        raise NotImplementedError

    @property
    def own(self) -> bool:
        """Whether it is one of a plug-in."""
        return type(self).make_optimizer is not Optimizer.make_optimizer

    def warnings(self, context: Context) -> Iterator[Diagnostic]:
        place = self.place("lr")
        if place is not None and self.lr >= _MUCH * self.usual_lr:
            yield Diagnostic(
                HIGH_RATE,
                f"a learning rate of {self.lr:g} is {self.lr / self.usual_lr:,.0f} times the usual"
                f" one of {self.kind}, {self.usual_lr:g}",
                place,
                help=f"write `lr={self.usual_lr:g}`",
                edits=(Edit(place, f"lr={self.usual_lr:g}"),),
                severity="warning",
            )

    @property
    def memory(self) -> OptimizerMemory:
        """Its memory beside weights and gradients."""
        if self.own:
            return OptimizerMemory(self.kind, state=self.state, scratch=1, gpu_scratch=1)
        return OPTIMIZERS[self.kind]


class _Moments(Optimizer):
    """Base of Adam and AdamW: averages of gradients and of their squares."""

    lr: float = learning_rate(1e-3)
    betas: tuple[float, float] = _betas()
    eps: float = _eps()
    weight_decay: float = decay()
    amsgrad: bool = flag("divide by the largest average so far (AMSGrad)")

    @property
    def memory(self) -> OptimizerMemory:
        usual = super().memory
        return usual._replace(state=usual.state + self.amsgrad)

    def check(self) -> None:
        if len(self.betas) != 2:
            raise ArgumentError(
                f"`betas` are two numbers, not {len(self.betas)}", "write (0.9, 0.999)"
            )


class AdamW(_Moments):
    """The Adam optimizer with decoupled weight decay (Loshchilov and Hutter, arXiv:1711.05101)."""

    word = "optimizer adamw"
    torch_name = "AdamW"

    weight_decay: float = decay(0.01)


class Adam(_Moments):
    """The Adam optimizer, by averages of gradients and squares (Kingma and Ba, arXiv:1412.6980)."""

    word = "optimizer adam"
    torch_name = "Adam"


class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum."""

    word = "optimizer sgd"
    torch_name = "SGD"
    usual_lr = 0.1

    lr: float = learning_rate(0.01)
    momentum: float = _momentum()
    weight_decay: float = decay()
    dampening: float = number(
        "dampening of the gradient in the momentum", 0.0, minimum=0, maximum=1
    )
    nesterov: bool = flag("Nesterov momentum")

    @property
    def memory(self) -> OptimizerMemory:
        return OPTIMIZERS["momentum" if self.momentum else "sgd"]

    def check(self) -> None:
        if self.nesterov and not self.momentum:
            raise ArgumentError(
                "`nesterov` needs momentum, and there is none",
                "write `momentum=0.9`, or take `nesterov` out",
            )
        if self.nesterov and self.dampening:
            raise ArgumentError(
                "`nesterov` cannot be combined with `dampening`",
                "take one of them out",
                drop="dampening",
            )


class RmsProp(Optimizer):
    """Gradients divided by the root of their mean square (Tieleman and Hinton, 2012)."""

    word = "optimizer rmsprop"
    torch_name = "RMSprop"
    usual_lr = 0.01

    lr: float = learning_rate(0.01)
    alpha: float = number(
        "decay rate of the average of squares",
        0.99,
        minimum=0,
        maximum=1,
        below=True,
        elsewhere="rho",
    )
    momentum: float = _momentum()
    eps: float = _eps()
    weight_decay: float = decay()
    centered: bool = flag("divide by the variance instead of the mean square")

    @property
    def memory(self) -> OptimizerMemory:
        usual = super().memory
        return usual._replace(
            state=usual.state + self.centered + bool(self.momentum),
            # torch adds the weight decay to copies of all gradients.
            gpu_scratch=usual.gpu_scratch + bool(self.weight_decay),
        )


class Muon(Optimizer):
    """Gradients of hidden layers are orthogonalized (Jordan et al., 2024); the first and the last
    layer, biases and norms are trained by AdamW.
    """

    word = "optimizer muon"
    usual_lr = 0.02

    lr: float = learning_rate(0.02)
    momentum: float = number(
        "share of the averaged gradient that each step keeps", 0.95,
        minimum=0, maximum=1, below=True, elsewhere="mom",
    )  # fmt: skip
    weight_decay: float = decay(0.01)
    nesterov: bool = switch("Nesterov momentum", True)
    steps: int = whole("Newton-Schulz iterations", 5, maximum=99, elsewhere="ns_steps")
    adamw_lr: float = factor("learning rate of AdamW, as a factor of `lr`", 0.05, keyword_only=True)
    betas: tuple[float, float] = _betas()
    eps: float = _eps()

    def check(self) -> None:
        if len(self.betas) != 2:
            raise ArgumentError(
                f"`betas` are two numbers, not {len(self.betas)}", "write (0.9, 0.999)"
            )


_KINDS = [kind.word.partition(" ")[2] for kind in (Sgd, Adam, AdamW, RmsProp, Muon)]
Optimizer.advice = {
    **Optimizer.advice,
    f"there are {', '.join(_KINDS[:-1])} and {_KINDS[-1]}": "lamb lion adagrad adadelta nadam"
    " adamax lbfgs radam asgd ftrl adafactor nadamw lars rprop adan sparseadam"
    " rangerlars ranger",
}
