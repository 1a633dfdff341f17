"""Computes features: runs images through the frozen layers, in batches of the training batch size.

The last bits of a matrix product can depend on the batch size. So an incomplete last batch is
filled up: with validation images, which have to be computed anyway, or with copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from ..augment import augmenter
from ..data.loader.batches import ALONE, Sharing
from ..data.loader.store import InMemory
from ..data.opened import Opened
from ..optim.precision import Precision
from ..trainer.callbacks import Callback


class Computing:
    """Computes the features of each part into `rows`: passes x images x numbers. In distributed
    training, each process has the rows of its share of the images."""

    def __init__(
        self,
        early: nn.Module,
        opened: Opened,
        precision: Precision,
        rows: Mapping[str, Tensor],
        callback: Callback,
        sharing: Sharing = ALONE,
    ) -> None:
        self._early = early.eval()
        self._opened = opened
        self._precision = precision
        self._rows = rows
        self._callback = callback
        self._sharing = sharing
        self._augment = augmenter(opened.plan, opened.preparation, mixable=opened.task.mixable)
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
                        place.copy_(self._features(self._prepared(images)))
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
            prepared = self._precision.laid_out(self._augment(images, labels, indices, number)[0])
        count, lacking = len(prepared), self._size - len(prepared)
        if not lacking:
            into.copy_(self._features(prepared))
            return
        fill = self._validation_images(lacking)
        copies = prepared[:1].expand(lacking - len(fill), *prepared.shape[1:])
        rows = self._features(self._precision.laid_out(torch.cat([prepared, fill, copies])))
        into.copy_(rows[:count])
        if len(fill):
            self._rows["val"][0, self._ahead : self._ahead + len(fill)] = rows[count:][: len(fill)]
            self._ahead += len(fill)

    def _validation_images(self, most: int) -> Tensor:
        """The next validation images that are not done; none if they are not in memory."""
        store = self._opened.stores["val"]
        alone = self._sharing.world == 1
        if not alone or "val" not in self._rows or not isinstance(store, InMemory):
            return torch.empty(0, *self._opened.plan.input, device=self._opened.device)
        images = store.images[self._ahead : self._ahead + most]
        return self._prepared(images.to(self._opened.device))

    def _prepared(self, images: Tensor) -> Tensor:
        """Preprocessed images, without augmentation."""
        return self._opened.preparation.prepare(self._precision.laid_out(images))

    def _features(self, prepared: Tensor) -> Tensor:
        with self._precision.autocast(self._opened.device) or nullcontext():
            return self._early(prepared).float().cpu()  # type: ignore[no-any-return]
