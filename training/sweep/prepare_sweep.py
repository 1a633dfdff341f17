"""Begins a sweep in a new folder, or joins one: its spec, what is searched, what is compared."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ...compiler.language.overrides import divide
from ...compiler.language.values import literal
from ...compiler.plan.make import sweep_plan
from ...compiler.plan.plan import TrainPlan
from ...compiler.plan.search_space import Search, Value
from ...compiler.plan.sweep_directives import COSTS, is_higher_better
from ...compiler.plan.sweep_plan import SweepPlan
from ...compiler.spec_options import GivenSpec
from ...dsl.atomic_file import write_whole
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.files import read_file
from ..checkpoint.run_folder import RUNS, SPEC, cannot_write, laid_out, run_name, shown, spec_hash
from ..request import Request
from ..runtime.devices import find_device, using
from ..runtime.process_group import ALONE
from ..tasks.task import Task
from ..trainer.callbacks import Callback
from .feasibility import Feasibility, Feasible
from .run_sweep import Sweep, kind_of
from .shared_data import SharedData
from .study import needs_optuna
from .study_storage import open_database
from .sweep_facts import read_sweep
from .sweep_folder import FORMAT, SweepFolder, is_sweep

_MOST_LINES = 12
"""Lines of a difference that are shown."""


def usual_folder(request: Request) -> Path:
    """The folder of a sweep without `-o`."""
    return Path.cwd() / RUNS / f"{run_name(request.source)}-sweep"


def plan_in(request: Request) -> SweepPlan:
    """The section `sweep` of a request; raises SpecError if there is none, or it has errors."""
    if "sweep" not in request.network.sections:
        source = request.source
        raise SpecError([
            Diagnostic(
                "no-sweep",
                f"{source.name} does not say what is searched",
                file=source.name,
                help="write a section `sweep { train.optimizer.lr log 1e-4..1e-1 }`;"
                " `cnn help sweep` explains it",
            )
        ])  # fmt: skip
    _, overrides = divide(request.options.overrides(request.source.name))
    return sweep_plan(request.network, overrides)


def begin(
    request: Request,
    version: str,
    *,
    output: Path | None,
    trials: int | None,
    device: str,
    data: SharedData,
    callback: Callback,
) -> Sweep:
    """A new sweep, or that which the same spec and options have begun in the folder."""
    plan = plan_in(request)
    needs_optuna(plan)
    path = output or usual_folder(request)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError([cannot_write(path, error)]) from None
    files = SweepFolder(path)
    if is_sweep(path):
        _must_be_the_same(files, request)
        return join(path, version, trials=trials, device=device)
    if request.plan.train.ensemble.count > 1:
        message = "a sweep trains one network at a time, and `ensemble` several"
        raise SpecError([
            Diagnostic("conflict", message, request.plan.train.ensemble.span,
                       help="leave `ensemble` out, and train an ensemble of the best")
        ])  # fmt: skip
    if plan.storage is not None:
        open_database(plan.storage)  # before there is a folder that says where it is
    objectives = _objectives(request, plan, device, data, callback)
    with ExitStack() as stack:
        others = [entry for entry in path.iterdir() if entry.name not in ("claims", ".lock")]
        if others and not is_sweep(path):
            raise SpecError([_taken(path)])
        stack.enter_context(files.alone())
        first = not is_sweep(path)
        if first:
            count = trials or plan.trial_count
            _write(files, request, plan, objectives, count, version)
    return replace(join(path, version, trials=trials, device=device), first=first)


def _taken(path: Path) -> Diagnostic:
    message = f"{shown(path)} is not empty, and not the folder of a sweep"
    return Diagnostic("run-exists", message, help="name another folder with -o")


def join(path: Path, version: str, *, trials: int | None, device: str) -> Sweep:
    """The sweep in a folder."""
    facts = read_sweep(path)
    files = SweepFolder(path)
    spec = GivenSpec(read_file(path / SPEC, shown(path / SPEC)), facts.options, facts.base)
    feasibility = Feasibility(spec, facts.searches, None, kind_of(device))
    request = feasibility.request(())
    plan = plan_in(request)._replace(searches=facts.searches)
    needs_optuna(plan)
    feasibility = replace(feasibility, limit=plan.limit, known={})
    if trials is not None and trials != facts.planned:
        with files.alone():
            files.write({**files.read(), "trials": trials})
    written = written_values(facts.searches, feasibility, request)
    return Sweep(files, plan, feasibility, written, device, version, first=False)


def _write(
    files: SweepFolder,
    request: Request,
    plan: SweepPlan,
    objectives: Sequence[str],
    trials: int,
    version: str,
) -> None:
    """Writes the spec and sweep.json, which makes it a sweep."""
    for place, text in laid_out(request.program).items():
        (files.path / place).parent.mkdir(parents=True, exist_ok=True)
        write_whole(files.path / place, text.encode())
    limits: Mapping[str, Any] = plan.limit.arguments if plan.limit is not None else {}
    files.write(
        {
            "format": FORMAT,
            "dotcnn": version,
            "study": f"{run_name(request.source)}-{secrets.token_hex(4)}",
            "network": request.network.name,
            "spec": {"file": request.source.name, "sha256": spec_hash(request.program)},
            "base": str(request.base),
            "made_with": request.options.to_json(),
            "searches": [each.to_json() for each in plan.searches],
            "objectives": list(objectives),
            "higher": [is_higher_better(name) for name in objectives],
            "trials": trials,
            "sampler": plan.sampler.method,
            "prune": str(plan.prune) if plan.prune is not None else None,
            "limits": {name: value for name, value in limits.items() if value is not None},
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
    )


# ---- the same command again ------------------------------------------------------------------


def _must_be_the_same(files: SweepFolder, request: Request) -> None:
    """Raises SpecError, with the differences, if a sweep was begun with another spec or options."""
    facts, notes = read_sweep(files.path), list[str]()
    for place, text in laid_out(request.program).items():
        try:
            before = read_file(files.path / place, place).text
        except SpecError:
            before = ""
        if before != text:
            lines = difflib.unified_diff(
                before.splitlines(), text.splitlines(), "before", "now", n=0, lineterm=""
            )
            changed = [line for line in lines if line[:2] not in ("--", "++", "@@")]
            more = len(changed) - _MOST_LINES
            notes += [f"{place}: {line}" for line in changed[:_MOST_LINES]]
            notes += [f"{place}: … and {more} more lines"] if more > 0 else []
    for name, old in facts.options._asdict().items():
        new = getattr(request.options, name)
        if old != new:
            notes.append(f"{_OPTIONS[name]}: {_option(old)}, now {_option(new)}")
    if not notes:
        return
    name = shown(files.path)
    raise SpecError([
        Diagnostic(
            "another-spec",
            f"{name} was started with another spec or other options, and cannot go on with these",
            notes=tuple(notes),
            help=f"to go on as it was started, write `cnn sweep --join {name}` (more trials:"
            " `--trials 60`); or name another folder with -o",
        )
    ])  # fmt: skip


_OPTIONS = {"network": "--network", "input": "--input", "classes": "classes", "set": "--set"}


def _option(value: object) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], int):
        return "x".join(map(str, value))
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value)


# ---- what is compared ------------------------------------------------------------------------


def _objectives(
    request: Request, plan: SweepPlan, device: str, data: SharedData, callback: Callback
) -> tuple[str, ...]:
    """What trials are compared by; raises SpecError if these labels do not have the metric."""
    torch_device = find_device(device)
    with using(torch_device):
        task = data(request, torch_device, callback, ALONE).task
    names = plan.metric.names or (_usual_metric(request.plan, task),)
    for name in names:
        if name in COSTS or name in task.all_metrics:
            continue
        listed = ", ".join(f"`{each}`" for each in (*task.all_metrics, *COSTS))
        raise SpecError([
            Diagnostic(
                "unknown-name",
                f"the labels of the data are {task.labels}, for which `{name}` is not measured",
                plan.metric.place("names"),
                help=f"there are {listed}",
            )
        ])  # fmt: skip
    return names


def _usual_metric(plan: TrainPlan, task: Task) -> str:
    """The metric that selects the best epoch."""
    name = plan.train.checkpoint.metric
    return name if name is not None and name in task.all_metrics else task.best


# ---- the spec as written ---------------------------------------------------------------------


def written_values(
    searches: Sequence[Search], feasibility: Feasibility, request: Request
) -> dict[str, Value]:
    """The values that the spec as written has: of each line that has one."""
    values: dict[str, Value] = {}
    for search in searches:
        value = _written(search, feasibility, request)
        if value is not None:
            values[search.name] = value
    return values


def _written(search: Search, feasibility: Feasibility, request: Request) -> Value | None:
    if search.is_parameter:
        value = request.network.parameters.get(search.place)
        if search.choices:
            return literal(value)
        return value if isinstance(value, int | float) else None
    if not search.choices:
        return _number(search, request.plan)
    for choice in search.choices:
        checked = replace(feasibility, limit=None, known={}).check({search.name: choice})
        if isinstance(checked, Feasible) and checked.request.plan == request.plan:
            return choice
    return None


def _number(search: Search, plan: TrainPlan) -> float | None:
    """The number that an argument of a directive has; of a range around zero, its end."""
    section, word, *argument = search.place.split(".")
    for directive in plan.directives():
        if directive.section == section and directive.head() == word:
            value = directive.arguments.get(".".join(argument))
            if isinstance(value, tuple) and len(value) == 2 and value[0] == -value[1]:
                value = value[1]
            if isinstance(value, int | float) and not isinstance(value, bool):
                return round(value) if search.whole and value == round(value) else value
    return None
