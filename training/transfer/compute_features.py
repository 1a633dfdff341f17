"""Images through frozen layers, in batches as large as those that are learned from.

What a product comes to, to its last bit, can depend on how many images are worked out together. So
a last batch is filled up: with images for validation, which are to be computed anyway, and copies
where there are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from ..augment import augmenter
from ..data.loader.batches import ALONE, Sharing
from ..data.loader.store import InMemory
from ..data.open import Opened
from ..optim.precision import Precision
from ..trainer.callbacks import Callback


class Computing:
    """`rows` are where numbers go, of each part that is asked for: passes x images x numbers. Of
    several processes, each has the rows of its share of the images."""

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
        self._watcher = callback
        self._sharing = sharing
        self._augment = augmenter(opened.plan, opened.preparation)
        together = min(opened.plan.train.batch.size, len(opened.stores["train"]))
        self._size = max(1, together // sharing.world)
        self._ahead = 0
        """Images for validation that filled up batches, and are done."""

    @torch.no_grad()
    def part(self, part: str) -> None:
        """All of it, as often as it has rows for."""
        for number, into in enumerate(self._rows[part]):
            done = self._ahead if part == "val" else 0
            size = self._size * self._sharing.world
            batches = self._opened.evaluation(part, batch=size, sharing=self._sharing)
            try:
                for images, labels, indices in batches(0, done):
                    place = into[done : done + len(images)]
                    if part == "train":
                        self._learned_from(images, labels, indices, number, place)
                    else:
                        place.copy_(self._through(self._looked_at(images)))
                    done += len(images)
                    self._watcher.reading(f"computing features, {part}", done, len(into))
            finally:
                batches.close()

    def _learned_from(
        self, images: Tensor, labels: Tensor, indices: Tensor, number: int, into: Tensor
    ) -> None:
        if self._augment is None:
            prepared = self._looked_at(images)
        else:
            prepared = self._precision.laid_out(self._augment(images, labels, indices, number)[0])
        count, lacking = len(prepared), self._size - len(prepared)
        if not lacking:
            into.copy_(self._through(prepared))
            return
        more = self._more(lacking)
        copies = prepared[:1].expand(lacking - len(more), *prepared.shape[1:])
        found = self._through(self._precision.laid_out(torch.cat([prepared, more, copies])))
        into.copy_(found[:count])
        if len(more):
            self._rows["val"][0, self._ahead : self._ahead + len(more)] = found[count:][: len(more)]
            self._ahead += len(more)

    def _more(self, most: int) -> Tensor:
        """The next images for validation, of those that are not done and need not be read first."""
        store = self._opened.stores["val"]
        alone = self._sharing.world == 1
        if not alone or "val" not in self._rows or not isinstance(store, InMemory):
            return torch.empty(0, *self._opened.plan.input, device=self._opened.device)
        images = store.images[self._ahead : self._ahead + most]
        return self._looked_at(images.to(self._opened.device))

    def _looked_at(self, images: Tensor) -> Tensor:
        """Images that are not augmented, as the network takes them."""
        return self._opened.preparation.prepare(self._precision.laid_out(images))

    def _through(self, prepared: Tensor) -> Tensor:
        with self._precision.autocast(self._opened.device) or nullcontext():
            return self._early(prepared).float().cpu()  # type: ignore[no-any-return]
