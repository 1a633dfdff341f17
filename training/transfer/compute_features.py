"""Computes features: runs images through the frozen layers, in batches of the training batch size.
Where labels are masks or images, which augmentation moves along, they are kept with the features.

The last bits of a matrix product can depend on the batch size. So an incomplete last batch is
filled up: with validation images, which have to be computed anyway, or with copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from ..data.loader.batches import ALONE
from ..data.loader.order import Sharing
from ..data.loader.store import InMemory
from ..data.opened import Opened
from ..optim.precision import Precision
from ..restoration.augment import augmenter_for
from ..trainer.callbacks import Callback


def answer_shape(opened: Opened) -> tuple[int, ...]:
    """The shape of a label that is kept with the features: of a mask or an image, or of a row with
    masks behind it; else empty."""
    if opened.pairs is not None:
        return tuple(opened.input_and_target("train", 0)[1].shape)
    store = opened.stores["train"]
    if store.maps:
        _, labels = opened.training_images([0], 0)
        return tuple(labels.shape[1:])
    return tuple(opened.mask("train", 0).shape) if store.masks else ()


class Computing:
    """Computes the features of each part into `rows`: passes x images x numbers, of which the first
    `features` are the features. In distributed training, each process has the rows of its share of
    the images."""

    def __init__(
        self,
        early: nn.Module,
        opened: Opened,
        precision: Precision,
        rows: Mapping[str, Tensor],
        features: int,
        callback: Callback,
        sharing: Sharing = ALONE,
    ) -> None:
        self._early = early.eval()
        self._opened = opened
        self._precision = precision
        self._rows = rows
        self._numbers = features
        self._callback = callback
        self._sharing = sharing
        self._augment = augmenter_for(
            opened.plan,
            opened.preparation,
            opened.pairs,
            mixable=opened.task.mixable,
            behind=opened.task.behind,
        )
        together = min(opened.plan.train.batch.size, len(opened.stores["train"]))
        self._size = max(1, together // sharing.world)
        self._ahead = 0
        """The number of validation images that are done, because they filled up a batch."""

    @torch.no_grad()
    def part(self, part: str) -> None:
        """Computes a part in all its passes."""
        for number, into in enumerate(self._rows[part]):
            done = self._ahead if part == "val" else 0
            size = self._size * self._sharing.world
            batches = self._opened.evaluation(
                part,
                batch=size,
                sharing=self._sharing,
                random_crops=part == "train" and self._augment is not None,
            )
            try:
                for images, labels, indices in batches(number, done):
                    place = into[done : done + len(images)]
                    if part == "train":
                        self._training_batch(images, labels, indices, number, place)
                    else:
                        self._put(self._features(self._prepared(images)), labels, place)
                    done += len(images)
                    self._callback.reading(f"computing features, {part}", done, len(into))
            finally:
                batches.close()

    def _training_batch(
        self, images: Tensor, labels: Tensor, indices: Tensor, number: int, into: Tensor
    ) -> None:
        if self._augment is None:
            prepared = self._prepared(images)
        else:
            images, labels = self._augment(images, labels, indices, number)
            prepared = self._precision.laid_out(images)
        count, lacking = len(prepared), self._size - len(prepared)
        if not lacking:
            self._put(self._features(prepared), labels, into)
            return
        fill = self._validation_images(lacking)
        copies = prepared[:1].expand(lacking - len(fill), *prepared.shape[1:])
        rows = self._features(self._precision.laid_out(torch.cat([prepared, fill, copies])))
        self._put(rows[:count], labels, into)
        if len(fill):
            self._rows["val"][0, self._ahead : self._ahead + len(fill)] = rows[count:][: len(fill)]
            self._ahead += len(fill)

    def _put(self, features: Tensor, labels: Tensor, into: Tensor) -> None:
        into[:, : self._numbers] = features
        if into.shape[1] > self._numbers:
            into[:, self._numbers :] = labels.flatten(1)

    def _validation_images(self, most: int) -> Tensor:
        """The next validation images that are not done; none if they are not in memory."""
        store = self._opened.stores["val"]
        alone = self._sharing.world == 1
        plain = isinstance(store, InMemory) and not answer_shape(self._opened)
        if not alone or "val" not in self._rows or not plain:
            return torch.empty(0, *self._opened.plan.input, device=self._opened.device)
        assert isinstance(store, InMemory)
        images = store.images[self._ahead : self._ahead + most]
        return self._prepared(images.to(self._opened.device))

    def _prepared(self, images: Tensor) -> Tensor:
        """Preprocessed images, without augmentation."""
        return self._opened.preparation.prepare(self._precision.laid_out(images))

    def _features(self, prepared: Tensor) -> Tensor:
        with self._precision.autocast(self._opened.device) or nullcontext():
            return self._early(prepared).float().cpu()  # type: ignore[no-any-return]
