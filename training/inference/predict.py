"""Images to classes and probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...compiler.plan.evaluate import Tta
from ...compiler.shapes import Shape
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.images.array_file import ENDINGS, images_in_file
from ..data.images.decode import decode
from ..data.images.image_file import BadImage, quiet
from ..data.images.in_memory import is_batch
from ..data.images.preprocessing import Preparation
from ..data.loader.memory_budget import cores
from ..data.sources.file_names import clean, is_image
from ..metrics.evaluation import probabilities_of
from .trained_model import TrainedModel
from .tta import TtaViews

_TOGETHER = 64
"""Images that are read before the network sees them."""


class Guess(NamedTuple):
    name: str
    """Of the class."""
    probability: float


class Prediction(NamedTuple):
    """Of one image."""

    image: str
    guesses: tuple[Guess, ...]
    """The likeliest first; none where the image cannot be used."""
    reason: str = ""
    """Why it cannot."""


Image = Any
"""A path, the bytes of a file, an image of Pillow's, or an array of one; or why there is none."""


def predict(
    ready: TrainedModel,
    images: Sequence[tuple[str, Image]],
    *,
    top: int = 5,
    tta: Tta | None = None,
) -> Iterator[Prediction]:
    """In the order of the images, of which each comes with its name; raises SpecError where nothing
    is known of the classes, or of preprocessing."""
    preparation, classes = _known(ready)
    views = TtaViews(tta, preparation.fit) if tta is not None else None

    def read(image: Image) -> Tensor | str:
        if isinstance(image, BadImage):
            return image.reason
        try:
            pixels = decode(image, preparation.channels)
            return views(pixels) if views is not None else preparation.fit(pixels)[None]
        except BadImage as error:
            return error.reason

    with quiet(), ThreadPoolExecutor(min(8, cores())) as pool:
        for start in range(0, len(images), _TOGETHER):
            part = images[start : start + _TOGETHER]
            found = list(pool.map(read, [image for _, image in part]))
            seen = [each for each in found if isinstance(each, Tensor)]
            answers = iter(probabilities(ready, preparation, seen))
            for (name, _), each in zip(part, found, strict=True):
                if isinstance(each, str):
                    yield Prediction(name, (), each)
                else:
                    yield Prediction(name, _guesses(next(answers), classes, top))


def probabilities(ready: TrainedModel, preparation: Preparation, views: Sequence[Tensor]) -> Tensor:
    """Of each image the mean over its views, of which there are one or more, and over all networks.
    float32, images x classes, on the CPU."""
    if not views:
        return torch.empty(0, 0)
    counts = [len(each) for each in views]
    images = preparation.prepare(torch.cat(list(views)).to(ready.device))
    total: Tensor | None = None
    with torch.inference_mode():
        for module in ready.modules:
            parts = torch.split(images, _TOGETHER)
            multi_label = bool(ready.multi_label)
            answers = torch.cat([probabilities_of(module(part), multi_label) for part in parts])
            total = answers if total is None else total + answers
    assert total is not None
    mean = (total / len(ready.modules)).cpu()
    each = torch.split(mean, counts)
    return torch.stack([found.mean(0) for found in each])


def _guesses(answer: Tensor, classes: Sequence[str], top: int) -> tuple[Guess, ...]:
    best = answer.topk(min(top, len(answer)))
    return tuple(
        Guess(classes[index], value)
        for value, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )


def _known(ready: TrainedModel) -> tuple[Preparation, tuple[str, ...]]:
    if ready.preparation is not None and ready.classes is not None:
        return ready.preparation, ready.classes
    message = f"{ready.name} does not record its classes or its preprocessing"
    help = "use the best.safetensors that `cnn train` wrote, or the folder of its run"
    raise SpecError([Diagnostic("no-classes", message, help=help)])


def named_images(images: Any) -> list[tuple[str, Any]]:
    """One image or several, however a program has them, each with a name to show."""
    several = isinstance(images, Sequence) and not isinstance(images, (str, bytes))
    if not several and not is_batch(images):
        images = [images]
    return [
        (str(image) if isinstance(image, (str, os.PathLike)) else f"image {place}", image)
        for place, image in enumerate(images)
    ]


def found_in(paths: Sequence[str], shape: Shape) -> list[tuple[str, Image]]:
    """Each file with its name; of a folder all images in it and below it, in order. The images of
    `.npy` and `.npz` are arranged for a network that takes this shape."""
    found: list[tuple[str, Image]] = []
    for path in paths:
        if os.path.isdir(path):
            inside = sorted(
                file
                for file in Path(path).rglob("*")
                if is_image(file.name)
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
            found += [(clean(str(file)), str(file)) for file in inside]
        elif path.lower().endswith(ENDINGS):
            found += _in_arrays(path, shape)
        else:
            found.append((clean(path), path))
    return found


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
