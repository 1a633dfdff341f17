"""Resuming a run: which changes of its plan are allowed, and whether its data is still the same."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...compiler.plan.plan import TrainPlan, slots
from ...compiler.plan.plan_differences import Difference, differences
from ...dsl.diagnostics import Diagnostic, Label, SpecError
from ..data.dataset import Dataset
from ..data.diagnostic import listed
from ..request import Request
from ..saved_request import request_of
from ..untrusted.bad_file import BadFile
from .run_files import read_plan
from .run_folder import PLAN, shown


def must_be_run(path: Path, request: Request) -> Request:
    """The request with which a run is resumed. Raises SpecError unless `path` is the folder of a
    run that can go on with its plan."""
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
    asked: TrainPlan | None = None
    with suppress(SpecError, OSError):  # what is wrong with it, is reported where it is needed
        asked = request_of(path).plan
    return replace(request, plan=plan_to_resume(before, request.plan, name, asked))


def plan_to_resume(
    before: TrainPlan, plan: TrainPlan, name: str, asked: TrainPlan | None = None
) -> TrainPlan:
    """The plan with which a run is resumed: `plan`, completed from the plan that the run was
    trained with, `before`, where that was decided by the data or by measuring; `asked` is what was
    asked for then. Raises SpecError, with the differences, if the run cannot go on with it."""
    plan = _with_data_as_before(plan, before)
    if asked is not None:
        plan = _as_decided(plan, before, asked)
    wrong = [each for each in differences(before, plan) if not _may_change(each)]
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
                " to start from its weights, write a new run with"
                f' `transfer {{ from "{name}" }}`',
            )
        ])  # fmt: skip
    return plan


def _as_decided(plan: TrainPlan, before: TrainPlan, asked: TrainPlan) -> TrainPlan:
    """The plan with the directives of `before` wherever the same is asked for as then."""
    parts: dict[str, Any] = {}
    for section in ("train", "evaluate", "transfer"):
        now, then, old = (getattr(each, section) for each in (plan, asked, before))
        if now is None or then is None or old is None:
            continue
        same = {
            slot.name: getattr(old, slot.name)
            for slot in slots(type(now))
            if getattr(old, slot.name) is not None
            and getattr(now, slot.name) == getattr(then, slot.name)
        }
        parts[section] = replace(now, **same)
    if plan.augment == asked.augment:
        parts["augment"] = before.augment
    return replace(plan, **parts)


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


def is_silent(change: Difference) -> bool:
    """Whether a change is of no consequence for the weights, or is told elsewhere."""
    return (change.section, change.word) in _SILENT


_SILENT = {
    ("train", word)
    for word in (
        "data", "workers", "log", "validate", "checkpoint", "metrics", "early_stop", "compile",
        "recompute",
    )
} | {("evaluate", "tta")}  # fmt: skip
"""What it shows and saves, and the place of its data. Whether it is the same data is checked when
the data has been opened."""
_TOLD = {
    *(("train", word) for word in ("epochs", "batch", "accumulate", "schedule", "clip")),
    ("augment", "augment"),
}
"""How training goes on: such changes are told and recorded. Of the optimizer, all but its kind may
change: its state would mean nothing to another."""


def _may_change(change: Difference) -> bool:
    if (change.section, change.word) == ("train", "optimizer"):
        return type(change.old[0]) is type(change.new[0])
    return is_silent(change) or (change.section, change.word) in _TOLD
