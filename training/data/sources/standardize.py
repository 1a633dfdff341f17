"""Standardizes labels that are numbers: by the mean and the deviation of the training labels."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...tasks.regression import Scale
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


def _of_training(divided: Divided) -> Scale:
    """The scale of the training set. A number that is the same for all its images keeps its
    unit."""
    labels = divided.parts["train"].labels.double()
    known = ~labels.isnan()
    counts = known.sum(0).clamp(min=1)
    means = torch.where(known, labels, 0.0).sum(0) / counts
    squares = torch.where(known, (labels - means) ** 2, 0.0).sum(0) / counts
    deviations = torch.where(squares > 0, squares.sqrt(), 1.0)
    return Scale(_short(means), _short(deviations))


def _short(values: Tensor) -> tuple[float, ...]:
    return tuple(float(f"{value:.9g}") for value in values.tolist())
