"""The study of Optuna: it proposes values, and is told what came of them."""

from __future__ import annotations

import os
import socket
import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...compiler.plan.search_space import Search, Value
from ...compiler.plan.sweep_directives import Prune
from ...compiler.plan.sweep_plan import SweepPlan
from ...dsl.diagnostics import Diagnostic, SpecError
from .study_storage import storage_in_use, study_storage

if TYPE_CHECKING:
    import optuna

_NEEDS = {"cmaes": "cmaes", "gp": "scipy", "qmc": "scipy"}
"""Packages that samplers of Optuna need beside it."""
_PATIENCE = 5
"""The epochs without a better value after which `prune patient` ends a trial."""
_EXCESS = "excess"
"""The name of the constraint: how far a proposal is over its limits."""


class Proposal(NamedTuple):
    number: int
    """The number that Optuna has for it."""
    values: dict[str, Value]


def needs_optuna(plan: SweepPlan) -> None:
    """Raises SpecError if a package is missing."""
    if find_spec("optuna") is None:
        raise _missing("a sweep needs optuna", 'pip install "dotcnn[sweep]"')
    package = _NEEDS.get(plan.sampler.method)
    if package is not None and find_spec(package) is None:
        message = f"`sampler {plan.sampler.method}` needs {package}"
        raise _missing(message, f"pip install {package}, or take `sampler tpe`", plan)


def _missing(message: str, help: str, plan: SweepPlan | None = None) -> SpecError:
    span = plan.sampler.span if plan is not None else None
    return SpecError(
        [Diagnostic("missing-package", f"{message}, not installed here", span, help=help)]
    )


class Study:
    """The study of one sweep, which any number of processes share."""

    def __init__(
        self,
        folder: Path,
        name: str,
        plan: SweepPlan,
        higher: Sequence[bool],
        epochs: int | None,
        *,
        first: bool,
    ) -> None:
        """`epochs`: those of a trial, if all have the same; `first`: whether this process begins
        the sweep, and draws what the seed says."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self.searches = plan.searches
        self.distributions = {each.name: self._distribution(each) for each in plan.searches}
        self._place = plan.storage
        storage = study_storage(folder, plan.storage)
        with self._in_use():
            self.study = optuna.create_study(
                study_name=name,
                storage=storage,
                directions=["maximize" if each else "minimize" for each in higher],
                pruner=_pruner(plan.prune, epochs),
                load_if_exists=True,
            )
            self.study.sampler = _sampler(plan, self._seed(plan, first))
        self.trials: dict[int, optuna.Trial] = {}

    def _seed(self, plan: SweepPlan, first: bool) -> int:
        """The seed of this process: processes that join draw other values than the first."""
        if first:
            return plan.seed.value
        begun = len(self.study.get_trials(deepcopy=False))
        text = f"{plan.seed.value} {begun} {socket.gethostname()} {os.getpid()}"
        return zlib.crc32(text.encode())

    def _in_use(self) -> AbstractContextManager[None]:
        return storage_in_use(self._place)

    # ---- proposals ----

    def ask(self) -> Proposal:
        with self._in_use():
            trial = self.study.ask()
            values = {each.name: self._suggested(trial, each) for each in self.searches}
        self.trials[trial.number] = trial
        return Proposal(trial.number, values)

    def _suggested(self, trial: optuna.Trial, search: Search) -> Value:
        if search.choices:
            return str(trial.suggest_categorical(search.name, search.choices))
        low, high = search.low, search.high
        if search.whole:
            step = int(search.step or 1)
            return trial.suggest_int(search.name, int(low), int(high), step=step, log=search.log)
        value = trial.suggest_float(search.name, low, high, step=search.step, log=search.log)
        # Six digits say as much, and are read more easily in a spec.
        return min(max(float(f"{value:.12g}" if search.step else f"{value:.6g}"), low), high)

    def _distribution(self, search: Search) -> Any:
        kinds = self._optuna.distributions
        if search.choices:
            return kinds.CategoricalDistribution(search.choices)
        if search.whole:
            step = int(search.step or 1)
            return kinds.IntDistribution(int(search.low), int(search.high), search.log, step)
        return kinds.FloatDistribution(search.low, search.high, search.log, search.step)

    # ---- what came of them ----

    def complete(self, number: int, values: Sequence[float]) -> None:
        with self._in_use():
            self._constrain(number, 0.0)
            self.study.tell(number, list(values), skip_if_finished=True)

    def failed(self, number: int) -> None:
        self._end(number, self._optuna.trial.TrialState.FAIL)

    def pruned(self, number: int) -> None:
        with self._in_use():
            self._constrain(number, 0.0)
        self._end(number, self._optuna.trial.TrialState.PRUNED)

    def infeasible(self, number: int, excess: float) -> None:
        """A proposal that is not trained. To the samplers that know constraints, it is one that
        breaks them by so much; to the others, one that was pruned at once."""
        with self._in_use():
            self._constrain(number, excess)
        self._end(number, self._optuna.trial.TrialState.PRUNED)

    def add(
        self, values: Mapping[str, Value], results: Sequence[float], steps: Mapping[int, float]
    ) -> bool:
        """Adds a trial that was not proposed, the spec as written; returns whether the search space
        has its values."""
        if not all(each.holds(values.get(each.name)) for each in self.searches):
            return False
        with self._in_use():
            self.study.add_trial(
                self._optuna.trial.create_trial(
                    params=dict(values),
                    distributions=self.distributions,
                    values=list(results),
                    intermediate_values=dict(steps) if len(results) == 1 else {},
                    **self._within_limits(),
                )
            )
        return True

    def _within_limits(self) -> dict[str, Any]:
        """The constraint of a trial that was not proposed: samplers ask all trials for it."""
        if _knows_constraints(self._optuna):
            return {"constraints": {_EXCESS: 0.0}}
        return {"system_attrs": {"constraints": [0.0]}, "user_attrs": {_EXCESS: 0.0}}

    def report(self, number: int, value: float, step: int) -> bool:
        """Reports the metric after an epoch; returns whether the trial is to be pruned."""
        trial = self._trial(number)
        with self._in_use():
            trial.report(value, step)
            return trial.should_prune()

    def _constrain(self, number: int, excess: float) -> None:
        trial = self._trial(number)
        if _knows_constraints(self._optuna):
            trial.set_constraint(_EXCESS, excess)
        else:
            trial.set_user_attr(_EXCESS, excess)

    def _end(self, number: int, state: Any) -> None:
        with self._in_use():
            self.study.tell(number, state=state, skip_if_finished=True)

    def _trial(self, number: int) -> optuna.Trial:
        """The trial of a number, also one that another process has begun."""
        if number not in self.trials:
            found = self.study.get_trials(deepcopy=False)[number]
            self.trials[number] = self._optuna.trial.Trial(self.study, found._trial_id)
        return self.trials[number]


def _knows_constraints(package: Any) -> bool:
    """Whether a trial can be told that it breaks a constraint: since Optuna 5."""
    return hasattr(package.trial.Trial, "set_constraint")


def _sampler(plan: SweepPlan, seed: int) -> Any:
    from optuna import samplers

    constrained: dict[str, Any] = {}
    import optuna

    if not _knows_constraints(optuna):
        constrained["constraints_func"] = lambda trial: (trial.user_attrs.get(_EXCESS, 0.0),)
    beginning = min(10, max(4, plan.trial_count // 3))
    match plan.sampler.method:
        case "tpe":
            return samplers.TPESampler(
                seed=seed, n_startup_trials=beginning, constant_liar=True, **constrained
            )
        case "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=beginning, **constrained)
        case "cmaes":
            return samplers.CmaEsSampler(seed=seed, n_startup_trials=beginning)
        case "nsga2":
            return samplers.NSGAIISampler(seed=seed, population_size=beginning, **constrained)
        case "nsga3":
            return samplers.NSGAIIISampler(seed=seed, population_size=beginning, **constrained)
        case "qmc":
            return samplers.QMCSampler(seed=seed, scramble=True)
    return samplers.RandomSampler(seed=seed)  # `grid` is not asked


def _pruner(prune: Prune | None, epochs: int | None) -> Any:
    from optuna import pruners

    if prune is None:
        return pruners.NopPruner()
    if prune.pruner == "patient":
        patience = max(prune.patience or _PATIENCE, prune.after)
        return pruners.PatientPruner(None, patience)
    chosen = _comparing(prune, epochs)
    return pruners.PatientPruner(chosen, prune.patience) if prune.patience else chosen


def _comparing(prune: Prune, epochs: int | None) -> Any:
    """The pruner that compares a trial with others."""
    from optuna import pruners

    if prune.pruner == "hyperband":
        longest: int | str = epochs if epochs is not None else "auto"
        return pruners.HyperbandPruner(
            min_resource=prune.after, max_resource=longest, reduction_factor=prune.factor
        )
    if prune.pruner == "successive_halving":
        return pruners.SuccessiveHalvingPruner(
            min_resource=prune.after, reduction_factor=prune.factor
        )
    share = prune.keep if prune.pruner == "percentile" else 0.5
    return pruners.PercentilePruner(
        100 * share, n_startup_trials=prune.trials, n_warmup_steps=prune.after
    )
