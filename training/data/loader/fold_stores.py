"""The stores of a cross-validation's folds: files are read, checked and decoded once, and each fold
has views of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..images.check_files import Bad
from ..images.resize import Fit
from ..samples.sample_fit import SampleFit
from ..samples.sample_store import Found, WholeSamples
from .image_source import Arrays, Contents, Files, ImageSource
from .store import InMemory, OnDisk, SomeInMemory, Store, WholeImages, WholeInMemory

Storing = Callable[[Mapping[str, ImageSource]], Found]
"""Makes the stores of some parts."""


class FoldStores:
    """What the folds of a data set share: its contents, and its decoded images."""

    def __init__(self) -> None:
        self._contents: Contents | None = None
        self._found: Found | None = None
        self._kept: dict[str, _Kept] = {}

    def read(self, read: Callable[[], Contents]) -> Contents:
        """The data set before it is divided."""
        if self._contents is None:
            self._contents = read()
        return self._contents

    def stores(
        self,
        storing: Storing,
        parts: Mapping[str, ImageSource],
        places: Mapping[str, Tensor],
        fits: Mapping[str, Fit | SampleFit],
        depth: int,
    ) -> Found:
        """The stores of a fold. `places` are those of its parts among all training images, and
        `fits` say how the images of each part are resized."""
        assert self._contents is not None
        whole = self._contents.parts["train"]
        if isinstance(whole, Arrays):
            return storing(parts)  # there is nothing to decode
        if isinstance(whole, Files):
            whole = replace(whole, depth=depth)
        if self._found is None:
            others = {part: each for part, each in parts.items() if part not in places}
            self._found = storing({"train": whole, **others})
            self._kept = self._of_all(storing, whole, fits)
        stores, bad = dict(self._found.stores), dict(self._found.bad)
        for part, chosen in places.items():
            stores[part], bad[part] = self._kept[part].some(parts[part], chosen)
        sizes = {"train": self._found.sizes.get("train", []), **self._found.sizes}
        return Found(self._found.where, {part: stores[part] for part in parts}, bad, sizes)

    def all_images(self) -> tuple[ImageSource, Store] | None:
        """All training images, as they are evaluated; None if they are arrays."""
        if "val" not in self._kept:
            return None
        kept = self._kept["val"]
        return kept.store.source, kept.store

    def _of_all(
        self, storing: Storing, whole: ImageSource, fits: Mapping[str, Fit | SampleFit]
    ) -> dict[str, _Kept]:
        """All images, as they are for training and for validation."""
        assert self._found is not None
        train = _Kept(self._found.stores["train"], self._found.bad["train"], len(whole))
        if isinstance(train.store, WholeImages):
            val = replace(train.store, fit=fits["val"], crop=None)
            return {"train": train, "val": _Kept(val, train.bad, len(whole))}
        if fits["train"] == fits["val"]:
            return {"train": train, "val": train}
        again = storing({"val": whole})
        return {"train": train, "val": _Kept(again.stores["val"], again.bad["val"], len(whole))}


@dataclass(frozen=True, eq=False)
class _Kept:
    """The images of a source without the bad ones."""

    store: Store
    bad: Bad
    count: int
    """The number of images with the bad ones."""

    def some(self, source: ImageSource, chosen: Tensor) -> tuple[Store, Bad]:
        """A view of some images, which are those of `source`; and the bad ones among them."""
        good = torch.ones(self.count, dtype=torch.bool)
        good[torch.tensor([*self.bad], dtype=torch.int64)] = False
        among_good = good.cumsum(0) - 1
        kept = good[chosen].nonzero().flatten()
        bad = {
            index: self.bad[place] for index, place in enumerate(chosen.tolist())
            if place in self.bad
        }  # fmt: skip
        left: Any = source if len(kept) == len(chosen) else source.select(kept)
        return _view(self.store, left, among_good[chosen[kept]]), bad


def _view(store: Store, source: Any, places: Tensor) -> Store:
    if isinstance(store, InMemory):
        return SomeInMemory(store, places, source)
    if isinstance(store, WholeInMemory):
        starts, sizes = store.starts[places], store.sizes[places]
        return replace(store, source=source, starts=starts, sizes=sizes)
    if isinstance(store, WholeSamples):
        kept = store.kept if store.kept is None else [store.kept[i] for i in places.tolist()]
        return replace(store, source=source, kept=kept)
    assert isinstance(store, OnDisk)
    return replace(store, source=source)
