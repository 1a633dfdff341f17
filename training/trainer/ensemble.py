"""`ensemble 5`: several networks of one plan, each with its own seed; their probabilities are
averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...compiler.plan.train import Ensemble, Seed
from ..checkpoint.record import end_record, plain
from ..checkpoint.run_folder import RunFolder
from ..inference.ensemble_module import EnsembleModule
from ..inference.evaluate import assess, with_thresholds
from ..inference.trained_model import TrainedModel, open_run
from ..metrics.comparison import Comparison, of_ensemble
from ..metrics.evaluation import evaluate
from ..metrics.outcome import Outcome
from ..restoration.baseline import against_inputs
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


def train_ensemble(job: Job, path: Path, interruption: Interruption) -> Result:
    """Trains the networks one after the other, each in its own folder, and evaluates them
    together."""
    count = job.plan.train.ensemble.count
    members = [_member(job, path, number, count) for number in range(1, count + 1)]
    results = train_members(job, path, interruption, members)
    if isinstance(results, Result):
        return results
    if not job.processes.writes:
        return without_files(job, path)
    with explained(job.situation(phase="evaluation", folder=path)):
        return _finish(job, RunFolder(path), results)


def _member(job: Job, path: Path, number: int, count: int) -> Member:
    """One network of the ensemble; seeds count up from the plan's seed."""
    seed = job.plan.train.seed.value + number - 1
    changed = {"seed": Seed(value=seed), "ensemble": Ensemble(count=1)}
    overrides = (f"train.seed={seed}", "train.ensemble=1")
    request = member_request(job.request, changed, overrides)
    own = replace(job, request=request, ensemble_folder=path)
    return Member(lambda: own, f"network {number} of {count}", f", seed {seed}")


def _finish(job: Job, folder: RunFolder, results: Sequence[Result]) -> Result:
    """Evaluates the ensemble, and writes its record and report."""
    path = folder.path
    model = open_run(path, job.version, device=job.device)
    data = with_thresholds(job.data, model.task)
    module = EnsembleModule(model.modules, data.task).eval()
    outcome = evaluate(module, data, "val", callback=job.callback)
    test = evaluate(module, data, "test") if "test" in data.stores else None
    count = job.plan.train.ensemble.count
    members = member_results(path, count)
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
    write_all_answers(job, path, data, outcome, test)
    report = write_report(job, path, model, outcome, job.data)
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
