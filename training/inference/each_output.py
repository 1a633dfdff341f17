"""A network with several outputs of which some are maps: each map is answered as that of a network
with one output is, for the whole image; the other outputs are answered together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...compiler.plan.evaluate import Tta
from ..data.images.preprocessing import Preparation
from ..tasks.multi_task import MultiTask, One
from .chosen_outputs import Chosen
from .predict_whole import predict_whole
from .prediction import Image, Prediction
from .trained_model import TrainedModel


def of_map(model: TrainedModel, task: MultiTask, one: One) -> TrainedModel:
    """A model as if the map of one output was its only answer."""
    place = task.each.index(one)
    modules = tuple(Chosen(module, [place]).eval() for module in model.modules)
    return replace(model, modules=modules, task=one.task)


def without_maps(model: TrainedModel, task: MultiTask) -> TrainedModel | None:
    """A model without the outputs that are maps; None if all are."""
    places = [place for place, one in enumerate(task.each) if not one.answer.is_map]
    if not places:
        return None
    modules = tuple(Chosen(module, places).eval() for module in model.modules)
    return replace(
        model, modules=modules, task=MultiTask.of([task.each[place] for place in places])
    )


def predict_each(
    model: TrainedModel,
    task: MultiTask,
    preparation: Preparation,
    images: Sequence[tuple[str, Image]],
    others: Iterator[Prediction] | None,
    *,
    tta: Tta | None = None,
) -> Iterator[Prediction]:
    """The predictions of all outputs; `others` are those of the outputs that are not maps, for the
    same images."""
    maps = {
        one.name: predict_whole(of_map(model, task, one), preparation, images, tta=tta)
        for one in task.each
        if one.answer.is_map
    }
    for name, _ in images:
        own = {output: next(predictions) for output, predictions in maps.items()}
        rest = next(others) if others is not None else None
        reason = next((each.reason for each in (rest, *own.values()) if each and each.reason), "")
        if reason:
            yield Prediction(name, (), reason)
            continue
        found = {**own, **(rest.outputs if rest is not None else {})}
        yield Prediction(name, (), outputs={one.name: found[one.name] for one in task.each})


def stacked(columns: Sequence[Tensor]) -> Tensor:
    """What is kept of the answers of each output, side by side."""
    return torch.cat([each if each.ndim == 2 else each.unsqueeze(1) for each in columns], 1)
