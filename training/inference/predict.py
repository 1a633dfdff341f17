"""Predicts classes or numbers with a trained network: `cnn predict` and `dotcnn.predict`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.plan.evaluate import Tta
from ...compiler.shapes import Shape
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.diagnostic import plural_noun
from ..data.images.array_file import ENDINGS, images_in_file
from ..data.images.image_file import BadImage, quiet
from ..data.images.in_memory import is_array, is_batch
from ..data.images.preprocessing import Preparation
from ..data.loader.memory_budget import cores
from ..data.samples.sample_endings import may_hold
from ..data.samples.sample_file import samples_in, several_in
from ..data.samples.sample_layout import noun_of
from ..data.sources.file_names import clean, is_image
from ..data.sources.shards import has_shards
from ..runtime.devices import using
from ..runtime.memory_errors import with_fewer
from ..tasks.multi_label import MultiLabel
from ..tasks.multi_task import MultiTask
from ..tasks.task import Task
from .each_output import predict_each, without_maps
from .predict_whole import predict_whole
from .prediction import Guess, Image, PredictedNumber, Prediction
from .trained_model import TrainedModel
from .tta import TtaViews, averaged

_TOGETHER = 64
"""The number of images that are classified at a time."""


def predict(
    model: TrainedModel,
    images: Sequence[tuple[str, Image]],
    *,
    top: int = 5,
    tta: Tta | None = None,
) -> Iterator[Prediction]:
    """The predictions for images, each given with its name, in their order. Raises SpecError if the
    model does not record its classes or its preprocessing."""
    preparation, task = _known(model)
    if task.dense:
        yield from predict_whole(model, preparation, images, tta=tta)
        return
    if isinstance(task, MultiTask) and task.has_maps:
        rest = without_maps(model, task)
        others = predict(rest, images, top=top, tta=tta) if rest is not None else None
        yield from predict_each(model, task, preparation, images, others, tta=tta)
        return
    views = TtaViews(tta, preparation.fit) if tta is not None else None

    def read(image: Image) -> Tensor | str:
        if isinstance(image, BadImage):
            return image.reason
        try:
            pixels = preparation.read(image)
            return views(pixels) if views is not None else preparation.sizing(pixels)[None]
        except BadImage as error:
            return error.reason

    with quiet(), ThreadPoolExecutor(min(8, cores())) as pool:
        for start in range(0, len(images), _TOGETHER):
            part = images[start : start + _TOGETHER]
            pixels_or_reasons = list(pool.map(read, [image for _, image in part]))
            readable = [each for each in pixels_or_reasons if isinstance(each, Tensor)]
            answers = iter(averaged_answers(model, preparation, readable, tta))
            for (name, _), each in zip(part, pixels_or_reasons, strict=True):
                if isinstance(each, str):
                    yield Prediction(name, (), each)
                else:
                    yield _prediction(name, next(answers), task, top)


def averaged_answers(
    model: TrainedModel,
    preparation: Preparation,
    views: Sequence[Tensor],
    tta: Tta | None = None,
) -> Tensor:
    """The answers to images (probabilities, or numbers), averaged over the views of each image and
    over all networks: float32, images x classes, on the CPU. `tta` is what made the views."""
    if not views:
        return torch.empty(0, 0)
    counts = [len(each) for each in views]
    of_logits = tta is not None and tta.average == "logits"
    _, task = _known(model)

    def logits_of(module: nn.Module, batch: int) -> list[Tensor]:
        return [
            task.packed(module(preparation.prepare(part.to(model.device)))).float()
            for part in torch.split(pixels, batch)
        ]

    total: Tensor | None = None
    pixels = torch.cat(list(views))
    with using(model.device), torch.inference_mode():
        for module in model.modules:
            logits = with_fewer(partial(logits_of, module), min(_TOGETHER, len(pixels)))
            answers = torch.cat(logits if of_logits else [task.answers(part) for part in logits])
            each = torch.stack([averaged(part, tta) for part in torch.split(answers, counts)])
            each = task.answers(each) if of_logits else each
            total = each if total is None else total + each
    assert total is not None
    return (total / len(model.modules)).cpu()


def _prediction(name: str, answer: Tensor, task: Task, top: int) -> Prediction:
    if isinstance(task, MultiTask):
        each = task.answered(answer)
        return Prediction(
            name, (), outputs={one.name: _prediction(name, own, one.task, top) for one, own in each}
        )
    if task.numbers:
        values = zip(task.classes, answer.tolist(), strict=True)
        return Prediction(name, (), numbers=tuple(PredictedNumber(*each) for each in values))
    if isinstance(task, MultiLabel):
        every = _guesses(answer, task.classes, len(answer))
        above = {task.classes[i] for i in task.present(answer).nonzero().flatten().tolist()}
        present = tuple(guess for guess in every if guess.name in above)
        return Prediction(name, every[:top], present=present)
    return Prediction(name, _guesses(answer, task.classes, top))


def _guesses(answer: Tensor, classes: Sequence[str], top: int) -> tuple[Guess, ...]:
    best = answer.topk(min(top, len(answer)))
    return tuple(
        Guess(classes[index], value)
        for value, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )


def _known(model: TrainedModel) -> tuple[Preparation, Task]:
    if model.preparation is not None and model.task is not None:
        return model.preparation, model.task
    message = f"{model.name} does not record its classes or its preprocessing"
    help = "use the best.safetensors that `cnn train` wrote, or the folder of its run"
    raise SpecError([Diagnostic("no-classes", message, help=help)])


def named_images(images: Any, shape: Shape) -> list[tuple[str, Any]]:
    """The images, series or scans that a program passes, one or several, each with a name to show.
    `shape` is that of the input of the network."""
    several = isinstance(images, Sequence) and not isinstance(images, (str, bytes))
    noun = noun_of(shape)
    if noun == "image":
        together = is_batch(images)
    else:
        together = is_array(images) and several_in(images, shape)
    if not several and not together:
        images = [images]
    return [
        (str(image) if isinstance(image, (str, os.PathLike)) else f"{noun} {place}", image)
        for place, image in enumerate(images)
    ]


def found_in(paths: Sequence[str], shape: Shape) -> list[tuple[str, Image]]:
    """The images of files and folders, each with its name. Of a folder, all images in it and below
    it are used, in order. Images in `.npy` and `.npz` files are converted for this input shape. Of
    a network that takes series or scans, all files that may hold some are used."""
    images: list[tuple[str, Image]] = []
    of_images = noun_of(shape) == "image"
    wanted = is_image if of_images else partial(may_hold, shape=shape)
    for path in paths:
        if os.path.isdir(path):
            inside = sorted(
                file
                for file in Path(path).rglob("*")
                if wanted(file.name)
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
            for file in map(str, inside):
                images += [(clean(file), file)] if of_images else samples_in(file, shape)
        elif not of_images:
            images += samples_in(path, shape)
        elif path.lower().endswith(ENDINGS):
            images += _in_arrays(path, shape)
        else:
            images.append((clean(path), path))
    return images


def nothing_in(paths: Sequence[str], noun: str = "image") -> str:
    """Says that files and folders have nothing that `found_in` finds."""
    message = f"there are no {plural_noun(noun)} in {', '.join(map(clean, paths))}"
    packed = next((path for path in paths if has_shards(Path(path))), None)
    if packed is not None:
        path = clean(packed)
        message += f"; it has tar files, which `cnn evaluate RUN --data {path}` measures"
    return message


def _in_arrays(path: str, shape: Shape) -> list[tuple[str, Image]]:
    try:
        images = images_in_file(Path(path), shape)
    except BadImage as error:
        return [(clean(path), error)]
    many = len(images) > 1
    return [
        (f"{clean(path)}#{number}" if many else clean(path), image.permute(1, 2, 0))
        for number, image in enumerate(images)
    ]
