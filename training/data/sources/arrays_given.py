"""Data that a program passes as arrays: `dotcnn.train(spec, data=(images, labels))`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy

from ....dsl.diagnostics import Diagnostic, SpecError
from ..diagnostic import plural_noun
from ..left_out import BadFile
from .labels import Labels, Unfit, as_labels, labels_or_missing, together

if TYPE_CHECKING:
    from ....compiler.shapes import Shape
    from ..loader.image_source import Contents

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class ArrayData:
    """Images and labels of each part; classes are numbered in the same way in all parts."""

    images: Mapping[str, Any]
    given: tuple[Any, ...]
    """The labels of each part, as they were passed: an array, or one for each output by name."""
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
            images[part] = as_array(pair[0])
            own = _labels(pair[1])
            for each in own.values() if isinstance(own, Mapping) else (own,):
                if len(images[part]) != len(each):
                    raise _unfit(f"there are {len(images[part]):,} images and {len(each):,} labels")
            labels.append(own)
        return ArrayData(images, tuple(labels), _read(labels, {}))

    def as_numbers(self) -> ArrayData:
        """The same, with labels that are numbers even if all of them are whole."""
        return replace(self, labels=_read(self.given, {}, as_numbers=True))

    def for_outputs(self, outputs: Mapping[str, bool]) -> ArrayData:
        """The same for a network with several outputs (`contents` of read.py); raises SpecError
        if there are no labels for one of them."""
        for given in self.given:
            there = tuple(given) if isinstance(given, Mapping) else ()
            lacking = [name for name in outputs if name not in there]
            if lacking:
                raise _unfit(
                    f"the network has {len(outputs)} outputs, and there are no labels for"
                    f" `{lacking[0]}`",
                    help="pass labels as a dict, with an array for each output: data=(images,"
                    f" {{{', '.join(f'{name!r}: …' for name in outputs)}}})",
                )
        only = [{name: given[name] for name in outputs} for given in self.given]
        return replace(self, labels=_read(only, outputs))

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
            answers=self.labels.answers,
        )


def _labels(values: Any) -> Any:
    """An array, or one for each output by its name."""
    if not isinstance(values, Mapping):
        return as_array(values)
    if not values or not all(isinstance(name, str) for name in values):
        raise _unfit("a dict of labels has the names of outputs")
    return {name: as_array(each) for name, each in values.items()}


def _read(given: Sequence[Any], outputs: Mapping[str, bool], *, as_numbers: bool = False) -> Labels:
    try:
        if not isinstance(given[0], Mapping):
            return as_labels(list(given), (), as_numbers=as_numbers)
        names = dict.fromkeys(name for each in given for name in each)
        if any(names.keys() != each.keys() for each in given):
            raise Unfit("the parts have labels of different names")
        return together({
            name: labels_or_missing(
                [each[name] for each in given], (), as_numbers=outputs.get(name, False), name=name
            )
            for name in names
        })  # fmt: skip
    except Unfit as error:
        raise _unfit(f"the labels cannot be used: {error}") from None


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


def _unfit(message: str, help: str = "") -> SpecError:
    help = help or (
        "pass data=(images, labels), with images of N x H x W x C or N x C x H x W, or series of"
        " N x C x L, and a label for"
        ' each; or data={"train": (images, labels), "val": (images, labels)}'
    )
    return SpecError([Diagnostic("data-shape", message, help=help, file="data")])
