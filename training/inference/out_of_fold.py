"""Evaluates a cross-validation: each image with the network that was not trained on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from ...compiler.plan.evaluate import Tta
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.joined_folds import OutOfFold
from ..data.loader.fold_stores import FoldStores
from ..data.loader.thread_pool import Progress, unwatched
from ..data.opened import Opened
from ..metrics.evaluation import Measured, measure
from ..metrics.outcome import Outcome
from .evaluate import ProgressOf, assess, data_of, with_thresholds
from .trained_model import TrainedModel


def is_cross_validated(model: TrainedModel) -> bool:
    """Whether a model has the networks of all folds, and its data is still divided into them."""
    data = model.plan.train.data
    return data.cross_validated and len(model.modules) == data.folds


def fold_model(model: TrainedModel, number: int) -> TrainedModel:
    """The network of one fold, with the data divided as for it."""
    request = model.request
    train = request.plan.train
    plan = replace(request.plan, train=replace(train, data=train.data.replace(fold=number)))
    own = replace(request, plan=plan)
    return replace(model, request=own, modules=(model.modules[number - 1],))


def out_of_fold(
    model: TrainedModel,
    progress: Progress = unwatched,
    folds: FoldStores | None = None,
) -> tuple[Outcome, OutOfFold]:
    """The outcome for all training images of the data, and these. `folds` has them decoded, after
    training."""
    folds = folds or FoldStores()
    each, opened = [], []
    callback = ProgressOf(progress)
    for number in range(1, len(model.modules) + 1):
        one = fold_model(model, number)
        data = with_thresholds(data_of(one, progress, folds), model.tasks[number - 1])
        each.append(measure(one.modules[0].eval(), data, "val", callback=callback))
        opened.append(data)
    total = opened[0].task.tally(opened[0].loss, opened[0].device).thorough()
    for measured in each:
        total.add_counts(measured.tally)
    labels = torch.cat([data.stores["val"].labels.cpu() for data in opened])
    answers = torch.cat([measured.answers for measured in each])
    outcome = Measured(total, answers, opened[0].task).outcome("val", labels)
    return outcome, OutOfFold.of(opened)


def assess_each(
    model: TrainedModel,
    part: str = "val",
    *,
    tta: Tta | None = None,
    progress: Progress = unwatched,
    look: Callable[[Opened], None] = lambda data: None,
) -> tuple[Outcome, Opened]:
    """Evaluates a model on its data, and gives that. The part `val` of a cross-validation is all
    images, each with the network that was not trained on it; any other data is answered by all of
    its networks together. `look` looks at the data before it is evaluated. Raises SpecError."""
    if not is_cross_validated(model) or part == "test":
        data = data_of(model, progress)
        look(data)
        return assess(model, data, part, tta=tta, progress=progress), data
    if part != "val":
        message = (
            f"there is no part `{part}` of a cross-validation: each image is for training in all"
            " folds but one, and for validation in that one"
        )
        help = "leave `--part` out; or name the folder of one network, like RUN/1"
        raise SpecError([Diagnostic("no-part", message, help=help)])
    if tta is not None:
        message = "test-time augmentation of a cross-validation is measured fold by fold"
        help = "name the folder of one network, like RUN/1; or other images, with `--data`"
        raise SpecError([Diagnostic("conflict", message, help=help)])
    return out_of_fold(model, progress)
