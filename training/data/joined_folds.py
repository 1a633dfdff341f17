"""The validation images of all folds as one part: all training images of the data, each once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, chain

from torch import Tensor

from .dataset import Dataset, Part
from .opened import ALL, Opened


@dataclass(frozen=True, eq=False)
class OutOfFold(Opened):
    """The data of a cross-validation. Its part `val` has the validation images of the first fold,
    then those of the second."""

    folds: tuple[Opened, ...] = ()

    @classmethod
    def of(cls, folds: Sequence[Opened]) -> OutOfFold:
        first = folds[0]
        own = {field.name: getattr(first, field.name) for field in fields(Opened)}
        return cls(**{**own, "dataset": _together(folds)}, folds=tuple(folds))

    def image(self, part: str, index: int) -> Tensor:
        fold, place = self._place(part, index)
        return fold.image(part, place)

    def input_and_target(self, part: str, index: int) -> tuple[Tensor, Tensor]:
        fold, place = self._place(part, index)
        return fold.input_and_target(part, place)

    def maps(self, part: str, index: int, channels: slice = ALL) -> Tensor:
        fold, place = self._place(part, index)
        return fold.maps(part, place, channels)

    def evaluated(self, part: str, index: int, channels: slice = ALL) -> tuple[Tensor, Tensor]:
        fold, place = self._place(part, index)
        return fold.evaluated(part, place, channels)

    def name(self, part: str, index: int) -> str:
        fold, place = self._place(part, index)
        return fold.name(part, place)

    def keys(self, part: str) -> Iterator[str]:
        folds = self.folds if part == "val" else self.folds[:1]
        return chain.from_iterable(fold.keys(part) for fold in folds)

    def _place(self, part: str, index: int) -> tuple[Opened, int]:
        if part != "val":
            return self.folds[0], index
        ends = [*accumulate(len(fold.stores["val"]) for fold in self.folds)]
        number = bisect_right(ends, index)
        return self.folds[number], index - (ends[number - 1] if number else 0)


def _together(folds: Sequence[Opened]) -> Dataset:
    """The description of the whole data set."""
    first = folds[0].dataset
    vals = [fold.dataset.part("val") for fold in folds]
    count = sum(val.count for val in vals if val)
    counts = tuple(sum(each) for each in zip(*(val.counts for val in vals if val), strict=True))
    parts = [Part(name, count, counts) for name in ("train", "val")]
    notes = [note for note in first.notes if not note.startswith("fold 1 of ")]
    notes.append(
        f"{len(folds)} folds: each network is validated with the {first.noun}s that it was not"
        " trained on"
    )
    bad = {each.name: each for fold in folds for each in fold.dataset.bad}
    return replace(
        first,
        parts=(*parts, *first.parts[2:]),
        notes=tuple(notes),
        bad=tuple(bad.values()),
        drawn=("val",),
    )
