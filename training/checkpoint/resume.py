"""Resuming a run: which changes of its plan are allowed, and whether its data is still the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...compiler.plan.plan import TrainPlan
from ...compiler.plan.plan_differences import Difference, differences
from ...dsl.diagnostics import Diagnostic, Label, SpecError
from ..data.dataset import Dataset
from ..data.diagnostic import listed
from ..request import Request
from ..untrusted.bad_file import BadFile
from .run_files import read_plan
from .run_folder import PLAN, shown


def must_be_run(path: Path, request: Request) -> Request:
    """The request with which a run is resumed. Raises SpecError unless `path` is the folder of a
    run that was started with the same plan."""
    name = shown(path)
    try:
        before = read_plan(path)
    except BadFile as error:
        message = f"{name} cannot be resumed: its {PLAN} {error}"
        if error.kind == "missing":
            there = path.exists()
            message = f"{name} is not a run folder" if there else f"there is no folder {name}"
        help = "to start a new run, leave --resume out"
        raise SpecError([Diagnostic("no-run", message, help=help)]) from None
    return replace(request, plan=plan_to_resume(before, request.plan, name))


def plan_to_resume(before: TrainPlan, plan: TrainPlan, name: str) -> TrainPlan:
    """The plan with which a run is resumed: `plan`, completed from the plan that the run was
    started with, `before`, if only the place of its data is given. Raises SpecError, with the
    differences, if the two plans do not agree."""
    plan = _with_data_as_before(plan, before)
    wrong = [each for each in differences(before, plan) if not _harmless(each)]
    if _longer(before, plan):
        wrong = [each for each in wrong if each.word != "schedule"]
    if wrong:
        notes = [f"{each.section}: `{each.before}`, now `{each.now}`" for each in wrong]
        span = next((d.directive.span for d in wrong if d.directive and d.directive.span), None)
        labels = tuple(
            Label(d.directive.span, f"was `{d.before}`")
            for d in wrong
            if d.directive and d.directive.span and d.directive.span != span
        )
        raise SpecError([
            Diagnostic(
                "another-spec",
                f"{name} was started with a different plan, and cannot continue with this one",
                span,
                labels=labels,
                notes=tuple(notes),
                help="to continue as it was started, leave the spec out: `cnn train --resume RUN`;"
                " or start a new run without --resume",
            )
        ])  # fmt: skip
    return plan


def _with_data_as_before(plan: TrainPlan, before: TrainPlan) -> TrainPlan:
    """`--data PLACE` names only a place: the arguments and the split of the old plan are kept."""
    train, data, old = plan.train, plan.train.data, before.train.data
    if type(data) is not type(old):
        return plan
    kept = {
        name: old.arguments[name]
        for name, field in data.fields.items()
        if not field.required and data.arguments[name] == field.default
    }
    split = before.train.split if data.val is None and not train.split.written else train.split
    return replace(plan, train=replace(train, data=data.replace(**kept), split=split))


def check_same_data(record: Mapping[str, Any], dataset: Dataset, name: str) -> None:
    """Raises SpecError if the data is not the data that the run was started with: its labels would
    stand for other classes, and its images would come in another order."""
    try:
        saved = record["dataset"]
        classes = tuple(map(str, saved["classes"]))
        counts = {str(part["name"]): list(part["counts"]) for part in saved["parts"]}
    except (KeyError, TypeError, ValueError):  # a damaged record: there is nothing to compare with
        return
    notes = []
    if classes != dataset.classes:
        notes.append(
            f"classes: {listed(list(classes), 12)}; now {listed(list(dataset.classes), 12)}"
        )
    for part in dataset.parts:
        before, now = counts.get(part.name, []), list(part.counts)
        if before != now:
            same = " of different classes" if sum(before) == sum(now) else ""
            notes.append(f"images for {part.name}: {sum(before):,}; now {sum(now):,}{same}")
    if notes:
        message = f"the data differs from what {name} was started with"
        help = (
            "if the data has moved, give its new place with --data; to train on other data, start a"
            f' new run with `transfer {{ from "{name}" }}`'
        )
        raise SpecError([Diagnostic("other-data", message, notes=tuple(notes), help=help)])


def _longer(before: TrainPlan, now: TrainPlan) -> bool:
    """Whether the schedules differ only in the warm-up, which depends on the number of epochs."""
    if before.train.epochs == now.train.epochs:
        return False
    warmup = before.train.schedule.warmup
    return before.train.schedule == now.train.schedule.replace(warmup=warmup)


def _harmless(difference: Difference) -> bool:
    return (difference.section, difference.word) in _MAY_CHANGE


_MAY_CHANGE = {
    ("train", word)
    for word in (
        "data",
        "epochs",
        "workers",
        "log",
        "validate",
        "checkpoint",
        "metrics",
        "early_stop",
        "compile",
    )
} | {("evaluate", "tta")}
"""Directives that may change when a run is resumed: how long it trains, what it shows and saves,
and the place of its data. Whether it is the same data is checked when the data has been opened."""
