"""The facts of a sweep, read from its folder: its trials, what they reached, which is the best.

    facts = read_sweep(Path("runs/digits-sweep"))
    facts.best.values, facts.best.objectives

Needs neither torch nor Optuna. A damaged file never raises, but for sweep.json itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ...compiler.plan.search_space import Search, Value
from ...compiler.spec_options import Options
from ..checkpoint.run_files import read_epochs
from ..untrusted.bad_file import BadFile
from .sweep_folder import (
    OVER,
    PRUNED,
    REPORT,
    RUNNING,
    NotTrained,
    SweepFolder,
    Trial,
    no_sweep,
)

KILLED = "killed"
"""The state of a trial whose process has ended without a word."""
COMPLETE = ("done", "early stop", "callback stop")


class TrialFacts(NamedTuple):
    """What is known of a trial."""

    number: int
    state: str
    """`running`, `done`, `early stop`, `pruned`, `interrupted`, `killed`, `diverged`, `stopped` by
    an error such as too little memory, or `failed`."""
    values: Mapping[str, Value]
    """By the names of `SweepFacts.searches`; what the spec as written has outside of them, too."""
    set: tuple[str, ...]
    """The values as `--set` takes them."""
    objectives: Mapping[str, float]
    """What is compared, by name; of a trial that is pruned or running, what it has reached so
    far."""
    costs: Mapping[str, float]
    """`params`, `macs`, `memory`, as the compiler counts them."""
    folder: Path
    """Its run folder."""
    reason: str = ""
    """Why it did not come to its end."""
    seconds: float | None = None
    epochs: int = 0
    started: str = ""
    proposal: int | None = None
    """Its number in Optuna's study; None for the spec as written."""

    @property
    def is_complete(self) -> bool:
        return self.state in COMPLETE and all(map(math.isfinite, self.objectives.values()))

    @property
    def is_written(self) -> bool:
        """Whether it is the spec as written."""
        return self.number == 0


@dataclass(frozen=True, kw_only=True)
class SweepFacts:
    """What is known of a sweep."""

    folder: Path
    network: str
    spec: str
    """The name of the spec that it was started with."""
    searches: tuple[Search, ...]
    objectives: tuple[str, ...]
    """What trials are compared by: a metric; or two, or a metric and a cost."""
    higher: tuple[bool, ...]
    """For each objective, whether higher is better."""
    planned: int
    """How many trials there are to be."""
    trials: tuple[TrialFacts, ...]
    not_trained: tuple[NotTrained, ...]
    """The values that were not trained, and why."""
    options: Options
    base: Path
    sampler: str
    prune: str
    """The directive `prune` with all arguments; "" if nothing is pruned."""
    limits: Mapping[str, float] = field(default_factory=dict)
    started: str = ""
    study: str = ""
    """The name of Optuna's study."""
    version: str = ""

    @property
    def complete(self) -> tuple[TrialFacts, ...]:
        """The trials that came to their end, the best first; of two objectives, by number."""
        found = [trial for trial in self.trials if trial.is_complete]
        if len(self.objectives) == 1:
            name, sign = self.objectives[0], -1 if self.higher[0] else 1
            found.sort(key=lambda trial: sign * trial.objectives.get(name, math.inf))
        return tuple(found)

    @property
    def best(self) -> TrialFacts | None:
        """The best trial by the only objective; None if there are two, or none is complete."""
        complete = self.complete
        return complete[0] if complete and len(self.objectives) == 1 else None

    @property
    def front(self) -> tuple[TrialFacts, ...]:
        """The trials that no other is better than in every objective, in the order of the first."""
        complete = self.complete
        points = [self._signed(trial) for trial in complete]
        kept = [
            trial
            for trial, point in zip(complete, points, strict=True)
            if not any(
                other != point and all(a <= b for a, b in zip(other, point, strict=True))
                for other in points
            )
        ]
        return tuple(sorted(kept, key=self._signed))

    def _signed(self, trial: TrialFacts) -> tuple[float, ...]:
        """The objectives, smaller is better."""
        return tuple(
            -trial.objectives[name] if higher else trial.objectives[name]
            for name, higher in zip(self.objectives, self.higher, strict=True)
        )

    @property
    def ended(self) -> tuple[TrialFacts, ...]:
        """The trials that are not to be trained any more."""
        return tuple(trial for trial in self.trials if is_final(trial.state))

    @property
    def why_not_trained(self) -> Mapping[str, int]:
        """How many values were not trained, by the kind of reason."""
        return Counter(one.kind for one in self.not_trained)

    @property
    def saved(self) -> str:
        """How many proposals were never trained: `7 of 27 proposals were never trained: …`."""
        return never_trained(self.not_trained, len(self.trials))

    @property
    def report(self) -> Path:
        """Where its page is, or would be."""
        return self.folder / REPORT


def never_trained(not_trained: Sequence[NotTrained], trials: int) -> str:
    """How many proposals were never trained, and why; "" if all were."""
    if not not_trained:
        return ""
    count, total = len(not_trained), len(not_trained) + trials
    kinds = Counter(one.kind for one in not_trained)
    listed = ", ".join(
        f"{many} {kind}{'s' if many > 1 and kind.endswith(('error', 'duplicate')) else ''}"
        for kind, many in kinds.most_common()
    )
    was = "was" if count == 1 else "were"
    return f"{count} of {total} proposals {was} never trained: {listed}"


def is_final(state: str) -> bool:
    """Whether a trial in this state is not to be trained any more."""
    return state not in (RUNNING, KILLED, "interrupted")


def read_sweep(folder: Path) -> SweepFacts:
    """Reads what is known of a sweep; raises SpecError if the folder is not one of a sweep."""
    files = SweepFolder(folder)
    try:
        data = files.read()
        searches = tuple(Search.from_json(each) for each in data["searches"])
        options = Options.from_json(data["made_with"])
    except BadFile as error:
        if error.kind == "missing":
            there = folder.is_dir()
            raise no_sweep(
                folder, "there is no sweep.json in it" if there else "there is no such folder"
            ) from None
        raise no_sweep(folder, f"its sweep.json {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise no_sweep(folder, f"its sweep.json cannot be read: {error}") from None
    objectives = tuple(data["objectives"])
    trials = [_facts(files, trial, objectives) for trial in files.trials() if trial.state != OVER]
    return SweepFacts(
        folder=folder,
        network=data["network"],
        spec=data["spec"]["file"],
        searches=searches,
        objectives=objectives,
        higher=tuple(data["higher"]),
        planned=data["trials"],
        trials=tuple(trials),
        not_trained=tuple(files.not_trained()),
        options=options,
        base=Path(data["base"]),
        sampler=data["sampler"],
        prune=data["prune"] or "",
        limits=data["limits"],
        started=data["started"],
        study=data["study"],
        version=data["dotcnn"],
    )


def _facts(files: SweepFolder, trial: Trial, objectives: Sequence[str]) -> TrialFacts:
    folder = files.trial_folder(trial.number)
    state, epochs = trial.state, trial.epochs
    reached = {name: value for name, value in trial.objectives.items() if value is not None}
    if state == RUNNING:
        state = RUNNING if files.is_held(trial.number) else KILLED
        lines = read_epochs(folder)
        epochs = lines[-1]["epoch"] if lines else 0
        best = next((line for line in reversed(lines) if line["best"]), None)
        val = best["val"] if best else {}
        reached = {
            name: float(val[name]) for name in objectives if isinstance(val.get(name), int | float)
        }
    return TrialFacts(
        number=trial.number,
        state=state,
        values=trial.values,
        set=trial.set,
        objectives=reached,
        costs=trial.costs,
        folder=folder,
        reason=trial.reason,
        seconds=trial.seconds,
        epochs=epochs,
        started=trial.started,
        proposal=trial.proposal,
    )


__all__ = ["PRUNED", "SweepFacts", "TrialFacts", "read_sweep"]
