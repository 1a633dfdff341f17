"""Runs a sweep: proposes values, compiles them, trains what is feasible, until there are as many
trials as wanted. Any number of processes may do so in one folder.
"""

from __future__ import annotations

import gc
import json
import math
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from ...compiler.plan.search_space import Value, combination, combinations
from ...compiler.plan.sweep_directives import COSTS
from ...compiler.plan.sweep_plan import SweepPlan
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.run_files import read_record
from ..checkpoint.run_folder import inner_folder
from ..loggers.open_loggers import loggers_of
from ..request import Request
from ..runtime.devices import find_device
from ..trainer.callbacks import Callback
from ..trainer.combined import Combined
from ..trainer.result import Result
from ..trainer.train import train
from ..untrusted.bad_file import BadFile
from .feasibility import Feasibility, Feasible, Infeasible
from .shared_data import SharedData
from .study import Proposal, Study
from .study_storage import StorageLost
from .sweep_display import SweepDisplay
from .sweep_facts import SweepFacts, is_final, never_trained, read_sweep
from .sweep_folder import FAILED, INTERRUPTED, OVER, PRUNED, RUNNING, NotTrained, SweepFolder, Trial
from .trial_callback import AfterEpoch, SignsOfLife, TrialCallback, Watched

MOST_IN_VAIN = 200
"""Proposals in a row that cannot be trained, or have been trained before, until it is given up."""
MOST_FAILURES = 3
"""Trials that fail with the same reason, and none that does not, until it is given up."""
MOST_COUNTED = 64
"""Combinations that are compiled at the beginning, to say how many are feasible."""


@dataclass(frozen=True)
class Sweep:
    """A sweep in its folder, ready to run."""

    files: SweepFolder
    plan: SweepPlan
    feasibility: Feasibility
    written: Mapping[str, Value]
    """The values of the spec as written."""
    device: str
    version: str
    first: bool
    """Whether this process begins it."""

    @property
    def facts(self) -> SweepFacts:
        return read_sweep(self.files.path)


class GivenUp(Exception):
    """There is nothing more to propose; says why."""


class Runner:
    """One process of a sweep."""

    def __init__(
        self,
        sweep: Sweep,
        display: SweepDisplay,
        data: SharedData,
        after_trial: Callable[[Path], None] | None = None,
    ) -> None:
        """`after_trial` is called with the folder of the sweep after each trial: it writes the
        page."""
        self.sweep = sweep
        self.files = sweep.files
        self.display = display
        self.after_trial = after_trial
        self.interruption = AfterEpoch(display.say)
        self.data = data
        facts = sweep.facts
        self.objectives, self.higher, self.name = facts.objectives, facts.higher, facts.study
        self.is_grid = sweep.plan.sampler.method == "grid"
        self.study = Study(
            sweep.files.path, self.name, sweep.plan, self.higher, self._epochs(), first=sweep.first
        )

    def _epochs(self) -> int | None:
        """The epochs of a trial, if all have the same."""
        if any(each.place.startswith("train.epochs") for each in self.sweep.plan.searches):
            return None
        checked = self.sweep.feasibility.check(self.sweep.written)
        return checked.request.plan.train.epochs.whole if isinstance(checked, Feasible) else None

    # ---- the whole ----

    def run(self) -> str:
        """Trains trials until there are as many as wanted; returns "", or why it ended before."""
        self.display.begin(self.sweep.facts, self._beginning())
        while not self.interruption.stopping:
            self._must_not_always_fail()
            try:
                if not self._next():
                    return ""
            except GivenUp as reason:
                return str(reason)
        return INTERRUPTED

    def _beginning(self) -> list[str]:
        facts = self.sweep.facts
        lines = []
        every = combinations(facts.searches)
        if every is not None and every <= MOST_COUNTED:
            checked = [
                self.sweep.feasibility.check(combination(facts.searches, number))
                for number in range(every)
            ]
            wrong = [each for each in checked if isinstance(each, Infeasible)]
            lines.append(f"{every - len(wrong)} of {every} combinations can be trained")
        return lines

    def _must_not_always_fail(self) -> None:
        """Raises SpecError if every trial fails, and for the same reason."""
        ended = [trial for trial in self.files.trials() if is_final(trial.state)]
        failed = [trial.reason for trial in ended if trial.state in (FAILED, "stopped")]
        if len(failed) >= MOST_FAILURES and len(failed) == len(ended) and len(set(failed)) == 1:
            message = f"the first {len(failed)} trials failed, all with: {failed[0]}"
            help = "mend that in the spec, and begin a new sweep"
            raise SpecError([Diagnostic("sweep-fails", message, help=help)])

    def _next(self) -> bool:
        """Trains the next trial; returns False if there is none."""
        for number in self.files.numbers():
            trial = self.files.read_trial(number)
            if trial is not None and is_final(trial.state):
                continue
            with self.files.claim(number) as own:
                trial = self.files.read_trial(number) if own else None
                if trial is not None and not is_final(trial.state):
                    self._train(trial._replace(state=RUNNING), again=True)
                    return True
        return self._new_trial()

    def _new_trial(self) -> bool:
        """Claims a number, and trains a trial with values that have not been trained."""
        in_vain: list[NotTrained] = []
        while not self.interruption.stopping:
            with ExitStack() as claim:
                with self.files.alone():
                    number = self._free_number()
                    if number is None:
                        return False
                    claim.callback(self._remove_unused, number)
                    own = claim.enter_context(self.files.claim(number))
                trial = self._proposed(number, in_vain) if own else None
                if trial is not None:
                    self._train(trial, again=False)
                    return True
        return True

    def _free_number(self) -> int | None:
        """The number of the next trial; None if there are enough."""
        planned = self.sweep.facts.planned
        first = self.files.read_trial(0)
        bound = planned + (first is not None and first.state == OVER)
        for number in range(bound):
            if self.files.read_trial(number) is None and not self.files.is_held(number):
                return number
        return None

    def _remove_unused(self, number: int) -> None:
        """Removes the folder of a number that was not used."""
        if self.files.read_trial(number) is None:
            with suppress(OSError):
                self.files.claim_folder(number).rmdir()

    # ---- proposals ----

    def _proposed(self, number: int, in_vain: list[NotTrained]) -> Trial | None:
        """A trial with feasible values; None if this proposal is not."""
        feasibility = self.sweep.feasibility
        if number == 0:
            checked = feasibility.check({})
            if isinstance(checked, Infeasible):
                one = NotTrained(self.sweep.written, checked.kind, checked.reason)
                self._not_trained(one, checked, in_vain)
                self.files.write_trial(Trial(0, {}, (), state=OVER, reason=checked.reason))
                return None
            return self._begin(0, self.sweep.written, (), None, checked)
        proposal = self._ask(number)
        checked = feasibility.check(proposal.values)
        texts = feasibility.texts(proposal.values)
        optuna_number = None if self.is_grid else proposal.number
        if isinstance(checked, Infeasible):
            one = NotTrained(proposal.values, checked.kind, checked.reason, optuna_number)
            self._not_trained(one, checked, in_vain)
            return None
        with self.files.alone():  # no other process begins with the same values in between
            same = self._same(proposal.values, texts)
            if same is None:
                return self._begin(number, proposal.values, texts, optuna_number, checked)
        self._repeated(proposal, same, in_vain)
        return None

    def _begin(
        self,
        number: int,
        values: Mapping[str, Value],
        texts: tuple[str, ...],
        proposal: int | None,
        checked: Feasible,
    ) -> Trial:
        trial = Trial(
            number, dict(values), texts, proposal, costs=checked.costs,
            started=datetime.now().astimezone().isoformat(timespec="seconds"),
            host=socket.gethostname(), process=os.getpid(),
        )  # fmt: skip
        self.files.write_trial(trial)
        return trial

    def _ask(self, number: int) -> Proposal:
        if not self.is_grid:
            return self.study.ask()
        searches = self.sweep.plan.searches
        tried = {json.dumps(dict(one.values), sort_keys=True) for one in self._tried()}
        for at in range(combinations(searches) or 0):
            values = combination(searches, at)
            if json.dumps(values, sort_keys=True) not in tried:
                return Proposal(number, values)
        raise GivenUp("all combinations have been tried")

    def _tried(self) -> list[Trial | NotTrained]:
        trials = [trial for trial in self.files.trials() if trial.state != OVER]
        return [*trials, *self.files.not_trained()]

    def _same(self, values: Mapping[str, Value], texts: tuple[str, ...]) -> Trial | None:
        """The trial that has had these values, or the same network and plan."""
        for trial in self.files.trials():
            if trial.state != OVER and (trial.set == texts or dict(trial.values) == dict(values)):
                return trial
        return None

    def _repeated(self, proposal: Proposal, same: Trial, in_vain: list[NotTrained]) -> None:
        """Values that have been trained: the result would be the same."""
        reason = f"trial {same.number} has the same values"
        one = NotTrained(proposal.values, "duplicate", reason, proposal.number)
        in_vain.append(one)
        if not self.is_grid:
            results = [same.objectives.get(name) for name in self.objectives]
            if same.state not in (PRUNED, FAILED) and None not in results and results:
                self.study.complete(proposal.number, [float(each or 0) for each in results])
            else:
                self.study.failed(proposal.number)
        self._must_not_be_in_vain(in_vain)

    def _not_trained(self, one: NotTrained, why: Infeasible, in_vain: list[NotTrained]) -> None:
        if not self.is_grid and one.proposal is not None:
            self.study.infeasible(one.proposal, why.excess)
        self.files.add_not_trained(one)
        self.display.infeasible(one.values, why.reason)
        in_vain.append(one)
        self._must_not_be_in_vain(in_vain)

    def _must_not_be_in_vain(self, in_vain: list[NotTrained]) -> None:
        every = combinations(self.sweep.plan.searches)
        tried = {json.dumps(dict(one.values), sort_keys=True) for one in self._tried()}
        if every is not None and every <= 10_000 and len(tried) >= every:
            values = [combination(self.sweep.plan.searches, at) for at in range(every)]
            if all(json.dumps(each, sort_keys=True) in tried for each in values):
                raise GivenUp("all combinations have been tried")
        if len(in_vain) >= MOST_IN_VAIN:
            text = never_trained(in_vain, 0).replace("never trained", "not trained")
            raise GivenUp(f"nothing more is found that can be trained: {text}")

    # ---- a trial ----

    def _train(self, trial: Trial, *, again: bool) -> None:
        """Trains a trial that this process has claimed, and records how it ended."""
        if again:
            trial = trial._replace(host=socket.gethostname(), process=os.getpid())
            self.files.write_trial(trial)
        self.display.trial(trial.number, trial.values, again=again)
        callback = TrialCallback(
            trial.number, self._watched(trial), self.display, self.interruption
        )
        with SignsOfLife(self.files, trial.number):
            ended = self._ended(trial, callback)
        self.files.write_trial(ended)
        if ended.state != INTERRUPTED:
            self._tell(ended, callback)
        facts = self.sweep.facts
        shown = next(each for each in facts.trials if each.number == trial.number)
        self.display.ended(shown, facts)
        if self.after_trial is not None:
            self.after_trial(self.files.path)

    def _watched(self, trial: Trial) -> Watched:
        metric = self.objectives[0] if len(self.objectives) == 1 else ""
        number = trial.proposal
        if not metric or number is None or self.is_grid:
            return Watched(metric, None)
        return Watched(metric, lambda value, step: self.study.report(number, value, step))

    def _ended(self, trial: Trial, callback: TrialCallback) -> Trial:
        """Trains the trial; what became of it."""
        folder = self.files.trial_folder(trial.number)
        inner_folder(folder.parent)
        inner_folder(folder)  # a link would lead out of the sweep
        try:
            request = self._request(trial)
            logs = loggers_of(request.plan, request.base)
            both: Callback = Combined([*logs, callback]) if logs else callback
            result = train(
                request,
                self.sweep.version,
                output=folder,
                resume=True,
                device=self.sweep.device,
                callback=both,
                open_with=self.data,
                interruption=self.interruption,
            )
        except KeyboardInterrupt:  # before there was anything to save, or for the third time
            self.interruption.stopping = True
            return trial._replace(state=INTERRUPTED, reason="ended at once")
        except StorageLost:  # no fault of the trial, which goes on with the sweep
            raise
        except SpecError as error:
            return self._failed(trial, folder, error.diagnostics[0].message)
        except (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError) as error:
            # An error of this program, or of torch: the others may well be trained.
            text = " ".join(str(error).split())[:300]
            return self._failed(trial, folder, f"{type(error).__name__}: {text}")
        finally:
            free_memory()
        return self._of_result(trial, result)

    def _request(self, trial: Trial) -> Request:
        """The request of a trial; it measures what is compared, also where the spec does not. It
        keeps one checkpoint, unless the spec says otherwise: a sweep has many runs, most of which
        nobody goes on with."""
        texts = [*trial.set]
        request = self.sweep.feasibility.request(texts)
        if not request.plan.train.checkpoint.gives("keep"):
            texts.append("train.checkpoint.keep=1")
        names = request.plan.train.metrics.names
        wanted = [name for name in self.objectives if name not in COSTS]
        missing = [name for name in wanted if name not in names]
        if names and missing:
            texts.append(f"train.metrics={' '.join((*names, *missing))}")
        return request if texts == [*trial.set] else self.sweep.feasibility.request(texts)

    def _of_result(self, trial: Trial, result: Result) -> Trial:
        reached: dict[str, float | None] = {}
        for name in self.objectives:
            value = result.seconds if name == "seconds" else trial.costs.get(name)
            if name not in COSTS:
                value = result.metrics.get(name)
            reached[name] = value if value is None or math.isfinite(value) else None
        trial = trial._replace(
            state=result.reason,
            objectives=reached,
            seconds=round(result.seconds, 3),
            epochs=result.epochs,
            reason=result.why,
        )
        if result.reason in (PRUNED, INTERRUPTED) or None not in reached.values():
            return trial
        lost = next(name for name, value in reached.items() if value is None)
        there = ", ".join(result.metrics)
        return trial._replace(
            state=FAILED, reason=f"`{lost}` was not measured, or is NaN; there are {there}"
        )

    def _failed(self, trial: Trial, folder: Path, why: str) -> Trial:
        """A trial that ended with an error, as its record says."""
        state, progress = FAILED, dict[str, Any]()
        with suppress(BadFile):
            record = read_record(folder)
            state = record["state"] if record["state"] != RUNNING else FAILED
            progress = record["result"] or {}
        seconds, epochs = progress.get("seconds"), progress.get("epochs", 0)
        return trial._replace(
            state=state, reason=why, seconds=seconds, epochs=epochs, objectives={}
        )

    def _tell(self, trial: Trial, callback: TrialCallback) -> None:
        """Tells the study how a trial ended."""
        results = [trial.objectives.get(name) for name in self.objectives]
        complete = trial.state not in (PRUNED, FAILED) and results and None not in results
        numbers = [float(each) for each in results if each is not None]
        if trial.proposal is None:
            if complete:
                self.study.add(trial.values, numbers, callback.steps)
        elif complete:
            self.study.complete(trial.proposal, numbers)
        elif trial.state == PRUNED:
            self.study.pruned(trial.proposal)
        else:
            self.study.failed(trial.proposal)


def free_memory() -> None:
    """Frees what the last trial has left on the GPU, so that the next begins as in a new process.
    Elsewhere that comes by itself; to search all objects takes as long as a small epoch."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def kind_of(device: str) -> str:
    """`cpu` or `cuda`: where memory is counted."""
    return "cuda" if find_device(device).type == "cuda" else "cpu"
