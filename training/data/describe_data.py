"""Describes a data set that is open: its classes, and the number of images of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ...compiler.plan.data import (
    UNLABELLED,
)
from ...compiler.plan.loss import IMAGES
from ..tasks.answer import Answer
from ..tasks.multi_label import MultiLabel
from ..tasks.multi_task import parts_of
from ..tasks.regression import Regression
from .dataset import Dataset, Part
from .left_out import BadFile
from .loader.image_source import Contents, class_counts
from .loader.order import sample
from .loader.store import (
    InMemory,
    Store,
)
from .sources.divide import Divided

_MASKS = 512
"""At most this number of masks is read for the shares of classes."""


def described(
    data_set: Contents,
    divided: Divided,
    stores: Mapping[str, Store],
    bad: list[BadFile],
    notes: list[str],
    weighted: bool,
) -> Dataset:
    order = [name for name in ("train", "val", "test") if name in stores]
    return Dataset(
        data_set.name,
        data_set.classes,
        tuple(Part(name, len(stores[name]), _counts(stores[name], data_set)) for name in order),
        data_set.origin,
        data_set.licence,
        data_set.task,
        tuple(_counted(data_set.answers, stores["train"])),
        data_set.scale,
        weighted,
        tuple(bad),
        tuple(notes),
        divided.drawn,
        data_set.noun,
    )


def _counts(store: Store, data_set: Contents) -> tuple[int, ...]:
    """The number of images of each class, or of those that have each number; of masks, the number
    of pixels, from a sample of them."""
    classes = len(data_set.classes)
    if data_set.answers:
        known = parts_of(data_set.answers, ~store.labels.isnan())
        return tuple(int(each.any(1).sum()) for each in known)
    if data_set.task == IMAGES:
        return (len(store),) * classes
    if data_set.task == Regression.word:
        return tuple((~store.labels.isnan()).sum(0).tolist())
    if not store.source.masks:
        return class_counts(store.labels, classes)
    (counted,) = _pixels(store)
    return tuple(counted[:classes].tolist())


def _pixels(store: Store) -> Tensor:
    """The number of pixels of each class, for each mask of the images, from a sample of them."""
    counted = torch.zeros(store.source.masks, UNLABELLED + 1, dtype=torch.int64)
    read = store.read if isinstance(store, InMemory) else store.read_whole
    for index in sample(len(store), _MASKS).tolist():
        masks = read(index)[-len(counted) :].flatten(1).to(torch.uint8)
        for number, mask in enumerate(masks):
            counted[number] += mask.bincount(minlength=UNLABELLED + 1)
    return counted


def _counted(answers: Sequence[Answer], store: Store) -> Iterator[Answer]:
    """What labels are, with the number of training images of each class, or of pixels."""
    rows = parts_of(answers, store.labels) if answers else ()
    masks = iter(_pixels(store)) if any(answer.is_mask for answer in answers) else iter(())
    for answer, own in zip(answers, rows, strict=True):
        known = own[~own.isnan().all(1)]
        if answer.is_mask:
            counts = tuple(next(masks)[: len(answer.classes)].tolist())
        elif answer.is_image:
            counts = (len(known),) * len(answer.classes)
        elif answer.task == Regression.word:
            counts = tuple((~own.isnan()).sum(0).tolist())
        elif answer.labels == 1 and answer.task != MultiLabel.word:
            counts = class_counts(known[:, 0].long(), len(answer.classes))
        else:
            counts = class_counts(known, len(answer.classes))
        yield answer._replace(counts=counts)
