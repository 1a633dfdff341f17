"""The task of a data set, by the word that its description and the metadata of weights have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ...compiler.plan.loss import Loss
from .answer import NO_SCALE, Answer, Scale
from .classification import Classification
from .image_to_image import ImageToImage
from .multi_label import MultiLabel
from .multi_task import MultiTask, One
from .regression import Regression
from .segmentation import Segmentation
from .task import Task

TASKS: Mapping[str, type[Task]] = {
    task.word: task for task in (Classification, MultiLabel, Segmentation, Regression, ImageToImage)
}


_IN_0_1 = {"no": "classification", "yes": "multi_label"}


def recorded(about: Mapping[str, str]) -> str:
    """The word of the task in the metadata of weights; empty if they do not record it. Version
    0.1.0 wrote whether an image may have several classes."""
    return about.get("task") or _IN_0_1.get(about.get("several", ""), "")


def task_of(
    word: str,
    classes: Sequence[str],
    scale: Scale = NO_SCALE,
    thresholds: Sequence[float] = (),
    ends_in: str = "",
) -> Task:
    """The task `word` of one output, for these classes, or for numbers or images of this scale.
    `thresholds` are those of several classes, if they are known; `ends_in` is the last layer of a
    network, if it gives probabilities."""
    if word == MultiLabel.word:
        return MultiLabel(tuple(classes), tuple(thresholds))
    if word == Regression.word:
        return Regression(tuple(classes), *scale)
    if word == ImageToImage.word:
        known = scale if scale.means else Scale((0.0,), (1.0,))
        return ImageToImage(tuple(classes), *known, ends_in)
    return TASKS[word](tuple(classes))


def recorded_thresholds(about: Mapping[str, str], classes: int) -> tuple[float, ...]:
    """The thresholds in the metadata of weights, one for each class; if there are none, 50 %."""
    numbers = tuple(map(float, json.loads(about.get("thresholds", "[]"))))
    return numbers if len(numbers) == classes else (0.5,) * classes


def several_tasks(answers: Sequence[Answer], losses: Sequence[Loss] = ()) -> MultiTask:
    """The tasks of several outputs; of those of a trained network, losses may be unknown."""
    of = {loss.output: loss for loss in losses}
    each = []
    for answer in answers:
        task = task_of(answer.task, answer.classes, answer.scale, answer.thresholds, answer.ends_in)
        loss = task.loss_for(of[answer.output]) if answer.output in of else None
        if loss is not None:
            loss = loss.replace(output=answer.output, weight=of[answer.output].weight)
            answer = answer._replace(outputs=task.outputs_for(loss))
        each.append(One(answer, task, loss))
    return MultiTask.of(each)


def recorded_task(about: Mapping[str, str], classes: Sequence[str]) -> Task | None:
    """The task in the metadata of weights; None if they do not say it."""
    word = recorded(about) or Classification.word
    if word == MultiTask.word:
        try:
            answers = [Answer.from_json(entry) for entry in json.loads(about["answers"])]
        except (KeyError, TypeError, ValueError):  # not written by `cnn train`
            return None
        return several_tasks(answers)
    if word not in TASKS:
        return None
    thresholds = recorded_thresholds(about, len(classes))
    return task_of(word, classes, recorded_scale(about), thresholds, about.get("ends_in", ""))


def recorded_scale(about: Mapping[str, str]) -> Scale:
    """The scale of numbers, or of images, in the metadata of weights."""
    means, deviations = (json.loads(about.get(key, "[]")) for key in Scale._fields)
    return Scale(tuple(map(float, means)), tuple(map(float, deviations)))
