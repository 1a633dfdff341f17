"""`ensemble 5`: several networks of one plan, each with its own seed; their probabilities are
averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from ...compiler.plan.train import Ensemble, Seed
from ...dsl.diagnostics import SpecError
from ..answers.answers_file import write_answers
from ..answers.collect import collected
from ..checkpoint.record import end_record, plain
from ..checkpoint.run_folder import RECORD, RunFolder, inner_folder, member_name
from ..checkpoint.run_lock import lock_run
from ..data.opened import Opened
from ..find_lr.found_rate import FIND_LR
from ..inference.ensemble_module import EnsembleModule
from ..inference.evaluate import assess, with_thresholds
from ..inference.trained_model import TrainedModel, open_run
from ..metrics.comparison import Comparison, of_ensemble
from ..metrics.evaluation import evaluate
from ..metrics.outcome import Outcome
from ..request import Request
from ..restoration.baseline import against_inputs
from ..runtime.errors import explained
from ..runtime.interrupts import Interruption
from ..saved_request import read_record
from .callbacks import RunEnd
from .job import Job
from .loop import CALLBACK, DONE, EARLY
from .one_network import train_network
from .result import Result


def train_ensemble(job: Job, path: Path, interruption: Interruption) -> Result:
    """Trains the networks one after the other, each in its own folder; finished ones are
    skipped."""
    count = job.plan.train.ensemble.count
    folder = RunFolder(path)
    if job.processes.writes and not (path / RECORD).exists():
        folder.write_request(job.request, job.version)
        if job.found_rate:
            folder.write_text(FIND_LR, job.found_rate.text())
    results: list[Result] = []
    for number in range(1, count + 1):
        member = replace(job, request=_member_request(job.request, number), ensemble_folder=path)
        member_folder = path / member_name(number)
        epochs = job.plan.train.epochs.whole
        if job.processes.from_first(partial(_is_done, member_folder, epochs)):
            job.callback.note(f"network {number} of {count} is trained already")
            continue
        job.callback.note(f"network {number} of {count}, seed {member.plan.train.seed.value}")
        job.processes.from_first(partial(inner_folder, member_folder))
        with lock_run(member_folder, job.processes):
            results.append(train_network(member, member_folder, interruption))
        if number == 1 and job.processes.writes:
            record = read_record(member_folder)
            request = job.request.options.to_json()
            folder.write_record(
                {**record, "made_with": request, "state": "running", "result": None}
            )
        if results[-1].interrupted:
            return replace(results[-1], folder=path, outcome=None)
    if not job.processes.writes:
        return _without_files(job, path)
    with explained(job.situation(phase="evaluation", folder=path)):
        return _finish(job, folder, results)


def _member_request(request: Request, number: int) -> Request:
    """The request for one network of the ensemble; seeds count up from the plan's seed."""
    train = request.plan.train
    seed = train.seed.value + number - 1
    alone = replace(train, seed=Seed(value=seed), ensemble=Ensemble(count=1))
    overrides = (*request.options.set, f"train.seed={seed}", "train.ensemble=1")
    return replace(
        request,
        plan=replace(request.plan, train=alone),
        options=request.options._replace(set=overrides),
    )


def _is_done(folder: Path, epochs: int) -> bool:
    try:
        record = read_record(folder)
        enough = int(record["result"]["epochs"]) >= epochs
        return record["state"] in (EARLY, CALLBACK) or (record["state"] == DONE and enough)
    except (SpecError, KeyError, TypeError):  # not started, or not finished
        return False


def _without_files(job: Job, path: Path) -> Result:
    """The result in the processes that do not write: they do not evaluate the ensemble, whose
    networks are in files of the first process."""
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


def _finish(job: Job, folder: RunFolder, results: Sequence[Result]) -> Result:
    """Evaluates the ensemble, and writes its record and report."""
    path = folder.path
    model = open_run(path, job.version, device=job.device)
    data = with_thresholds(job.data, model.task)
    module = EnsembleModule(model.modules, data.task).eval()
    outcome = evaluate(module, data, "val", callback=job.callback)
    test = evaluate(module, data, "test") if "test" in data.stores else None
    count = job.plan.train.ensemble.count
    records = [read_record(path / member_name(number)) for number in range(1, count + 1)]
    members: list[dict[str, Any]] = [dict(record["result"]) for record in records]
    outcome = outcome._replace(
        comparisons=_comparisons(job, model, outcome, [member["val"] for member in members])
    )
    seconds = sum(float(member["seconds"]) for member in members)
    epochs = max(int(member["epochs"]) for member in members)
    facts = {
        "epochs": epochs,
        "seconds": seconds,
        "best_epoch": None,
        "best": plain(outcome.metrics[data.task.compared(outcome.metrics)]),
        "members": [member["val"] for member in members],
    }
    folder.write_record(end_record(read_record(path), DONE, facts, outcome, test))
    _write_answers(job, path, data, outcome, test)
    report = _write_report(job, model, outcome)
    job.callback.finished(
        RunEnd(
            folder=path,
            reason=DONE,
            epochs=epochs,
            best_epoch=None,
            best=outcome.metrics,
            seconds=seconds,
            report=report,
            comparisons=[each.text for each in outcome.comparisons],
        )
    )
    return Result(
        folder=path,
        reason=DONE,
        epochs=epochs,
        best_epoch=None,
        metrics=outcome.metrics,
        seconds=seconds,
        module=module,
        classes=data.dataset.classes,
        preparation=data.preparation,
        outcome=outcome,
        test=test,
        report=report,
        trouble=next((result.trouble for result in results if result.trouble), ""),
    )


def _comparisons(
    job: Job, model: TrainedModel, outcome: Outcome, members: Sequence[Mapping[str, Any]]
) -> tuple[Comparison, ...]:
    """What the ensemble gains or loses, and what `tta` does if the spec has it."""
    tta = job.plan.evaluate.tta
    if tta is not None:
        return assess(model, with_thresholds(job.data, model.task), tta=tta).comparisons
    metric, inputs = job.data.task.compared(outcome.metrics), against_inputs(job.data, outcome)
    if any(each.get(name) is None for each in members for name in (metric, "loss")):
        return inputs  # a loss was NaN
    return (*inputs, of_ensemble(len(outcome.labels), outcome.metrics, members, metric))


def _write_answers(job: Job, path: Path, data: Opened, *outcomes: Outcome | None) -> None:
    try:
        for outcome in outcomes:
            if outcome is not None:
                write_answers(path, collected(outcome, data, None))
    except OSError as error:
        job.callback.note(f"cannot write the answers to each image: {error.strerror}")


def _write_report(job: Job, model: TrainedModel, outcome: Outcome) -> Path | None:
    """Writes the report of the ensemble; filters and Grad-CAM are those of its first network."""
    from ..page.write import NAME, write_page

    assert model.folder is not None
    try:
        return write_page(model.folder / NAME, model, outcome, job.data)
    except OSError as error:
        job.callback.note(f"cannot write the report: {error.strerror}")
        return None
