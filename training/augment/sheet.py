"""The contact sheet of `cnn augment`: training images, augmented, and after each directive alone.

Each column is an image. The rows below the originals are epochs: they show each image as the
network would see it in that epoch. Then comes every directive alone, with the random numbers that
it has in the first epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...compiler.plan.augment.augmentation import Augmentation
from ...compiler.plan.fusion import Fusion, crop_when_read, fuse, only
from ..data.open import Opened
from .build import augmenter_of


@dataclass(frozen=True)
class Row:
    label: str
    images: tuple[Tensor, ...]
    """uint8, one or three channels."""


@dataclass(frozen=True)
class Group:
    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Sheet:
    title: str
    subtitle: str
    names: tuple[str, ...]
    """The headings of the columns: the classes of the images."""
    groups: tuple[Group, ...]


def sheet(opened: Opened, images: int = 8, epochs: int = 6) -> Sheet:
    """The contact sheet of a data set, with the first images of each class in turn."""
    plan, data = opened.plan, opened.dataset
    indices = in_turn(opened, images)
    batch = torch.stack([opened.image("train", index) for index in indices])
    labels = opened.stores["train"].labels.cpu()[indices]
    fusion = fuse(plan)
    together = [
        Row(
            f"epoch {epoch + 1}",
            shown(opened, fusion, opened.training_images(indices, epoch), indices, labels, epoch),
        )
        for epoch in range(epochs)
    ]
    alone = []
    crop = crop_when_read(plan)
    for number, directive in enumerate(plan.augment):
        one = only(number, plan.augment, fusion.input_size, fusion.channels)
        if crop is not None and number in crop.numbers:
            if number == crop.step.number:
                cut = opened.training_images(indices, 0)
                alone.append(Row(as_written(directive), tuple(map(viewed, cut))))
        elif one.passes:
            augmented = shown(opened, one, batch, indices, labels, 0)
            alone.append(Row(as_written(directive), augmented))
    originals = Group("As they are", (Row("original", tuple(map(viewed, batch))),))
    groups = (
        originals,
        Group("As the network sees them", tuple(together)),
        Group("Each directive separately", tuple(alone)),
    )
    names = ("several",) * len(indices)
    if not data.multi_label:
        names = tuple(data.classes[int(label)] for label in labels)
    size = "x".join(map(str, batch.shape[1:]))
    subtitle = f"{data.name}: images are {size}, seed {plan.train.seed.value}"
    return Sheet(f"Augmentation of {plan.network}", subtitle, names, groups)


def in_turn(opened: Opened, count: int) -> list[int]:
    """Indices of the first image of each class, then of the second of each, and so on."""
    labels = opened.stores["train"].labels.cpu()
    kinds = labels.argmax(1) if labels.ndim == 2 else labels
    seen: dict[int, int] = {}
    places = []
    for index, kind in enumerate(kinds.tolist()):
        seen[kind] = seen.get(kind, 0) + 1
        places.append((seen[kind], kind, index))
    return [index for _, _, index in sorted(places)[:count]]


def shown(
    opened: Opened, fusion: Fusion, batch: Tensor, indices: list[int], labels: Tensor, epoch: int
) -> tuple[Tensor, ...]:
    """Augmented images as pixels: the normalization is undone."""
    preparation, plan = opened.preparation, opened.plan
    augment = augmenter_of(fusion, preparation, plan.train.seed.value, len(opened.dataset.classes))
    guests = torch.arange(len(batch) + augment.guests) % len(batch)
    augmented, _ = augment(batch[guests], labels[guests], torch.tensor(indices)[guests], epoch)
    std, mean = (torch.tensor(each).view(-1, 1, 1) for each in (preparation.std, preparation.mean))
    pixels = (augmented * std + mean) / preparation.scale
    if preparation.order == "bgr":
        pixels = pixels.flip(1)
    return tuple(map(viewed, pixels.round().clamp(0, 255).to(torch.uint8)))


def viewed(image: Tensor) -> Tensor:
    """The image with one channel or three, which can be shown."""
    if image.shape[0] in (1, 3):
        return image
    return image[:3] if image.shape[0] > 3 else image[:1]


def as_written(directive: Augmentation) -> str:
    """A directive as the spec has it, on one line."""
    return " ".join((directive.span.text if directive.span else str(directive)).split())


LEAST, MOST = 96, 144
"""Limits of the longer side of an image on the sheet; the pixels of small images are drawn as
squares."""


def shown_side(groups: Sequence[Group]) -> int:
    """The longer side of the largest image on the sheet."""
    longest = max(
        max(image.shape[-2:]) for one in groups for row in one.rows for image in row.images
    )
    return min(longest, MOST) if longest >= LEAST else longest * (LEAST // longest)


def shown_size(image: Tensor, side: int) -> tuple[int, int]:
    """Height and width of an image on the sheet."""
    height, width = image.shape[-2:]
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))
