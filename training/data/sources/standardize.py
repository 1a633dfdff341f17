"""Standardizes labels that are numbers: by the mean and the deviation of the training labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ...tasks.answer import Scale
from ..loader.image_source import Contents, ImageSource
from .divide import Divided


def standardized(
    contents: Contents, divided: Divided, scale: Scale | None = None
) -> tuple[Contents, Divided]:
    """The data set with numbers of the mean 0 and the deviation 1, and their scale: that of the
    training set, or the `scale` by which a network was trained before."""
    if scale is None or len(scale.means) != len(contents.classes):
        scale = _of_training(divided)
    means = torch.tensor(scale.means, dtype=torch.float64)
    deviations = torch.tensor(scale.deviations, dtype=torch.float64)

    def of_part(source: ImageSource) -> ImageSource:
        return replace(source, labels=((source.labels.double() - means) / deviations).float())

    parts = {name: of_part(source) for name, source in divided.parts.items()}
    return replace(contents, scale=scale), divided._replace(parts=parts)


def each_standardized(
    contents: Contents, divided: Divided, known: Mapping[str, Scale]
) -> tuple[Contents, Divided]:
    """The same where labels are rows for several outputs; `known` has the scale of each output of
    a network that was trained before. And whether a label is missing anywhere is noted."""
    parts = {name: source.labels.double() for name, source in divided.parts.items()}
    answers, start = [], 0
    for answer in contents.answers:
        columns = slice(start, start + answer.labels)
        start = columns.stop
        if answer.task == "regression":
            scale = known.get(answer.output) or _scale(parts["train"][:, columns])
            means, deviations = (torch.tensor(each, dtype=torch.float64) for each in scale)
            for labels in parts.values():
                labels[:, columns] = (labels[:, columns] - means) / deviations
            answer = answer._replace(scale=scale)
        complete = not any(bool(labels[:, columns].isnan().any()) for labels in parts.values())
        answers.append(answer._replace(complete=complete))
    sources = {
        name: replace(source, labels=parts[name].float()) for name, source in divided.parts.items()
    }
    return replace(contents, answers=tuple(answers)), divided._replace(parts=sources)


def _of_training(divided: Divided) -> Scale:
    return _scale(divided.parts["train"].labels.double())


def _scale(labels: Tensor) -> Scale:
    """The scale of the training set. A number that is the same for all its images keeps its
    unit."""
    known = ~labels.isnan()
    counts = known.sum(0).clamp(min=1)
    means = torch.where(known, labels, 0.0).sum(0) / counts
    squares = torch.where(known, (labels - means) ** 2, 0.0).sum(0) / counts
    deviations = torch.where(squares > 0, squares.sqrt(), 1.0)
    return Scale(_short(means), _short(deviations))


def _short(values: Tensor) -> tuple[float, ...]:
    return tuple(float(f"{value:.9g}") for value in values.tolist())
