"""The end of a run: evaluates the best weights, and writes record.json and report.html."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from ...compiler.plan.metric_names import TRAIN_LOSS
from ...dsl.diagnostics import Diagnostic, SpecError
from ..answers.answers_file import write_answers
from ..answers.collect import collected
from ..checkpoint.checkpoint import about_weights
from ..checkpoint.record import end_record, plain
from ..checkpoint.run_folder import shown
from ..checkpoint.writer import CheckpointWriter
from ..data.opened import Opened
from ..inference.evaluate import assess
from ..inference.trained_model import TrainedModel
from ..metrics.comparison import Comparison
from ..metrics.evaluation import evaluate
from ..metrics.mistake import Mistake
from ..metrics.outcome import Outcome
from ..metrics.verdict.facts import Facts, Finding
from ..metrics.verdict.verdict import verdict
from ..page.history import epochs
from ..restoration.baseline import against_inputs
from ..tasks.known_tasks import recorded_thresholds
from ..weights.read import read_weights
from .callbacks import RunEnd
from .loop import CALLBACK, EARLY, INTERRUPTED, PRUNED, Ending
from .result import Result
from .setup import Run


def finish(run: Run, ending: Ending) -> Result:
    """Finishes a run after its loop has ended."""
    job, writer, reason = run.job, run.writer, ending.state
    position, folder = writer.position, writer.folder
    module = run.learner.evaluated
    outcome: Outcome | None = None
    test: Outcome | None = None
    report: Path | None = None
    findings: tuple[Finding, ...] = ()
    if job.processes.writes and reason not in (INTERRUPTED, PRUNED):
        if folder.best.exists() and not writer.trouble:
            module.load_state_dict(read_weights(folder.best))
        data = _with_thresholds(run)
        outcome = _evaluate(run, module, data, "val")
        best = position.best_metrics
        known = {*outcome.metrics, TRAIN_LOSS}
        if best is not None and best.keys() <= known and not writer.trouble:
            # The metrics by which the epoch was chosen are kept. In distributed training, each
            # process evaluated its own batches, and the order of sums changes the last digits.
            kept = {
                name: value for name, value in best.items()
                if name != TRAIN_LOSS and not data.task.depends_on_thresholds(name)
            }  # fmt: skip
            outcome = outcome._replace(metrics={**outcome.metrics, **kept})
        outcome = outcome._replace(comparisons=_comparisons(run, module, data, outcome))
        if "test" in data.stores:
            test = _evaluate(run, module, data, "test")
        findings = _verdict(run, reason, outcome)
    metrics = dict(outcome.metrics) if outcome else dict(writer.last)
    if job.processes.writes:
        figures = {**_progress(run), "verdict": [each._asdict() for each in findings]}
        _write_record(run, end_record(run.record, reason, figures, outcome, test, ending.why))
        _write_answers(run, outcome, test)
        if outcome is not None:
            report = _write_report(run, module, outcome)
        end = _run_end(writer, reason, metrics, report, ending.why)
        compared = [each.text for each in outcome.comparisons] if outcome else []
        verdict_texts = [each.text for each in findings]
        end = end._replace(
            comparisons=compared,
            verdict=verdict_texts,
            outcome=outcome,
            test=test,
            mistakes=partial(_mistakes, run, module, outcome),
        )
        job.callback.finished(end)
        if reason == INTERRUPTED and not writer.trouble:
            job.callback.note(f"to continue: cnn train --resume {shown(folder.path)}")
    return Result(
        folder=folder.path,
        reason=reason,
        why=ending.why,
        epochs=position.epoch,
        best_epoch=position.best_epoch,
        metrics=metrics,
        seconds=position.seconds,
        module=module.eval(),
        classes=job.data.dataset.classes,
        preparation=job.data.preparation,
        outcome=outcome,
        test=test,
        report=report,
        verdict=findings,
        trouble=writer.trouble,
    )


def _with_thresholds(run: Run) -> Opened:
    """The data of a run, with the thresholds that belong to the best weights."""
    data, about = run.job.data, about_weights(run.writer.folder.best)
    if not about or run.writer.trouble:
        return data
    return replace(data, thresholds=recorded_thresholds(about, len(data.dataset.classes)))


def _comparisons(
    run: Run, module: nn.Module, data: Opened, outcome: Outcome
) -> tuple[Comparison, ...]:
    """How answers compare with the inputs, where both are images; and what `tta` gains or loses on
    the validation set, if the spec has it. For an ensemble, that is measured at its end."""
    job = run.job
    tta = job.plan.evaluate.tta
    if tta is None or job.ensemble_folder is not None:
        return against_inputs(job.data, outcome)
    model = TrainedModel(
        name=shown(run.writer.folder.path),
        folder=run.writer.folder.path,
        request=job.request,
        modules=(module.eval(),),
        device=job.device,
        preparation=data.preparation,
        task=data.task,
        epoch=run.writer.position.best_epoch,
    )

    def progress(what: str, done: int, total: int | None) -> None:
        job.callback.evaluating("val", done, total or done)

    return assess(model, data, tta=tta, progress=progress).comparisons


def _verdict(run: Run, reason: str, outcome: Outcome) -> tuple[Finding, ...]:
    """What the metrics of all epochs show, also of those before the run was resumed."""
    request = run.job.request
    facts = Facts.of(
        request.plan,
        request.network,
        run.job.data.dataset,
        epochs(run.writer.folder.path),
        predicted=outcome.confusion.sum(0).tolist(),
        undecided=outcome.undecided,
        stopped_early=reason in (EARLY, CALLBACK),
        comparisons=outcome.comparisons,
    )
    return verdict(facts) if facts is not None else ()


def _evaluate(run: Run, module: nn.Module, data: Opened, part: str) -> Outcome:
    """The outcome of the best weights."""
    job, precision = run.job, run.learner.precision
    return evaluate(
        module,
        data,
        part,
        precision=precision,
        batch=job.evaluation_batch(precision),
        callback=job.callback,
    )


def record_unfinished(run: Run) -> None:
    """Records that the evaluation after the last epoch was interrupted."""
    if run.job.processes.writes:
        _write_record(run, end_record(run.record, INTERRUPTED, _progress(run), None, None))
        folder = shown(run.writer.folder.path)
        run.job.callback.note(
            "the network is trained; what was interrupted is its evaluation and the report. For"
            f" them: cnn train --resume {folder}"
        )


def record_failure(run: Run, state: str, diagnostics: Sequence[Diagnostic]) -> SpecError:
    """Records that training failed, and returns the error to raise. Files written before are
    kept."""
    if run.job.processes.writes:
        why = diagnostics[0].message
        _write_record(run, end_record(run.record, state, _progress(run), None, None, why))
        run.job.callback.finished(_run_end(run.writer, state, {}, None, why))
    return SpecError(diagnostics)


def _write_report(run: Run, module: nn.Module, outcome: Outcome) -> Path | None:
    from ..page.write import write_report

    folder, network = run.writer.folder.path, run.job.request.network
    try:
        return write_report(folder, network, module, outcome, run.job.data)
    except OSError as error:
        run.writer.not_written(error)
        return None


def _write_answers(run: Run, *outcomes: Outcome | None) -> None:
    """Keeps the answers to every image, by which runs are compared."""
    data, writer = _with_thresholds(run), run.writer
    try:
        for outcome in outcomes:
            if outcome is not None:
                answers = collected(outcome, data, writer.position.best_epoch)
                write_answers(writer.folder.path, answers)
    except OSError as error:
        writer.not_written(error)


def _mistakes(run: Run, module: nn.Module, outcome: Outcome | None) -> Sequence[Mistake]:
    """The most confident mistakes on the validation set."""
    from ..page.mistakes import of_all_outputs
    from ..page.write import contents_of

    if outcome is None:
        return ()
    folder, network = run.writer.folder.path, run.job.request.network
    return tuple(of_all_outputs(contents_of(folder, network, module, outcome, run.job.data)))


def _write_record(run: Run, record: Mapping[str, Any]) -> None:
    try:
        run.writer.folder.write_record(record)
    except OSError as error:
        run.writer.not_written(error)


def _progress(run: Run) -> dict[str, Any]:
    position, metric = run.writer.position, run.metric
    best = position.best_metrics
    return {
        "epochs": position.epoch,
        "steps": position.steps,
        "seconds": round(position.seconds, 3),
        "best_epoch": position.best_epoch,
        "best": None if best is None else plain(best[metric]),
    }


def _run_end(
    writer: CheckpointWriter,
    reason: str,
    metrics: Mapping[str, float],
    report: Path | None,
    why: str = "",
) -> RunEnd:
    position = writer.position
    return RunEnd(
        folder=writer.folder.path,
        reason=reason,
        epochs=position.epoch,
        best_epoch=position.best_epoch,
        best=metrics,
        seconds=position.seconds,
        report=report,
        why=why,
    )
