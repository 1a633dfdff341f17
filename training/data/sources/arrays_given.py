"""Data that a program passes as arrays: `dotcnn.train(spec, data=(images, labels))`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy

from ....dsl.diagnostics import Diagnostic, SpecError
from ..dataset import BadFile
from ..diagnostic import plural_noun
from .labels import Labels, Unfit, as_labels

if TYPE_CHECKING:
    from ....compiler.shapes import Shape
    from ..loader.image_source import Contents

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class ArrayData:
    """Images and labels of each part; classes are numbered in the same way in all parts."""

    images: Mapping[str, Any]
    given: tuple[Any, ...]
    """The labels of each part, as they were passed."""
    labels: Labels

    @staticmethod
    def of(data: object) -> ArrayData:
        """Converts `(images, labels)`, or a dict with such a pair for each of `train`, `val` and
        `test`; raises SpecError for anything else."""
        pairs = data if isinstance(data, Mapping) else {"train": data}
        if not pairs or "train" not in pairs or not set(pairs) <= set(PARTS):
            raise _unfit("a dict of data needs the key `train`, and may have `val` and `test`")
        images, labels = {}, []
        for part in (part for part in PARTS if part in pairs):
            pair = pairs[part]
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                expected = "data must be a path, the name of a data set, or a pair (images, labels)"
                raise _unfit(f"{expected}, not {_kind(pair)}")
            images[part], own = map(as_array, pair)
            if len(images[part]) != len(own):
                raise _unfit(f"there are {len(images[part]):,} images and {len(own):,} labels")
            labels.append(own)
        try:
            return ArrayData(images, tuple(labels), as_labels(labels, ()))
        except Unfit as error:
            raise _unfit(f"the labels cannot be used: {error}") from None

    def as_numbers(self) -> ArrayData:
        """The same, with labels that are numbers even if all of them are whole."""
        try:
            return replace(self, labels=as_labels(list(self.given), (), as_numbers=True))
        except Unfit as error:
            raise _unfit(f"the labels cannot be used: {error}") from None

    @property
    def classes(self) -> int:
        return len(self.labels.classes)

    def contents(self, wanted: Shape) -> Contents:
        """The data set; raises SpecError if the arrays cannot be images."""
        import torch

        from ..images.arrays import ambiguity, as_images
        from ..loader.image_source import Arrays, Contents, ImageSource
        from ..samples.sample_layout import noun_of
        from .sample_arrays import sample_arrays

        parts: dict[str, ImageSource] = {}
        notes: list[str] = []
        bad: list[BadFile] = []
        noun = noun_of(wanted)
        for (part, images), numbers in zip(self.images.items(), self.labels.numbers, strict=True):
            labels = torch.from_numpy(numbers)
            try:
                if noun == "image":
                    note = ambiguity(images, wanted)
                    parts[part] = Arrays(as_images(images, wanted), labels)
                else:
                    parts[part], wrong, note = sample_arrays(images, labels, wanted, f"{part} ")
                    bad += wrong
            except Unfit as error:
                raise _unfit(
                    f"the {plural_noun(noun)} for {part} cannot be used: {error}"
                ) from None
            notes += [f"the {plural_noun(noun)} for {part}: {note}"] if note else []
        return Contents(
            "arrays",
            self.labels.classes,
            parts,
            origin="arrays in memory",
            notes=tuple(notes),
            task=self.labels.task,
            bad=tuple(bad),
            noun=noun,
        )


def as_array(values: Any) -> Any:
    """A NumPy array from an array or a list; raises SpecError for anything else."""
    if hasattr(values, "detach"):  # a torch tensor; torch need not be installed for other arrays
        values = values.detach().cpu()
    try:
        array = numpy.asarray(values)
    except (ValueError, TypeError) as error:
        raise _unfit(f"images and labels must be arrays of numbers: {error}") from None
    if array.ndim == 0 or array.dtype == object:
        raise _unfit(f"images and labels must be arrays, not {_kind(values)}")
    return array


def _kind(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _unfit(message: str) -> SpecError:
    help = (
        "pass data=(images, labels), with images of N x H x W x C or N x C x H x W, or series of"
        " N x C x L, and a label for"
        ' each; or data={"train": (images, labels), "val": (images, labels)}'
    )
    return SpecError([Diagnostic("data-shape", message, help=help, file="data")])
