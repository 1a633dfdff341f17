"""Which classes are confused more, or less, than by the first run."""

from __future__ import annotations

from typing import NamedTuple

import numpy
from numpy.typing import NDArray

from ..answers.kept_answers import ONE_CLASS, OutputAnswers
from .contender import Contender, figures_of_classes
from .same_images import different_images

SHOWN = 10

DECISIVE = ("f1", "iou", "psnr", "r2")
"""The figure of a class by which it got better or worse."""


class ConfusionChange(NamedTuple):
    """Images of a class that are taken for another one: how many there were, and are."""

    true: str
    predicted: str
    before: float
    """By the first; of several seeds, the mean."""
    now: float


class ClassChange(NamedTuple):
    """A class, or a number or channel, by its own figure."""

    name: str
    figure: str
    before: float
    now: float


def confusion_changes(first: Contender, other: Contender, output: int) -> list[ConfusionChange]:
    """The pairs of classes whose confusions changed, those that changed most first; empty if
    images do not have one class, or are not the same."""
    one, two = _mean_confusion(first, output), _mean_confusion(other, output)
    if one is None or two is None or first.kept is None or other.kept is None:
        return []
    if different_images(first.kept, other.kept):
        return []
    classes = first.kept.outputs[output].classes
    pairs = sorted(
        (pair for pair in {*one, *two} if one.get(pair, 0) != two.get(pair, 0)),
        key=lambda pair: (-abs(two.get(pair, 0) - one.get(pair, 0)), pair),
    )
    return [
        ConfusionChange(
            classes[pair // len(classes)], classes[pair % len(classes)],
            one.get(pair, 0), two.get(pair, 0),
        )
        for pair in pairs
    ]  # fmt: skip


def _mean_confusion(contender: Contender, output: int) -> dict[int, float] | None:
    """The mistakes of a run, counted by true and predicted class; the mean over its seeds."""
    total: dict[int, float] = {}
    for answers in contender.answers:
        if answers is None or answers.outputs[output].task != ONE_CLASS:
            return None
        for pair, count in zip(*_mistakes(answers.outputs[output]), strict=True):
            total[int(pair)] = total.get(int(pair), 0) + int(count) / len(contender.answers)
    return total


def _mistakes(
    output: OutputAnswers,
) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
    label = output.arrays["label"].astype(numpy.int64)
    wrong = output.predicted != label
    pairs = label[wrong] * len(output.classes) + output.predicted[wrong]
    found, counts = numpy.unique(pairs, return_counts=True)
    return found, counts.astype(numpy.int64)


def class_changes(first: Contender, other: Contender) -> list[ClassChange]:
    """The classes whose figure changed, those that changed most first; empty if the images are
    known to be others."""
    one, two = first.kept, other.kept
    if one is not None and two is not None and different_images(one, two):
        return []
    before, now = _mean_figures(first), _mean_figures(other)
    changes = [
        ClassChange(name, figure, value, now[name, figure])
        for (name, figure), value in before.items()
        if (name, figure) in now and now[name, figure] != value
    ]
    return sorted(changes, key=lambda each: -abs(each.now - each.before))


def _mean_figures(contender: Contender) -> dict[tuple[str, str], float]:
    """The decisive figure of each class, the mean over seeds."""
    total: dict[tuple[str, str], float] = {}
    each = [figures_of_classes(run) for run in contender.runs]
    for figures in each:
        for name, own in figures.items():
            figure = next((key for key in DECISIVE if key in own), None)
            if figure is not None:
                value = total.get((name, figure), 0.0)
                total[name, figure] = value + own[figure] / len(each)
    return total
