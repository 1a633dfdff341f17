"""The networks of a cross-validation as one ensemble.

Each fold has its own mean and deviation of pixels and of labels. All networks get the input of the
first, and their outputs are to mean the same: what differs is converted before and after each.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.images.preprocessing import Preparation
from ..tasks.answer import Scale
from ..tasks.image_to_image import ImageToImage
from ..tasks.multi_task import MultiTask
from ..tasks.regression import Regression
from ..tasks.task import Task


def as_first(
    module: nn.Module,
    own: tuple[Preparation | None, Task | None],
    first: tuple[Preparation | None, Task | None],
) -> nn.Module:
    """A network that takes what `first` prepares and answers in its scale; the network itself if
    its own are the same."""
    prepared, task = own[0], own[1]
    same = prepared == first[0] and (task is None or _scales(task) == _scales(first[1]))
    if same or prepared is None or first[0] is None:
        return module
    return AsFirst(module, prepared, first[0], task, first[1])


class AsFirst(nn.Module):
    """A network between two conversions."""

    def __init__(
        self,
        module: nn.Module,
        own: Preparation,
        first: Preparation,
        task: Task | None,
        first_task: Task | None,
    ) -> None:
        super().__init__()
        self.module = module
        shape = (-1, *(1 for _ in (own.input or own.sample)[1:]))
        mean, std, first_mean, first_std = (
            torch.tensor(each, dtype=torch.float64)
            for each in (own.mean, own.std, first.mean, first.std)
        )
        self.register_buffer("factor", (first_std / std).float().view(shape), persistent=False)
        offset = ((first_mean - mean) / std).float().view(shape)
        self.register_buffer("offset", offset, persistent=False)
        self.task, self.first_task = task, first_task

    def forward(self, images: Tensor) -> Any:
        assert isinstance(self.factor, Tensor)
        assert isinstance(self.offset, Tensor)
        outputs = self.module(images * self.factor + self.offset)
        if self.task is None or self.first_task is None:
            return outputs
        return _converted(outputs, self.task, self.first_task)


def _scales(task: Task | None) -> list[Scale]:
    if isinstance(task, MultiTask):
        return [scale for one in task.each for scale in _scales(one.task)]
    if isinstance(task, Regression | ImageToImage):
        return [Scale(task.means, task.deviations)]
    return []


def _converted(outputs: Any, task: Task, first: Task) -> Any:
    if isinstance(task, MultiTask) and isinstance(first, MultiTask):
        pairs = zip(task.parts(outputs), first.each, strict=True)
        return [_converted(own, one.task, other.task) for (one, own), other in pairs]
    if not isinstance(outputs, Tensor):
        return [_converted(outputs[0], task, first), *outputs[1:]]
    if isinstance(task, ImageToImage) and isinstance(first, ImageToImage):
        if task.ends_in == "sigmoid":
            return outputs
        factor, offset = _between(task, first, outputs, (-1, 1, 1))
        return outputs * factor + offset
    if isinstance(task, Regression) and isinstance(first, Regression):
        factor, offset = _between(task, first, outputs, (-1,))
        numbers, variances = outputs[:, : len(factor)], outputs[:, len(factor) :]
        if variances.shape[1]:  # softplus gives the variance (`gaussian_nll`)
            wanted = F.softplus(variances) * factor**2
            variances = wanted + torch.log(-torch.expm1(-wanted))
        return torch.cat([numbers * factor + offset, variances], 1)
    return outputs


def _between(
    task: Regression | ImageToImage,
    first: Regression | ImageToImage,
    like: Tensor,
    shape: tuple[int, ...],
) -> tuple[Tensor, Tensor]:
    """Factor and offset from outputs in the scale of one task to that of another."""
    means, deviations, first_means, first_deviations = (
        torch.tensor(each, device=like.device, dtype=like.dtype).view(shape)
        for each in (task.means, task.deviations, first.means, first.deviations)
    )
    return deviations / first_deviations, (means - first_means) / first_deviations
