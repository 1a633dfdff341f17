"""Trains several networks of one plan, each in a folder of its own inside the run folder: those of
an ensemble, or of a cross-validation. Finished ones are skipped, so that a run can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from ...compiler.analysis import analyse
from ...dsl.diagnostics import SpecError
from ..answers.answers_file import write_answers
from ..answers.collect import collected
from ..checkpoint.record import from_run, start_record
from ..checkpoint.run_folder import RECORD, RunFolder, inner_folder, member_name
from ..checkpoint.run_lock import lock_run
from ..data.opened import Opened
from ..find_lr.found_rate import FIND_LR
from ..metrics.outcome import Outcome
from ..request import Request
from ..runtime.devices import describe
from ..runtime.interrupts import Interruption
from ..saved_request import read_record
from .job import Job
from .loop import CALLBACK, DONE, EARLY, INTERRUPTED
from .one_network import train_network
from .result import Result
from .setup import best_metric


class Member(NamedTuple):
    """One of the networks."""

    job: Callable[[], Job]
    """Its job, made when it is needed: the data of a fold is opened for it."""
    what: str
    """What it is, for the user: `network 2 of 5`."""
    about: str = ""
    """What else is said when it starts: `, seed 3`."""


def train_members(
    job: Job, path: Path, interruption: Interruption, members: Sequence[Member]
) -> Result | list[Result]:
    """Trains those that are not trained yet, one after the other. The result of an interrupted
    network, if training was interrupted; else those of the trained ones."""
    folder = RunFolder(path)
    if job.processes.writes and not (path / RECORD).exists():
        folder.write_request(job.request, job.version)
        if job.found_rate:
            folder.write_text(FIND_LR, job.found_rate.text())
        folder.write_record(_first_record(job, path))
    results: list[Result] = []
    epochs = job.plan.train.epochs.whole
    for number, member in enumerate(members, 1):
        member_folder = path / member_name(number)
        if job.processes.from_first(partial(_is_done, member_folder, epochs)):
            job.callback.note(f"{member.what} is trained already")
            continue
        job.callback.note(f"{member.what}{member.about}")
        own = member.job()
        job.processes.from_first(partial(inner_folder, member_folder))
        with lock_run(member_folder, job.processes):
            results.append(train_network(own, member_folder, interruption))
        if job.processes.writes:
            state = INTERRUPTED if results[-1].interrupted else "running"
            record = read_record(path) if number > 1 else read_record(member_folder)
            made_with = job.request.options.to_json()
            of_all = {"made_with": made_with, "base_from_run": from_run(path, job.request.base)}
            folder.write_record({**record, **of_all, "state": state, "result": None})
        if results[-1].interrupted:
            return replace(results[-1], folder=path, outcome=None)
    return results


def member_request(
    request: Request, changed: Mapping[str, Any], overrides: Sequence[str]
) -> Request:
    """The request for one of the networks: directives of `train` that change, and the same as
    overrides, with which it can be resumed alone."""
    train = replace(request.plan.train, **changed)
    options = request.options
    return replace(
        request,
        plan=replace(request.plan, train=train),
        options=options._replace(set=(*options.set, *overrides)),
    )


def member_results(path: Path, count: int) -> list[Mapping[str, Any]]:
    """The results in the records of all networks."""
    return [dict(read_record(path / member_name(n))["result"]) for n in range(1, count + 1)]


def without_files(job: Job, path: Path) -> Result:
    """The result in the processes that do not write: they do not evaluate the networks together,
    which are in files of the first process."""
    return Result(
        folder=path,
        reason=DONE,
        epochs=job.plan.train.epochs.whole,
        best_epoch=None,
        metrics={},
        seconds=0.0,
        module=nn.Module(),
        classes=job.data.dataset.classes,
        preparation=job.data.preparation,
        outcome=None,
        test=None,
        report=None,
    )


def write_all_answers(job: Job, path: Path, data: Opened, *outcomes: Outcome | None) -> None:
    try:
        for outcome in outcomes:
            if outcome is not None:
                write_answers(path, collected(outcome, data, None))
    except OSError as error:
        job.callback.note(f"cannot write the answers to each image: {error.strerror}")


def write_report(job: Job, path: Path, *about: Any) -> Path | None:
    """Writes the report of all networks together: `about` is what `write_page` takes."""
    from ..page.write import NAME, write_page

    try:
        return write_page(path / NAME, *about)
    except OSError as error:
        job.callback.note(f"cannot write the report: {error.strerror}")
        return None


def _first_record(job: Job, path: Path) -> dict[str, Any]:
    """The record until the first network has one: a run that is killed before can be resumed."""
    parameters = analyse(job.request.network).totals.params
    return start_record(
        job.request,
        job.data,
        device=describe(job.device),
        choices=(),
        parameters=parameters,
        trainable=parameters,
        processes=job.processes,
        version=job.version,
        metric=best_metric(job),
        folder=path,
    )


def _is_done(folder: Path, epochs: int) -> bool:
    try:
        record = read_record(folder)
        enough = int(record["result"]["epochs"]) >= epochs
        return record["state"] in (EARLY, CALLBACK) or (record["state"] == DONE and enough)
    except (SpecError, KeyError, TypeError):  # not started, or not finished
        return False
