"""RunFacts: what is known of a run, read from its folder without importing torch. A file that is
damaged or missing never raises: `trouble` says what is wrong, and what can be read is there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ...compiler.language.vocabulary import SECTIONS
from ...compiler.plan.metric_names import TRAIN_LOSS, is_metric, metric_named
from ...compiler.plan.plan import TrainPlan
from ...compiler.spec_options import Options
from ...dsl.diagnostics import SpecError
from ..checkpoint.run_files import read_epochs, read_plan, read_record
from ..checkpoint.run_folder import PLAN, RECORD, SPEC
from ..checkpoint.run_lock import has_locks, holder_of
from ..untrusted.bad_file import BadFile
from ..untrusted.json_text import natural
from ..untrusted.open_file import read_text
from .tags_and_note import NO_NOTES, TagsAndNote, read_notes

RUNNING, KILLED, DAMAGED = "running", "killed", "damaged"
"""States that are not in record.json as such: whether a run that does not say that it has ended is
running is seen by its lock. The others are the reasons why training ends (`trainer/loop.py`)."""
SWEEP = "sweep.json"
"""The file that makes a folder that of a sweep."""

MAX_SPEC = 2**20
_NO_OPTIONS = Options()
_COMPARED = ("top1", "map", "miou", "psnr", "mae", "loss")
"""The metrics that select the best epoch by default, for records that do not name theirs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RunFacts:
    """What is known of a run."""

    folder: Path
    name: str
    """Its folder, relative to the one that was searched: `digits-2`, `sweep/trials/3`."""
    state: str
    """`running`, `done`, `early stop`, `interrupted`, `diverged`, `stopped` by an error, `killed`,
    or `damaged`."""
    trouble: str = ""
    """What is wrong with its folder."""
    holder: str = ""
    """Who trains it now."""
    kind: str = "run"
    """`run`, or `ensemble`, `folds` or `sweep` for one that has `members`."""
    members: tuple[RunFacts, ...] = ()
    """The networks of an ensemble, the folds of a cross-validation, the trials of a sweep."""
    network: str = ""
    spec_file: str = ""
    """The name of the spec that it was started with."""
    options: Options = _NO_OPTIONS
    base: Path | None = None
    """The folder that paths of its data are relative to."""
    started: datetime | None = None
    seconds: float | None = None
    epochs: int = 0
    """Complete epochs."""
    best_epoch: int | None = None
    metric: str = ""
    """The metric that selects the best epoch."""
    metrics: Mapping[str, float]
    """Of the validation of the best epoch; NaN where a number is not finite."""
    test: Mapping[str, float]
    """Of the test set, if there is one."""
    parameters: int | None = None
    trainable: int | None = None
    macs: int | None = None
    """Multiply-adds for one sample; None for runs of older versions, which did not record it."""
    device: str = ""
    seed: int | None = None
    version: str = ""
    """Of dotcnn."""
    notes: TagsAndNote = NO_NOTES

    @property
    def best(self) -> float | None:
        """The metric of the best epoch."""
        return self.metrics.get(self.metric)

    @property
    def higher_is_better(self) -> bool:
        known = self.metric == TRAIN_LOSS or is_metric(self.metric)
        return metric_named(self.metric).higher if known else True

    @property
    def tags(self) -> tuple[str, ...]:
        return self.notes.tags

    @property
    def note(self) -> str:
        return self.notes.note

    @property
    def ended(self) -> bool:
        """Whether it came to its end."""
        return self.state in ("done", "early stop")

    @cached_property
    def plan(self) -> TrainPlan | None:
        """Its plan; None if that cannot be read."""
        try:
            return read_plan(self.folder)
        except (BadFile, SpecError):  # the latter: without the plug-in that it has words of
            return None

    @property
    def epochs_planned(self) -> int | None:
        return self.plan.train.epochs.whole if self.plan is not None else None

    @cached_property
    def spec(self) -> str | None:
        """The text of its spec; None if that cannot be read."""
        try:
            return read_text(self.folder / SPEC, MAX_SPEC)
        except BadFile:
            return None

    @cached_property
    def parameter_values(self) -> Mapping[str, str]:
        """The parameters of the network that it was started with, as `--set` has them."""
        pairs = (text.partition("=")[::2] for text in self.options.set)
        return {
            name.strip(): value.strip()
            for name, value in pairs
            if name.strip().split(".")[0] not in SECTIONS
        }

    def epoch_lines(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl: `epoch`, `lr`, `train`, `val`, `best`, `seconds`, …"""
        return read_epochs(self.folder)


def is_run_file(name: str) -> bool:
    """Whether a folder with a file of this name is that of a run, or a sweep."""
    return name in (RECORD, PLAN, SWEEP)


def is_run_folder(folder: Path) -> bool:
    """Whether a folder says that it is one of a run, or of a sweep; what is in it, is not read."""
    try:
        with os.scandir(folder) as entries:
            return any(is_run_file(entry.name) for entry in entries)
    except OSError:
        return False


def facts_of(folder: Path, name: str, members: tuple[RunFacts, ...] = ()) -> RunFacts:
    """Reads what is known of the run in a folder, whose `members` have been read."""
    notes = read_notes(folder)
    if (folder / SWEEP).exists() and not (folder / RECORD).exists():
        return _sweep(folder, name, members, notes)
    holder = holder_of(folder) or ""
    facts = RunFacts(
        folder=folder,
        name=name,
        state=DAMAGED,
        members=members,
        notes=notes,
        holder=holder,
        metrics={},
        test={},
    )
    try:
        record = read_record(folder)
    except BadFile as error:
        missing = error.kind == "missing"  # it is written when training begins
        state = RUNNING if holder else KILLED if missing else DAMAGED
        what = "ended before training began" if missing else f"{RECORD} {error}"
        trouble = "" if holder else what
        return replace(facts, state=state, trouble=trouble)
    state = record["state"]
    if holder:
        state = RUNNING
    elif state == RUNNING and has_locks(folder):
        state = _state_of_members(members) or KILLED
    result = _Result(folder, record)
    spec = record.get("spec")
    return replace(
        facts,
        state=state,
        kind=_kind(members),
        network=_text(record.get("network")),
        spec_file=_text(spec.get("file")) if isinstance(spec, dict) else "",
        options=Options.from_json(record["made_with"]),
        base=Path(record["base"]),
        started=_moment(record.get("started")),
        seconds=result.seconds if result.seconds is not None else _sum_of_seconds(members),
        epochs=result.epochs or max((member.epochs for member in members), default=0),
        best_epoch=result.best_epoch,
        metric=result.metric,
        metrics=result.metrics,
        test=result.test,
        parameters=_natural(record.get("parameters")),
        trainable=_natural(record.get("trainable")),
        macs=_natural(record.get("macs")),
        device=_text(record.get("device")),
        seed=_natural(record.get("seed")),
        version=_text(record.get("dotcnn")),
    )


class _Result:
    """The results of a run: of its record, or, until that has them, of metrics.jsonl."""

    def __init__(self, folder: Path, record: Mapping[str, Any]) -> None:
        result = record["result"] or {}
        self.epochs: int = result.get("epochs", 0)
        self.seconds: float | None = result.get("seconds")
        self.best_epoch = _natural(result.get("best_epoch"))
        self.metrics = _numbers(result.get("val"))
        self.test = _numbers(result.get("test"))
        best = result.get("best")
        if not self.metrics:
            self._of_epochs(read_epochs(folder))
        self.metric = _text(record.get("metric")) or self._selecting(best)
        if self.metric == TRAIN_LOSS and isinstance(best, int | float):
            self.metrics[TRAIN_LOSS] = float(best)

    def _of_epochs(self, lines: list[dict[str, Any]]) -> None:
        if not lines:
            return
        self.epochs = max(self.epochs, lines[-1]["epoch"])
        if self.seconds is None:
            self.seconds = sum(line["seconds"] for line in lines)
        best = next((line for line in reversed(lines) if line["best"]), None)
        if best is not None:
            self.best_epoch = best["epoch"]
            self.metrics = _numbers(best["val"])
            loss = best["train"].get("loss")
            if loss is not None:
                self.metrics.setdefault(TRAIN_LOSS, float(loss))

    def _selecting(self, best: object) -> str:
        """The metric that has selected the best epoch, of a record that does not name it."""
        known = [*(name for name in _COMPARED if name in self.metrics), *self.metrics]
        same = (name for name in known if self.metrics[name] == best)
        return next(same, known[0] if known else "")


def _sweep(folder: Path, name: str, members: tuple[RunFacts, ...], notes: TagsAndNote) -> RunFacts:
    """A sweep: its results are those of its best trial."""
    best = best_of_runs(members)
    holder = holder_of(folder) or ""
    running = bool(holder) or any(member.state == RUNNING for member in members)
    # A trial that was pruned, or whose loss became NaN, is not trained again.
    left = any(member.state in (KILLED, "interrupted") for member in members)
    state = RUNNING if running else "interrupted" if left else "done"
    return RunFacts(
        folder=folder,
        name=name,
        state=state,
        holder=holder,
        kind="sweep",
        members=members,
        network=members[0].network if members else "",
        spec_file=members[0].spec_file if members else "",
        started=min((member.started for member in members if member.started), default=None),
        seconds=_sum_of_seconds(members),
        epochs=sum(member.epochs for member in members),
        metric=best.metric if best else "",
        metrics=best.metrics if best else {},
        test=best.test if best else {},
        parameters=best.parameters if best else None,
        trainable=best.trainable if best else None,
        macs=best.macs if best else None,
        device=best.device if best else "",
        version=best.version if best else "",
        notes=notes,
    )


def best_of_runs(runs: Sequence[RunFacts]) -> RunFacts | None:
    """The run with the best value of its metric; None if none has one."""
    measured = [run for run in runs if run.best is not None and math.isfinite(run.best)]
    if not measured:
        return None
    return max(measured, key=lambda run: (1 if run.higher_is_better else -1) * (run.best or 0.0))


def _kind(members: tuple[RunFacts, ...]) -> str:
    if not members:
        return "run"
    is_fold = any(text.startswith("train.data.fold=") for text in members[0].options.set)
    return "folds" if is_fold else "ensemble"


def _state_of_members(members: tuple[RunFacts, ...]) -> str:
    """How a run ended that is trained part by part: as the part that was trained last. Empty if it
    has none, or if that ended well."""
    last = max(
        members, key=lambda run: run.started.timestamp() if run.started else 0.0, default=None
    )
    return last.state if last is not None and not last.ended else ""


def _sum_of_seconds(members: tuple[RunFacts, ...]) -> float | None:
    seconds = [member.seconds for member in members if member.seconds is not None]
    return sum(seconds) if seconds else None


# ---- values that may be anything ---------------------------------------------------------------


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _natural(value: object) -> int | None:
    return value if natural(value) else None  # type: ignore[return-value]


def _numbers(value: Mapping[str, float | None] | None) -> dict[str, float]:
    """JSON has no NaN: null stands for it."""
    pairs = (value or {}).items()
    return {name: math.nan if one is None else float(one) for name, one in pairs}


def _moment(value: object) -> datetime | None:
    """A moment with its time zone."""
    try:
        return datetime.fromisoformat(_text(value)).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def walk_runs(runs: Sequence[RunFacts]) -> Iterator[RunFacts]:
    """All runs, each followed by its members."""
    for run in runs:
        yield run
        yield from walk_runs(run.members)
