"""Learning rate schedules: `schedule cosine warmup=3`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from ...dsl.diagnostics import Diagnostic
from ..language.kinds import custom, factor, number, real_number, share, tuple_of, whole
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import Percent, exact, percent, show
from .directive import Context, Directive
from .train import Epochs, least_improvement, metric_of, outputs_named, unreached


class Portion(float):
    """A share of all epochs, as in `warmup=5%`; converted to epochs when their number is known."""

    __slots__ = ()


def _duration(value: object) -> float:
    if isinstance(value, Percent):
        if not 0 <= value < 1:
            raise ArgumentError(f"{show(value)} is not")
        return Portion(value)
    number = real_number(value)
    if not 0 <= number <= 10**9:
        raise ArgumentError(f"{show(value)} is not")
    return number


def _write_duration(value: float) -> str:
    return percent(value) if isinstance(value, Portion) else exact(value)


def _epoch(value: object) -> int:
    number = real_number(value)
    if not number.is_integer() or not 1 <= number <= 10**9:
        raise ArgumentError(f"{show(value)} is not an epoch, a whole number of at least 1")
    return int(number)


def _factor(default: float = 0.1) -> float:
    return number(  # type: ignore[no-any-return]
        "factor of the learning rate", default, minimum=0, above=True, maximum=1, below=True,
        elsewhere="gamma by",
    )  # fmt: skip


def _end() -> float:
    return number(  # type: ignore[no-any-return]
        "final learning rate", 0.0, minimum=0, elsewhere="eta_min min_lr lr_min"
    )


class Schedule(Directive):
    """How the learning rate changes during training."""

    section = "train"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "schedule": "scheduler lr_schedule lr_scheduler learning_rate_schedule sched",
    }
    advice: ClassVar[Mapping[str, str]] = {
        "it is an argument of every schedule: `schedule cosine warmup=3`": "warmup warmup_epochs",
    }

    warmup: float = custom(
        "warm-up: epochs in which the learning rate rises from 0, or a share of all epochs",
        _duration,
        "a number of epochs, or a share of them like 5%",
        0.0,
        keyword_only=True,
        write=_write_duration,
        elsewhere="warmup_epochs",
    )

    def share_of_rate(self, done: float, epoch: float) -> float:
        """For a schedule of a plug-in: the factor of the optimizer's learning rate, where a share
        `done`, from 0 to 1, of the steps after the warm-up is done, and `epoch` epochs of all. It
        depends on nothing else: a run that goes on has the same rates. (Those of the language:
        training/optim.)"""
        raise NotImplementedError

    @classmethod
    def usual(cls, context: Context) -> Schedule:
        return Cosine(warmup=Portion(0.05))

    def settle(self, context: Context) -> Schedule:
        if isinstance(self.warmup, Portion):
            return self.replace(warmup=round(self.warmup * context.get(Epochs).count, 6))
        return self

    def late(self, epochs: float) -> Iterator[tuple[str, str]]:
        """Arguments with an effect only after the last epoch, each with its warning."""
        if not isinstance(self.warmup, Portion) and self.warmup >= epochs:
            whole = "the only epoch" if epochs == 1 else f"all {exact(epochs)} epochs"
            yield "warmup", f"the warm-up takes {whole}: the learning rate never decreases"

    def warnings(self, context: Context) -> Iterator[Diagnostic]:
        for name, message in self.late(context.get(Epochs).count):
            yield from unreached(self, name, message)


class Cosine(Schedule):
    """Cosine annealing (Loshchilov and Hutter, arXiv:1608.03983)."""

    word = "schedule cosine"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "schedule cosine": "cosineannealinglr cosine_annealing cosinedecay cosinelrscheduler cos",
    }

    end: float = _end()


class Constant(Schedule):
    """A constant learning rate."""

    word = "schedule constant"
    elsewhere: ClassVar[Mapping[str, str]] = {"schedule constant": "constantlr fixed none"}


class Step(Schedule):
    """Step decay: multiplied by a factor at regular epochs; `every=1` makes it exponential."""

    word = "schedule step"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "schedule step": "steplr stepdecay",
        "schedule step 1": "exponential exponentiallr exponentialdecay exp",
    }

    every: int = whole("epochs between steps", example="30", elsewhere="step_size")
    factor: float = _factor()

    def late(self, epochs: float) -> Iterator[tuple[str, str]]:
        yield from super().late(epochs)
        if self.every >= epochs:
            yield "every", f"the first step comes after all {exact(epochs)} epochs"


class MultiStep(Schedule):
    """Step decay at certain epochs."""

    word = "schedule multistep"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "schedule multistep": "multisteplr piecewise piecewiseconstantdecay milestones",
    }

    at: tuple[int, ...] = tuple_of(
        "epochs after which the learning rate is multiplied", _epoch, "epochs like 30 "
        "60", many=True,
        elsewhere="milestones", example="30 60 80", write=lambda value: " ".join(map(str, value)),
    )  # fmt: skip
    factor: float = _factor()

    def check(self) -> None:
        if list(self.at) != sorted(set(self.at)):
            raise ArgumentError(
                "the epochs are not in ascending order",
                f"write `schedule multistep {' '.join(map(str, sorted(set(self.at))))}`",
            )

    def late(self, epochs: float) -> Iterator[tuple[str, str]]:
        yield from super().late(epochs)
        if self.at[-1] >= epochs:
            yield "at", f"training ends after {exact(epochs)} epochs, before step {self.at[-1]}"


class OneCycle(Schedule):
    """One-cycle policy: up to the optimizer's rate, then down (Smith, Topin, arXiv:1708.07120)."""

    word = "schedule onecycle"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "schedule onecycle": "onecyclelr one_cycle fit_one_cycle superconvergence",
    }
    advice: ClassVar[Mapping[str, str]] = {
        "write `epochs 10` and `schedule onecycle`": "fit_one_cycle",
    }

    up: float = share(
        "share of the epochs in which the learning rate rises",
        0.3,
        part=True,
        elsewhere="pct_start",
    )
    start: float = factor("initial learning rate, as a factor of the optimizer's", 0.04)
    end: float = factor("final learning rate, as a factor of the optimizer's", 4e-6)

    def check(self) -> None:
        if self.warmup:
            raise ArgumentError(
                "`onecycle` begins with a warm-up of its own, `up`",
                "take `warmup` out",
                drop="warmup",
            )


class Triangular(Schedule):
    """Linearly up to the optimizer's rate, then linearly down."""

    word = "schedule triangular"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "schedule triangular": "slanted_triangular slantedtriangular triangle piecewise_linear",
    }

    up: float = share("share of the steps in which the learning rate rises", 0.3, part=True)
    start: float = factor("initial learning rate, as a factor of the optimizer's", 0.1)
    end: float = factor("final learning rate, as a factor of the optimizer's", 0.0)

    def check(self) -> None:
        if self.warmup:
            raise ArgumentError(
                "`triangular` begins with a warm-up of its own, `up`",
                "take `warmup` out",
                drop="warmup",
            )


class Plateau(Schedule):
    """Multiply the learning rate by a factor when a metric stops improving."""

    word = "schedule plateau"
    elsewhere: ClassVar[Mapping[str, str]] = {"schedule plateau": "reducelronplateau reduce_lr"}

    patience: int = whole("epochs without improvement", 10, minimum=0)
    factor: float = _factor()
    metric: str = metric_of("what has to improve: {}", "loss")
    end: float = _end()
    by: float = least_improvement()

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from super().problems(context)
        yield from outputs_named(self, [self.metric], "metric", context)


class Linear(Schedule):
    """A linear decay."""

    word = "schedule linear"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "schedule linear": "linearlr polynomial polynomialdecay"
    }

    end: float = _end()
