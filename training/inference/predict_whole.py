"""Predicts the masks of images, or the images that a network makes of them, of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import torch
from torch import Tensor

from ...compiler.plan.evaluate import Tta
from ..data.images.image_file import BadImage, quiet
from ..data.images.preprocessing import Preparation
from ..data.loader.memory_budget import cores
from ..masks.tiling import Tiling
from ..runtime.devices import using
from .prediction import Image, Prediction, Share
from .trained_model import TrainedModel
from .whole_image import WholeImages, resized_outputs

_TOGETHER = 8
"""The number of images that are read at a time."""


def predict_whole(
    model: TrainedModel,
    preparation: Preparation,
    images: Sequence[tuple[str, Image]],
    *,
    tta: Tta | None = None,
) -> Iterator[Prediction]:
    """The masks or images for images, each given with its name, in their order."""
    assert model.task is not None
    times = model.plan.enlarges if model.task.images else 1
    whole = WholeImages(
        model.modules,
        preparation,
        model.task,
        model.device,
        tta,
        tiling=Tiling.of(model.plan),
        enlarges=times,
    )

    def read(image: Image) -> Tensor | str:
        if isinstance(image, BadImage):
            return image.reason
        try:
            return preparation.read(image)
        except BadImage as error:
            return error.reason

    with quiet(), ThreadPoolExecutor(min(_TOGETHER, cores())) as pool:
        for start in range(0, len(images), _TOGETHER):
            part = images[start : start + _TOGETHER]
            read_images = pool.map(read, [image for _, image in part])
            pairs = zip((name for name, _ in part), read_images, strict=True)
            for pixels_or_none, group in groupby(pairs, key=lambda pair: _size(pair[1])):
                names_and_images = list(group)
                if pixels_or_none is None:
                    for name, reason in names_and_images:
                        yield Prediction(name, (), str(reason))
                else:
                    yield from _answers(whole, names_and_images)  # type: ignore[arg-type]


def _size(image: Tensor | str) -> tuple[int, ...] | None:
    return None if isinstance(image, str) else tuple(image.shape[1:])


def _answers(whole: WholeImages, images: Sequence[tuple[str, Tensor]]) -> Iterator[Prediction]:
    """The answers to images of the same size."""
    names = [name for name, _ in images]
    pixels = torch.stack([image for _, image in images])
    try:
        with using(whole.device):
            if whole.task.images:
                size = (pixels.shape[-2], pixels.shape[-1])
                yield from _pictures(whole, names, whole.outputs(pixels), size)
                return
            masks = [*whole.masks(pixels)]
    except BadImage as error:
        for name in names:
            yield Prediction(name, (), error.reason)
        return
    for name, mask in zip(names, masks, strict=True):
        yield Prediction(name, (), mask=mask, shares=shares_of(mask, whole.task.classes))


def _pictures(
    whole: WholeImages, names: Sequence[str], outputs: Tensor, size: tuple[int, int]
) -> Iterator[Prediction]:
    larger = whole.enlarges * size[0], whole.enlarges * size[1]
    for name, each in zip(names, outputs, strict=True):
        answer = whole.task.answers(resized_outputs(each[None], larger))[0]
        yield Prediction(name, (), picture=answer.cpu())


def shares_of(mask: Tensor, classes: Sequence[str]) -> tuple[Share, ...]:
    """How much of a mask each class covers that is in it, the largest first."""
    counts = mask.flatten().bincount(minlength=len(classes)).tolist()
    there = sorted((-count, number) for number, count in enumerate(counts) if count)
    return tuple(
        Share(classes[number], -count, -count / max(1, mask.numel())) for count, number in there
    )
