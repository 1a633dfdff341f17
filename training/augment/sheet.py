"""The contact sheet of `cnn augment`: training images, augmented, and after each directive alone.

Each column is an image. The rows below the originals are epochs: they show each image as the
network would see it in that epoch. Then comes every directive alone, with the random numbers that
it has in the first epoch; if that changes little, with the difference, amplified; and with both
ends of each of its ranges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...compiler.language.values import interval
from ...compiler.plan.augment.augmentation import Augmentation
from ...compiler.plan.fusion import Fusion, crop_when_read, fuse, only
from ...compiler.plan.plan import TrainPlan
from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.images.visible import shown_by, visible
from ..data.loader.store import WholeImages
from ..data.opened import Opened
from ..masks.mask_overlay import mask_overlay
from ..show.pictures.side_by_side import of_each_input, side_by_side
from ..tasks.rows_with_maps import with_maps, without_maps
from .build import augmenter_of
from .random_crop import RandomCrop


@dataclass(frozen=True)
class Row:
    label: str
    images: tuple[Tensor, ...]
    """uint8, one or three channels."""


@dataclass(frozen=True)
class Pictures:
    """Images and, where labels are masks or images, these."""

    images: tuple[Tensor, ...]
    masks: Mapping[str, tuple[Tensor, ...]]
    """By what they are called; of a network with several outputs, those of each."""

    def rows(self, label: str) -> Iterator[Row]:
        yield Row(label, self.images)
        for name, masks in self.masks.items():
            yield Row(name, masks)


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
    with shown_by(opened.plan):
        return _sheet(opened, images, epochs)


def _sheet(opened: Opened, images: int, epochs: int) -> Sheet:
    plan, data = opened.plan, opened.dataset
    indices = in_turn(opened, images)
    batch = torch.stack([opened.image("train", index) for index in indices])
    labels = opened.stores["train"].labels.cpu()[indices]
    masks = opened.task.has_maps and not opened.task.images
    if opened.pairs is not None and opened.preparation.channels != opened.pairs.stored_channels:
        raise _unlike_targets(opened)
    if opened.pairs is not None and opened.pairs.enlarges > 1:
        raise _unlike_targets(opened)
    if behind := opened.task.behind.channels:
        read = torch.stack([opened.stores["train"].read(index) for index in indices])
        labels = with_maps(labels, read[:, -behind:])
    elif masks:
        labels = torch.stack([opened.mask("train", index) for index in indices])
    fusion = fuse(plan)
    together: list[Row] = []
    for epoch in range(epochs):
        read, of_epoch = opened.training_images(indices, epoch)
        of_epoch = of_epoch if masks else labels
        pictures = shown(opened, fusion, read, indices, of_epoch, epoch)
        together += pictures.rows(f"epoch {epoch + 1}")
    alone: list[Row] = []
    for number, directive in enumerate(plan.augment):
        augmented = _alone(opened, plan, number, batch, indices, labels)
        if augmented is None:
            continue
        alone += augmented.rows(directive.as_written)
        alone += difference(_viewed(opened, batch), augmented.images)
        for label, end in ends(directive):
            changed = replace(
                plan, augment=(*plan.augment[:number], end, *plan.augment[number + 1 :])
            )
            images_at_end = _alone(opened, changed, number, batch, indices, labels)
            if images_at_end is not None:
                alone += images_at_end.rows(label)
    original = Pictures(_viewed(opened, batch), _overlays(opened, batch, labels))
    originals = Group("As they are", tuple(original.rows("original")))
    groups = (
        originals,
        Group("As the network sees them", tuple(together)),
        Group("Each directive separately", tuple(alone)),
    )
    names = column_names(opened, indices)
    size = "x".join(map(str, batch.shape[1:]))
    subtitle = f"{data.name}: images are {size}, seed {plan.train.seed.value}"
    return Sheet(f"Augmentation of {plan.network}", subtitle, names, groups)


def column_names(opened: Opened, indices: Sequence[int]) -> tuple[str, ...]:
    """The classes of training images, or the names of those that have not one class."""
    data = opened.dataset
    if opened.task.dense or data.answers:
        return tuple(opened.name("train", index).rpartition("/")[2] for index in indices)
    if data.multi_label:
        return ("several",) * len(indices)
    labels = opened.stores["train"].labels.cpu()[list(indices)]
    return tuple(data.classes[int(label)] for label in labels)


def _alone(
    opened: Opened,
    plan: TrainPlan,
    number: int,
    batch: Tensor,
    indices: list[int],
    labels: Tensor,
) -> Pictures | None:
    """The images after one directive of a plan; None if it does nothing by itself."""
    crop, fusion = crop_when_read(plan), fuse(plan)
    if crop is not None and number in crop.numbers:
        store = opened.stores["train"]
        if number != crop.step.number or not isinstance(store, WholeImages):
            return None
        cut = RandomCrop(crop, plan.train.seed.value)
        masks = store.source.masks
        crops = cut([store.whole(index) for index in indices], 0, indices, masks=masks)
        images = crops[:, : crops.shape[1] - masks]
        own = crops[:, -1].to(torch.uint8)
        if behind := opened.task.behind.channels:
            images = crops[:, :-behind]
            own = with_maps(labels[:, : store.labels.shape[1]], crops[:, -behind:])
        return Pictures(_viewed(opened, images), _overlays(opened, images, own))
    one = only(number, plan.augment, fusion.input_size, fusion.channels)
    return shown(opened, one, batch, indices, labels, 0) if one.passes else None


def ends(directive: Augmentation) -> Iterator[tuple[str, Augmentation]]:
    """A directive at both ends of each of its ranges, always applied, with what to call that. Its
    other ranges change as little as possible meanwhile."""
    ranges = {
        name: directive.arguments[name]
        for name, field in directive.fields.items()
        if field.write is interval and directive.arguments[name] is not None
    }
    always = {"p": 1.0} if "p" in directive.fields else {}
    for name, (low, high) in ranges.items():
        if low == high:
            continue
        others = {other: (middle(*value),) * 2 for other, value in ranges.items() if other != name}
        for end in (low, high):
            label = f"{directive.word}: {name} {end:g}"
            yield label, directive.replace(**always, **others, **{name: (end, end)})


def middle(low: float, high: float) -> float:
    """The value of a range that changes nothing, if there is one: 0, or the factor 1."""
    return 0.0 if low <= 0 <= high else 1.0 if low < 1 < high else (low + high) / 2


SMALL = 16.0
"""Up to this mean difference of the levels from 0 to 255, a change is small."""
FACTORS = (2, 4, 8, 16, 32, 64)
"""By which a difference can be amplified; a larger one would show rounding."""
_BRIGHTEST = 0.995
"""The share of the differences that are to stay within black and white."""


def difference(before: Sequence[Tensor], after: Sequence[Tensor]) -> Iterator[Row]:
    """What has changed, amplified, if it is little: mid-gray is no change."""
    if any(one.shape != other.shape for one, other in zip(before, after, strict=True)):
        return
    changes = torch.stack([b.float() - a.float() for a, b in zip(before, after, strict=True)])
    size = changes.abs()
    if not 0 < float(size.mean()) <= SMALL:
        return
    sizes = size.flatten().sort().values
    most = max(1.0, float(sizes[min(len(sizes) - 1, int(_BRIGHTEST * len(sizes)))]))
    fitting = [factor for factor in FACTORS if factor * most <= 128]
    if fitting:
        pixels = (128 + fitting[-1] * changes).round().clamp(0, 255).to(torch.uint8)
        yield Row(f"difference, {fitting[-1]} times as strong; gray is no change", tuple(pixels))


def in_turn(opened: Opened, count: int) -> list[int]:
    """Indices of the first image of each class, then of the second of each, and so on."""
    labels = opened.stores["train"].labels.cpu()
    kinds = labels.nan_to_num(0.0).argmax(1) if labels.ndim == 2 else labels
    seen: dict[int, int] = {}
    places = []
    for index, kind in enumerate(kinds.tolist()):
        seen[kind] = seen.get(kind, 0) + 1
        places.append((seen[kind], kind, index))
    return [index for _, _, index in sorted(places)[:count]]


def shown(
    opened: Opened, fusion: Fusion, batch: Tensor, indices: list[int], labels: Tensor, epoch: int
) -> Pictures:
    """Augmented images as pixels: the normalization is undone."""
    preparation, plan = opened.preparation, opened.plan
    seed, classes = plan.train.seed.value, len(opened.dataset.classes)
    augment = augmenter_of(fusion, preparation, seed, classes, behind=opened.task.behind)
    guests = torch.arange(len(batch) + augment.guests) % len(batch)
    augmented, moved = augment(batch[guests], labels[guests], torch.tensor(indices)[guests], epoch)
    std, mean = (torch.tensor(each).view(-1, 1, 1) for each in (preparation.std, preparation.mean))
    pixels = (augmented * std + mean) / preparation.scale
    if preparation.order == "bgr":
        pixels = pixels.flip(1)
    if preparation.depth == 8:
        pixels = pixels.round().clamp(0, 255).to(torch.uint8)
    return Pictures(_viewed(opened, pixels), _overlays(opened, pixels, moved))


def _unlike_targets(opened: Opened) -> SpecError:
    message = (
        "the sheet shows images beside their targets, and here these differ in size or channels"
    )
    place = opened.plan.train.data.place("path")
    return SpecError([Diagnostic("no-sheet", message, place)])


def _overlays(opened: Opened, images: Tensor, labels: Tensor) -> dict[str, tuple[Tensor, ...]]:
    """The masks of images, in color over them; empty if labels are not masks."""
    inputs = opened.preparation.inputs

    def over(masks: Tensor, classes: Sequence[str]) -> tuple[Tensor, ...]:
        return tuple(
            mask_overlay(visible(of_each_input(image, inputs)[0]), mask, classes)
            for image, mask in zip(images, masks.to(torch.uint8), strict=True)
        )

    if behind := opened.task.behind.channels:
        _, maps = without_maps(labels, behind, images.shape[-2:])
        rows, start = {}, 0
        for answer in sorted(opened.dataset.answers, key=lambda answer: answer.is_mask):
            own, start = maps[:, start : start + answer.channels], start + answer.channels
            if answer.is_mask:
                rows[answer.output] = over(own[:, 0], answer.classes)
            elif answer.is_image:
                rows[answer.output] = tuple(map(visible, own.round().clamp(0, 255).byte()))
        return rows
    if not opened.task.dense or opened.task.images:
        return {}
    return {"masks": over(labels, opened.dataset.classes)}


def _viewed(opened: Opened, images: Tensor) -> tuple[Tensor, ...]:
    """Images as they are shown: those of several inputs side by side."""
    inputs = opened.preparation.inputs
    return tuple(side_by_side([*map(visible, of_each_input(one, inputs))]) for one in images)


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
