"""Data that a program passes as arrays: `dotcnn.train(spec, data=(images, labels))`.

They are read as the arrays of a .npz file are, under the names that they would have there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy

from ....compiler.plan.data import Npz
from ....dsl.diagnostics import Diagnostic, SpecError
from ...tasks.answer import NO_CHANNELS, NO_OUTPUTS
from ..diagnostic import listed
from .npz_file import GivenArrays, count_in

if TYPE_CHECKING:
    from ....compiler.shapes import Shape
    from ..loader.image_source import Contents
    from .images_wanted import ImagesWanted
    from .several_inputs import Inputs

PARTS = ("train", "val", "test")
_AS_FILE = Npz.make(path="data")
"""Errors call the arrays by the name of the argument."""


@dataclass(frozen=True, eq=False)
class ArrayData:
    """Images and labels of each part; classes are numbered in the same way in all parts."""

    images: Mapping[str, Any]
    """Those of each part: an array, or one for each input by its name."""
    labels: Mapping[str, Any]
    """The same for labels: an array, or one for each output by its name. None if there are only
    images."""

    @staticmethod
    def of(data: object) -> ArrayData:
        """Converts `(images, labels)`, or a dict with such a pair for each of `train`, `val` and
        `test`; raises SpecError for anything else. An array alone is images without labels."""
        pairs = data if isinstance(data, Mapping) else {"train": data}
        if not pairs or "train" not in pairs or not set(pairs) <= set(PARTS):
            raise _unfit("a dict of data needs the key `train`, and may have `val` and `test`")
        images, labels = {}, {}
        for part in (part for part in PARTS if part in pairs):
            pair = pairs[part]
            if hasattr(pair, "shape"):
                pair = (pair, None)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                expected = "data must be a path, the name of a data set, or a pair (images, labels)"
                raise _unfit(f"{expected}, not {_kind(pair)}")
            images[part] = _by_name(pair[0], "images", "inputs")
            count = _count(images[part])
            labels[part] = own = None if pair[1] is None else _by_name(pair[1], "labels", "outputs")
            for each in own.values() if isinstance(own, Mapping) else (own,):
                if each is not None and count != len(each):
                    raise _unfit(f"there are {count:,} images and {len(each):,} labels")
        return ArrayData(images, labels)

    def count(self, shape: Shape, *, as_numbers: bool, inputs: Sequence[str]) -> int:
        """The number of classes, or of numbers for each image. `shape` is that of the network's
        input, and `inputs` are the names of several. Raises SpecError."""
        with _about_arrays():
            archive = self._archive(inputs, ())
            return count_in(_AS_FILE, archive, shape, as_numbers=as_numbers, inputs=inputs)

    def contents(
        self,
        wanted: Shape,
        *,
        as_numbers: bool = False,
        outputs: Mapping[str, bool] = NO_OUTPUTS,
        pictures: Mapping[str, int] = NO_CHANNELS,
        as_images: ImagesWanted | None = None,
        inputs: Inputs = (),
        depth: int | None = None,
    ) -> Contents:
        """The data set; raises SpecError if the arrays cannot be used. The arguments are those of
        `contents` in read.py."""
        from .npz import image_pairs, labelled

        with _about_arrays():
            if as_images is not None:
                found = image_pairs(_AS_FILE, self._archive((), None), as_images)
            else:
                archive = self._archive([each.name for each in inputs], tuple(outputs))
                found = labelled(
                    _AS_FILE, archive, wanted,
                    as_numbers=as_numbers, outputs=outputs, inputs=inputs, depth=depth,
                )  # fmt: skip
        return replace(found, name="arrays", origin="arrays in memory")

    def _archive(self, inputs: Sequence[str], outputs: Sequence[str] | None) -> GivenArrays:
        """The arrays by the names that they would have in a file, for a network with these inputs
        and outputs, if it has several. Of images that are learned themselves, labels do not matter:
        `outputs` is None. Raises SpecError if there are none for an input or an output."""
        archive = GivenArrays()
        for part, images in self.images.items():
            ending = "" if len(self.images) == 1 else f"_{part}"
            _must_have_inputs(images, inputs)
            for name, array in images.items() if inputs else (("images", images),):
                archive[f"x_{name}{ending}" if name in (outputs or ()) else f"{name}{ending}"] = (
                    array
                )
            labels = self.labels[part]
            if outputs is not None:
                _must_have_outputs(labels, outputs)
            elif labels is None or isinstance(labels, Mapping):
                continue
            for name, array in labels.items() if outputs else (("labels", labels),):
                archive[f"{name}{ending}"] = array
        return archive


def _must_have_inputs(images: Any, inputs: Sequence[str]) -> None:
    if not inputs and not isinstance(images, Mapping):
        return
    there = list(images) if isinstance(images, Mapping) else []
    example = f"data=({{{', '.join(f'{name!r}: …' for name in inputs)}}}, labels)"
    if not inputs:
        listing = listed([f"`{name}`" for name in there])
        raise _unfit(
            f"there are images for the inputs {listing}, and the network has one input",
            help="pass data=(images, labels)",
        )
    lacking = [name for name in inputs if name not in there]
    strange = [name for name in there if name not in inputs]
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


def _must_have_outputs(labels: Any, outputs: Sequence[str]) -> None:
    if labels is None:
        raise _unfit("there are images and no labels")
    there = tuple(labels) if isinstance(labels, Mapping) else ()
    lacking = [name for name in outputs if name not in there]
    if lacking:
        raise _unfit(
            f"the network has {len(outputs)} outputs, and there are no labels for `{lacking[0]}`",
            help="pass labels as a dict, with an array for each output: data=(images,"
            f" {{{', '.join(f'{name!r}: …' for name in outputs)}}})",
        )
    if there and not outputs:
        listing = listed([f"`{name}`" for name in there])
        raise _unfit(
            f"there are labels for the outputs {listing}, and the network has one output",
            help="pass data=(images, labels)",
        )


@contextmanager
def _about_arrays() -> Iterator[None]:
    """A context whose errors are about the argument `data`, not about a line of the spec."""
    try:
        yield
    except SpecError as error:
        raise SpecError([
            replace(each, file="data", help=each.help or _PASS) for each in error.diagnostics
        ]) from None  # fmt: skip


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


_PASS = (
    "pass data=(images, labels), with images of N x H x W x C or N x C x H x W, or series of"
    " N x C x L, and a label for each, which may be a mask or an image;"
    ' or data={"train": (images, labels), "val": (images, labels)}'
)


def _unfit(message: str, help: str = "") -> SpecError:
    return SpecError([Diagnostic("data-shape", message, help=help or _PASS, file="data")])
