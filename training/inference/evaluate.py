"""Evaluates a trained network: `cnn evaluate` and `dotcnn.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...compiler.plan.evaluate import Tta
from ...compiler.plan.plan import TrainPlan
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.check_classes import must_have_answers, must_have_classes
from ..data.diagnostic import listed
from ..data.images.image_file import BadImage, quiet
from ..data.loader.fold_stores import FoldStores
from ..data.loader.memory_budget import cores
from ..data.loader.thread_pool import Progress, unwatched
from ..data.open import open_data
from ..data.opened import Opened
from ..metrics.comparison import Comparison, of_ensemble
from ..metrics.evaluation import Measured, evaluate, measure, outcome_of, without_likelihood
from ..metrics.evaluation_batch import evaluation_batch
from ..metrics.outcome import Outcome
from ..metrics.tally import Tally
from ..optim.precision import FULL
from ..restoration.baseline import against_inputs
from ..runtime.allocator import freed_memory_kept
from ..runtime.devices import using
from ..tasks.multi_label import MultiLabel
from ..tasks.multi_task import MultiTally, MultiTask, One
from ..tasks.task import Task
from ..trainer.callbacks import Callback
from .each_output import of_map, stacked, without_maps
from .ensemble_module import EnsembleModule
from .evaluate_whole import quality_of_views, whole_views
from .original_image import original
from .predict import averaged_answers
from .trained_model import TrainedModel
from .tta import TtaViews

PARTS = ("train", "val", "test", "all")
_TOGETHER = 32


def data_of(
    model: TrainedModel, progress: Progress = unwatched, folds: FoldStores | None = None
) -> Opened:
    """Opens the data of a model; raises SpecError if its classes are not those of the network.
    `folds` is what the data of several folds shares."""
    with using(model.device):
        opened = open_data(
            model.plan,
            model.request.base,
            device=model.device,
            progress=progress,
            arrays=model.request.arrays,
            known=model.task,
            bits=None if model.preparation is None else model.preparation.depth,
            folds=folds,
        )
    if model.task is not None:
        must_have_answers(model.task, model.plan, opened.dataset, model.name)
    must_have_classes(model.request.network, model.plan, opened.dataset, model.classes, model.name)
    return with_thresholds(opened, model.task)


def with_thresholds(opened: Opened, task: Task | None) -> Opened:
    """Data for evaluation with the thresholds of a trained network, or, if it records none, 50 %:
    the data that is evaluated never chooses them."""
    if isinstance(task, MultiTask):
        chosen = {one.name: one.answer.thresholds for one in task.each}
        answers = [
            answer._replace(thresholds=chosen.get(answer.output) or (0.5,) * len(answer.classes))
            for answer in opened.dataset.answers
        ]
        return replace(opened, dataset=replace(opened.dataset, answers=tuple(answers)))
    known = task.thresholds if isinstance(task, MultiLabel) else ()
    return replace(opened, thresholds=known or (0.5,) * len(opened.dataset.classes))


def assess(
    model: TrainedModel,
    opened: Opened,
    part: str = "val",
    *,
    tta: Tta | None = None,
    progress: Progress = unwatched,
) -> Outcome:
    """Evaluates a model on a part of the data, or on `all` of it; raises SpecError if there is no
    such part. The outcome says what `tta`, or an ensemble, gains or loses: with `tta`, the model is
    also evaluated on one view of each image."""
    task = opened.task
    members = [task.counts(opened.loss, opened.device).thorough() for _ in model.modules]
    several = len(members) > 1
    outcome = _assess(model, opened, part, None, progress, members if several else ())
    images, comparisons = len(outcome.labels), [*against_inputs(opened, outcome, progress)]
    if several:
        comparisons.append(
            of_ensemble(
                images,
                outcome.metrics,
                [each.results() for each in members],
                task.compared(outcome.metrics),
            )
        )
    if tta is not None:
        base = outcome.metrics
        outcome = _assess(model, opened, part, tta, progress, ())
        comparisons.append(
            Comparison(
                tta.as_written,
                "one view",
                images,
                outcome.metrics,
                base,
                task.compared(outcome.metrics),
            )
        )
    return outcome._replace(comparisons=tuple(comparisons))


def _assess(
    model: TrainedModel,
    opened: Opened,
    part: str,
    tta: Tta | None,
    progress: Progress,
    members: Sequence[Tally],
) -> Outcome:
    parts = tuple(opened.stores) if part == "all" else (part,)
    if part != "all" and part not in opened.stores:
        raise _no_part(part, opened)
    try:
        with using(model.device), freed_memory_kept(model.device):
            if opened.task.has_maps:
                return _dense(model, opened, part, parts, tta, progress, members)
            if tta is None:
                module, callback = _module(model, opened), ProgressOf(progress)
                batch = _batch(model)
                outcomes = [
                    evaluate(module, opened, one, batch=batch, callback=callback, members=members)
                    for one in parts
                ]
                if len(parts) == 1:
                    return outcomes[0]
                each = [outcome.answers for outcome in outcomes]
            else:
                each = [_by_views(model, opened, one, tta, progress) for one in parts]
    except BadImage as error:  # the file has changed since it was checked
        raise SpecError([Diagnostic("bad-files", str(error))]) from None
    labels = [opened.stores[one].labels.cpu() for one in parts]
    return outcome_of(
        part,
        torch.cat(each),
        torch.cat(labels),
        opened.task,
        opened.loss,
    )


def _dense(
    model: TrainedModel,
    opened: Opened,
    name: str,
    parts: Sequence[str],
    tta: Tta | None,
    progress: Progress,
    members: Sequence[Tally],
) -> Outcome:
    """The outcome for masks and images, whose answers are not kept: the counts of all parts are
    added up."""
    total = opened.task.counts(opened.loss, opened.device).thorough()
    module, quality = _module(model, opened), []
    for part in parts:
        if tta is None:
            measured = measure(
                module, opened, part,
                batch=_batch(model), callback=ProgressOf(progress), members=members,
            )  # fmt: skip
        elif isinstance(opened.task, MultiTask):
            measured = _views_of_each(model, opened, opened.task, part, tta, progress)
        else:
            measured = whole_views(model, opened, part, tta, progress)
        total.add_counts(measured.tally)
        quality.append(measured.answers)
    labels = torch.cat([opened.stores[part].labels.cpu() for part in parts])
    outcome = Measured(total, torch.cat(quality), opened.task).outcome(name, labels)
    return without_likelihood(outcome) if tta is not None else outcome


def _views_of_each(
    model: TrainedModel,
    opened: Opened,
    task: MultiTask,
    part: str,
    tta: Tta,
    progress: Progress,
) -> Measured:
    """The counts for several outputs, averaged over views: of maps over those of the whole image,
    of the other answers over those that `tta` names."""
    tally = task.counts(opened.loss, opened.device)
    assert isinstance(tally, MultiTally)
    tally.thorough()
    labels = opened.stores[part].labels.cpu()
    rest, columns = without_maps(model, task), []
    others: Iterator[tuple[One, Tensor]] = iter(())
    if rest is not None:
        assert isinstance(rest.task, MultiTask)
        others = rest.task.answered(_by_views(rest, opened, part, tta, progress))
    for (one, row), own in zip(task.rows(labels), tally.each, strict=True):
        known = one.known(row).nonzero().squeeze(1)
        if one.answer.is_map:
            columns.append(
                quality_of_views(
                    of_map(model, task, one), opened, part, own, known.tolist(), one, tta, progress
                )
            )  # fmt: skip
            continue
        _, answers = next(others)
        columns.append(answers)
        if len(known):
            outputs = one.task.outputs(answers[known])
            unknown = one.answer.outputs - outputs.shape[1]
            outputs = F.pad(outputs, (0, max(0, unknown)), value=torch.nan).to(opened.device)
            own.add(outputs, one.read(row[known]).to(opened.device))
    tally.sum_up(len(labels))
    return Measured(tally, stacked(columns), task)


def _module(model: TrainedModel, opened: Opened) -> nn.Module:
    """The network, or those of an ensemble as one module."""
    if len(model.modules) == 1:
        return model.modules[0]
    return EnsembleModule(model.modules, opened.task).eval()


def _batch(model: TrainedModel) -> int:
    network, train = model.request.network, model.plan.train
    if len(model.modules) > 1:
        return train.batch.size
    return evaluation_batch(network, train, FULL, model.device, train.batch.size)


def _by_views(
    model: TrainedModel, opened: Opened, part: str, tta: Tta, progress: Progress
) -> Tensor:
    """The answers to a part, averaged over the views of each image. Threads read the next
    images while the networks work on these."""
    views, count = TtaViews(tta, opened.preparation.fit), len(opened.stores[part])

    def read(index: int) -> Tensor:
        return views(original(opened, part, index))

    parts = []
    with quiet(), ThreadPoolExecutor(min(8, cores())) as pool:
        starts = range(0, count, _TOGETHER)
        batches = [range(start, min(start + _TOGETHER, count)) for start in starts]
        reading = [pool.submit(read, index) for index in batches[0]] if batches else []
        for number, batch in enumerate(batches):
            progress(_WHAT, batch.start, count)
            images = [each.result() for each in reading]
            following = batches[number + 1] if number + 1 < len(batches) else ()
            reading = [pool.submit(read, index) for index in following]
            parts.append(averaged_answers(model, opened.preparation, images, tta))
    progress(_WHAT, count, count)
    return torch.cat(parts)


_WHAT = "evaluating"


class ProgressOf(Callback):
    """Reports the progress of an evaluation."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        self._progress(_WHAT, batch, batches)


# ---- errors ------------------------------------------------------------------------------------


def tta_of(plan: TrainPlan) -> Tta:
    """The `tta` directive of a plan; raises SpecError if there is none."""
    if plan.evaluate.tta is not None:
        return plan.evaluate.tta
    raise SpecError(
        [
            Diagnostic(
                "no-tta",
                "the spec does not say which views of an image to average",
                help="write `evaluate { tta crops=10 }` into it, or add"
                ' `--set evaluate.tta="flip"`',
            )
        ]
    )


def _no_part(part: str, opened: Opened) -> SpecError:
    there = listed([f"`{name}`" for name in opened.stores])
    message = f"the data has no part `{part}`; it has {there}"
    return SpecError([Diagnostic("no-part", message, opened.plan.train.data.place("path"))])
