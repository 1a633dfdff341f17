"""`data … folds=5`: cross-validation. A network for each fold of the training images is trained on
all other folds, and measured on the images that it was not trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..checkpoint.record import end_record, plain
from ..checkpoint.run_folder import RunFolder
from ..inference.evaluate import with_thresholds
from ..inference.out_of_fold import out_of_fold
from ..inference.trained_model import open_run
from ..metrics.evaluation import evaluate
from ..metrics.fold_table import FoldTable
from ..request import Request
from ..runtime.errors import explained
from ..runtime.interrupts import Interruption
from ..saved_request import read_record
from .callbacks import RunEnd
from .job import Job
from .loop import DONE
from .members import (
    Member,
    member_request,
    member_results,
    train_members,
    without_files,
    write_all_answers,
    write_report,
)
from .result import Result


def fold_request(request: Request, number: int) -> Request:
    """The request for the network of one fold."""
    data = request.plan.train.data.replace(fold=number)
    return member_request(request, {"data": data}, (f"train.data.fold={number}",))


def train_folds(job: Job, path: Path, interruption: Interruption) -> Result:
    """Trains the networks of all folds, each in its own folder, and evaluates them. The data of the
    job is that of the first fold."""
    count = job.plan.train.data.folds
    assert count is not None

    def member(number: int) -> Member:
        def own() -> Job:
            request = fold_request(job.request, number)
            assert job.open_data is not None
            data = job.data if number == 1 else job.open_data(request)
            return replace(job, request=request, data=data)

        return Member(own, f"fold {number} of {count}")

    results = train_members(job, path, interruption, [member(n) for n in range(1, count + 1)])
    if isinstance(results, Result):
        return results
    if not job.processes.writes:
        return without_files(job, path)
    with explained(job.situation(phase="evaluation", folder=path)):
        return _finish(job, RunFolder(path), count)


def _finish(job: Job, folder: RunFolder, count: int) -> Result:
    """Evaluates all networks, and writes the record and the report."""
    path = folder.path
    model = open_run(path, job.version, device=job.device)
    outcome, data = out_of_fold(model, job.callback.reading, job.folds)
    test = None
    if "test" in data.stores:
        test = evaluate(model.module, with_thresholds(data.folds[0], model.task), "test")
    members = member_results(path, count)
    shown = data.task.shown(data.task.wanted(job.plan.train.metrics))
    table = FoldTable.of([member["val"] for member in members], shown)
    seconds = sum(float(member["seconds"]) for member in members)
    epochs = max(int(member["epochs"]) for member in members)
    facts = {
        "epochs": epochs,
        "seconds": seconds,
        "best_epoch": None,
        "best": plain(outcome.metrics[data.task.compared(outcome.metrics)]),
        "members": [member["val"] for member in members],
        "folds": table.to_json(),
    }
    folder.write_record(end_record(read_record(path), DONE, facts, outcome, test))
    write_all_answers(job, path, data, outcome, test)
    report = write_report(job, path, model, outcome, data)
    for line in table.lines(outcome.metrics):
        job.callback.note(line)
    job.callback.finished(
        RunEnd(
            folder=path,
            reason=DONE,
            epochs=epochs,
            best_epoch=None,
            best=outcome.metrics,
            seconds=seconds,
            report=report,
        )
    )
    return Result(
        folder=path,
        reason=DONE,
        epochs=epochs,
        best_epoch=None,
        metrics=outcome.metrics,
        seconds=seconds,
        module=model.module,
        classes=data.dataset.classes,
        preparation=data.preparation,
        outcome=outcome,
        test=test,
        report=report,
    )
