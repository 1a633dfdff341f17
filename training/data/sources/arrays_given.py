"""Data that a program passes as arrays: `dotcnn.train(spec, data=(images, labels))`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy

from ....compiler.plan.data import UNLABELLED
from ....compiler.shapes import by
from ....dsl.diagnostics import Diagnostic, SpecError
from ..diagnostic import listed, plural_noun
from ..left_out import BadFile
from .labels import Labels, Unfit, as_labels, labels_or_missing, together
from .several_inputs import Inputs, stacked

if TYPE_CHECKING:
    from ....compiler.shapes import Shape
    from ..loader.image_source import Arrays, Contents

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class ArrayData:
    """Images and labels of each part; classes are numbered in the same way in all parts."""

    images: Mapping[str, Any]
    """Those of each part: an array, or one for each input by its name."""
    given: tuple[Any, ...]
    """The labels of each part, as they were passed: an array, or one for each output by name."""
    labels: Labels
    masks: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """The masks of each part, where labels are masks: by the name of the output that answers with
    them; "" if there is one output."""

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
            images[part] = _by_name(pair[0], "images", "inputs")
            own = _by_name(pair[1], "labels", "outputs")
            count = _count(images[part])
            for each in own.values() if isinstance(own, Mapping) else (own,):
                if count != len(each):
                    raise _unfit(f"there are {count:,} images and {len(each):,} labels")
            labels.append(own)
        return ArrayData(images, tuple(labels), *_read(labels, {}))

    def as_numbers(self) -> ArrayData:
        """The same, with labels that are numbers even if all of them are whole."""
        labels, masks = _read(self.given, {}, as_numbers=True)
        return replace(self, labels=labels, masks=masks)

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
        labels, masks = _read(only, outputs)
        return replace(self, labels=labels, masks=masks)

    @property
    def classes(self) -> int:
        return len(self.labels.classes)

    @staticmethod
    def _of_inputs(images: Any, wanted: Shape, inputs: Inputs) -> Any:
        """Images as one array: of several inputs, as a tensor of samples with the channels of all.
        Raises Unfit, or SpecError if there are no images for an input."""
        if not inputs and not isinstance(images, Mapping):
            return images
        there = list(images) if isinstance(images, Mapping) else []
        names = [each.name for each in inputs]
        example = f"data=({{{', '.join(f'{name!r}: …' for name in names)}}}, labels)"
        if not inputs:
            listing = listed([f"`{name}`" for name in there])
            raise _unfit(
                f"there are images for the inputs {listing}, and the network has one input",
                help="pass data=(images, labels)",
            )
        lacking = [name for name in names if name not in there]
        strange = [name for name in there if name not in names]
        if lacking or strange:
            wrong = (
                f"there are no images for `{lacking[0]}`"
                if lacking
                else f"`{strange[0]}` is not one of them"
            )
            raise _unfit(
                f"the network has {len(inputs)} inputs, and {wrong}",
                help=f"pass images as a dict, with an array for each input: {example}",
            )
        from ..samples.sample_layout import noun_of

        stack = stacked(images, inputs, wanted)
        return stack if noun_of(wanted) == "image" else stack.numpy()

    def _with_masks(self, source: Arrays, place: int) -> Arrays:
        """Images with their masks, those of one part. Raises Unfit."""
        import torch

        for name, of_parts in self.masks.items():
            masks = torch.from_numpy(of_parts[place])
            size, own = source.images.shape[2:], masks.shape[1:]
            if size != own:
                which = f" for `{name}`" if name else ""
                raise Unfit(
                    f"they have {by((size[1], size[0]))} pixels, and their masks{which}"
                    f" {by((own[1], own[0]))}"
                )
            both = torch.cat([source.images, masks.unsqueeze(1).to(source.images.dtype)], 1)
            source = replace(source, images=both, masks=source.masks + 1)
        return source

    def contents(self, wanted: Shape, inputs: Inputs = ()) -> Contents:
        """The data set; raises SpecError if the arrays cannot be images. `inputs` are those of a
        network that has several."""
        import torch

        from ..images.arrays import ambiguity, as_images
        from ..loader.image_source import Arrays, Contents, ImageSource
        from ..samples.sample_layout import noun_of
        from .sample_arrays import sample_arrays

        parts: dict[str, ImageSource] = {}
        notes: list[str] = []
        bad: list[BadFile] = []
        noun = noun_of(wanted)
        if self.masks and noun != "image":
            raise _unfit("labels are masks, and only those of images are taken from a program")
        for place, (part, images) in enumerate(self.images.items()):
            labels = torch.from_numpy(self.labels.numbers[place])
            try:
                images = self._of_inputs(images, wanted, inputs)
                if isinstance(images, torch.Tensor) and noun == "image":
                    parts[part], note = self._with_masks(Arrays(images, labels), place), ""
                elif noun == "image":
                    note = ambiguity(images, wanted)
                    source = Arrays(as_images(images, wanted), labels)
                    parts[part] = self._with_masks(source, place)
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


def _by_name(values: Any, what: str, names: str) -> Any:
    """An array, or one for each input or output by its name."""
    if not isinstance(values, Mapping):
        return as_array(values)
    if not values or not all(isinstance(name, str) for name in values):
        raise _unfit(f"a dict of {what} has the names of {names}")
    return {name: as_array(each) for name, each in values.items()}


def _count(images: Any) -> int:
    """The number of images; raises SpecError if that of several inputs differs."""
    if not isinstance(images, Mapping):
        return len(images)
    (first, one), *others = images.items()
    for name, other in others:
        if len(other) != len(one):
            raise _unfit(
                f"there are {len(one):,} images of `{first}` and {len(other):,} of `{name}`"
            )
    return len(one)


Masks = dict[str, Sequence[Any]]


def _read(
    given: Sequence[Any], outputs: Mapping[str, bool], *, as_numbers: bool = False
) -> tuple[Labels, Masks]:
    """The labels, and the masks among them."""
    masks: Masks = {}
    try:
        if not isinstance(given[0], Mapping):
            if all(each.ndim > 2 for each in given):
                labels, masks[""] = _masks(given)
                zeros = [numpy.zeros(len(each), numpy.int64) for each in given]
                return labels._replace(numbers=zeros), masks
            return as_labels(list(given), (), as_numbers=as_numbers), masks
        names = dict.fromkeys(name for each in given for name in each)
        if any(names.keys() != each.keys() for each in given):
            raise Unfit("the parts have labels of different names")
        found = {}
        for name in names:
            each = [own[name] for own in given]
            if all(array.ndim > 2 for array in each):
                found[name], masks[name] = _masks(each)
                continue
            numbers = outputs.get(name, False)
            found[name] = labels_or_missing(each, (), as_numbers=numbers, name=name)
        return together(found), masks
    except Unfit as error:
        raise _unfit(f"the labels cannot be used: {error}") from None


def _masks(arrays: Sequence[Any]) -> tuple[Labels, list[Any]]:
    """Masks of class numbers, images x height x width, of all parts: uint8. Their labels say
    whether an image has a mask: it has none if no pixel of it has a label."""
    flat = [each[:, 0] if each.ndim == 4 and each.shape[1] == 1 else each for each in arrays]
    for each in flat:
        if each.ndim != 3 or each.dtype.kind not in "iubf" or (each != numpy.rint(each)).any():
            raise Unfit(
                f"masks are class numbers, images x height x width; an array has {each.shape}"
                f" numbers of the type {each.dtype}"
            )
    values = sorted({int(value) for each in flat for value in numpy.unique(each)} - {-1})
    known = [value for value in values if value != UNLABELLED]
    if values == [0, UNLABELLED]:
        masks = [(each == UNLABELLED).astype(numpy.uint8) for each in flat]
        classes: tuple[str, ...] = ("background", "object")
    elif not known:
        raise Unfit("the masks have no class numbers")
    elif known[0] < 0 or known[-1] > UNLABELLED:
        strange = known[0] if known[0] < 0 else known[-1]
        raise Unfit(f"masks have the class number {strange}; they are from 0 to {UNLABELLED - 1}")
    else:
        masks = [numpy.where(each == -1, UNLABELLED, each).astype(numpy.uint8) for each in flat]
        classes = tuple(map(str, range(known[-1] + 1)))
    there = [
        numpy.where((each == UNLABELLED).all((1, 2)), numpy.nan, 0.0).astype(numpy.float32)
        for each in masks
    ]
    return Labels(there, classes, "segmentation"), masks


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
        ' each, or a mask; or data={"train": (images, labels), "val": (images, labels)}'
    )
    return SpecError([Diagnostic("data-shape", message, help=help, file="data")])
