"""Directives of the sweep section: how many trials, which sampler, which pruner, what is compared,
limits. Its other lines say what is searched (`search_space.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from ..language.kinds import choice, custom, file_name, real_number, whole, words
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import exact, show
from .directive import Context, Directive, conflict
from .metric_names import is_metric, metric_named
from .train import SINGLE, of_metrics, outputs_named

COSTS = {
    "params": "parameters",
    "macs": "multiply-adds",
    "memory": "memory of training",
    "seconds": "seconds of training",
}
"""What a trial costs, by the name in a spec: less is better."""


def is_higher_better(objective: str) -> bool:
    return objective not in COSTS and metric_named(objective).higher


class Trials(Directive):
    """Trials to train.

    The spec as written is the first. Networks that cannot be trained, or are over a limit, do not
    count.
    """

    section = "sweep"
    word = "trials"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "trials": "n_trials max_trials num_trials num_samples max_evals count runs"
    }
    advice: ClassVar[Mapping[str, str]] = {
        "take it out: a sweep ends after its trials; Ctrl-C ends it before, and `cnn sweep --join`"
        " goes on": "timeout time_budget max_time",
        "take it out: `cnn sweep --join FOLDER` works on the same sweep from another terminal or"
        " machine": "parallel n_jobs jobs workers concurrency max_concurrent",
    }

    count: int = whole("number of trials", maximum=10**6, example="40")

    @classmethod
    def usual(cls, context: Context) -> Self:
        return cls(count=20)


class Metric(Directive):
    """What trials are compared by.

    It is a validation metric of the best epoch. With two, or a metric and a cost, there is not one
    best trial but a front: the trials that no other is better than in both.
    """

    section = "sweep"
    word = "metric"
    example = "metric top1 params"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "metric": "objective objectives monitor goal maximize minimize metrics"
    }
    advice: ClassVar[Mapping[str, str]] = {
        "take it out: whether more of a metric is better is known": "direction mode",
    }

    names: tuple[str, ...] = of_metrics(
        lambda own: words(
            "validation metrics of the best epoch, or costs: the metric of `checkpoint` by default",
            (*SINGLE, *own, *COSTS),
            example="top1",
        )
    )

    @classmethod
    def usual(cls, context: Context) -> Self:
        return cls(names=())

    def check(self) -> None:
        if len(self.names) > 2:
            raise ArgumentError("trials are compared by one or two metrics")
        if len(set(self.names)) < len(self.names):
            raise ArgumentError(f"`{self.names[0]}` is named twice")
        if self.names and all(name in COSTS for name in self.names):
            raise ArgumentError(
                "costs alone need no training", "name a metric beside them: `metric top1 params`"
            )

    def problems(self, context: Context) -> Iterator[Problem]:
        metrics = [name for name in self.names if is_metric(name)]
        yield from outputs_named(self, metrics, "names", context)


class Sampler(Directive):
    """How the next values are chosen.

    `tpe` learns which values do well (Bergstra et al. 2011); `gp`, a Gaussian process, for few
    trials; `cmaes`, for numbers alone; `nsga2` and `nsga3`, genetic, for two metrics; `random`;
    `qmc`, more even than random; `grid`, every combination once.
    """

    section = "sweep"
    word = "sampler"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "sampler": "method search_algorithm search_alg algo",
        "sampler random": "random random_search",
        "sampler grid": "grid grid_search",
    }

    method: str = choice(
        "name of the sampler",
        ("tpe", "random", "grid", "gp", "cmaes", "nsga2", "nsga3", "qmc"),
        "tpe",
        elsewhere={"bayes": "tpe", "bayesian": "tpe", "cma_es": "cmaes", "nsgaii": "nsga2",
                   "nsgaiii": "nsga3", "sobol": "qmc"},
    )  # fmt: skip


def _percentile(value: object) -> float:
    real = real_number(value)
    if not 0 < real < 1:
        raise ArgumentError(f"{show(value)} is not a share above 0 % and below 100 %")
    return real


class Prune(Directive):
    """Ends trials early that do worse than others did after as many epochs.

    `median` compares with the median of the trials before; `percentile` with another share of
    them; `successive_halving` and `hyperband` let a part of the trials go on, again and again;
    `patient` ends those that have not become better for a while.
    """

    section = "sweep"
    word = "prune"
    example = "prune after=3"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {"prune": "pruner early_terminate scheduler"}

    pruner: str = choice(
        "how it is decided",
        ("median", "percentile", "hyperband", "successive_halving", "patient"),
        "median",
        elsewhere={"asha": "successive_halving", "halving": "successive_halving"},
    )
    after: int = whole("epochs that every trial has", 3, keyword_only=True)
    trials: int = whole(
        "trials that end before others are compared with them (`median`, `percentile`)", 4,
        minimum=0, keyword_only=True,
    )  # fmt: skip
    keep: float = custom(
        "share of the trials before that a trial must be among (`percentile`)", _percentile,
        "a share above 0 % and below 100 %", 0.5, keyword_only=True, example="50%",
    )  # fmt: skip
    factor: int = whole(
        "one of so many trials goes on each time (`hyperband`, `successive_halving`)", 3,
        minimum=2, maximum=100, keyword_only=True,
    )  # fmt: skip
    patience: int = whole(
        "epochs without a better value before a trial may end, whichever way is chosen; 0: it may"
        " at once, and with `patient` after 5", 0, minimum=0, keyword_only=True,
    )  # fmt: skip

    def problems(self, context: Context) -> Iterator[Problem]:
        metric = context.find(Metric)
        if metric is not None and len(metric.names) > 1:
            yield conflict("trials are pruned by one metric, and `metric` names two", self, metric)


class Storage(Directive):
    """A database for the study of Optuna.

    Many machines can reach it. Without it, the study is a file in the folder of the sweep.
    """

    section = "sweep"
    word = "storage"
    example = 'storage "postgresql://user@host/sweeps"'
    elsewhere: ClassVar[Mapping[str, str]] = {"storage": "database db"}

    url: str = file_name("the URL of the database", example='"sqlite:///sweep.db"')

    def check(self) -> None:
        if "://" not in self.url:
            raise ArgumentError(
                f'"{self.url}" is not the URL of a database',
                'write one like `storage "sqlite:///sweep.db"`, or leave it out: the study is then'
                " a file in the sweep's folder",
            )


class SweepSeed(Directive):
    """The seed of the sampler.

    The seed of training is that of `train`.
    """

    section = "sweep"
    word = "seed"

    value: int = whole("number from which random numbers are made", minimum=0, maximum=2**32 - 1)

    @classmethod
    def usual(cls, context: Context) -> Self:
        return cls(value=0)


def _amount(value: object) -> float:
    real = real_number(value)
    if real < 1:
        raise ArgumentError(f"{show(value)} is not {_AMOUNT}")
    return int(real) if real.is_integer() else real


_AMOUNT = "a number of at least 1, like 300k, 50M or 8GB"


def _limit(doc: str) -> Any:
    return custom(doc, _amount, _AMOUNT, None, keyword_only=True, write=exact)


class Limit(Directive):
    """What a network may cost.

    The compiler counts before anything is trained: what is over a limit costs nothing, and is no
    trial.
    """

    section = "sweep"
    word = "limit"
    usage = "limit params < 300k, macs < 50M, memory < 8GB"
    example = "limit params < 300k, macs < 50M"

    params: float | None = _limit("parameters")
    macs: float | None = _limit("multiply-adds for an image")
    memory: float | None = _limit("bytes that a training step needs, as `cnn report` counts them")

    def __str__(self) -> str:
        bounds = [f"{name} < {value:,}" for name, value in self.arguments.items() if value]
        return f"limit {', '.join(bounds).replace(',', '_')}".replace("_ ", ", ").replace("_", "")
