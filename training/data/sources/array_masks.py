"""`data npz` and `data npy` where labels are masks: an array of class numbers with the axes of the
images, samples x height x width; of series, samples x length; of scans, samples x depth x height x
width. Arrays may be mapped into memory: they are read part by part.

Needs numpy, not torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy

from ....compiler.plan.data import UNLABELLED, NamedArrays
from ....compiler.shapes import AXES, POINTS, Shape, axes_of, by, text
from ..diagnostic import listed, problem

_CHUNK = 2**24
"""How many numbers are read at a time."""


class ArrayFile(Protocol):
    """The arrays of an archive, or of a folder, by name."""

    def __iter__(self) -> Iterator[str]:
        """The names."""

    def shape(self, name: str) -> Shape:
        """The shape of an array, which is not read for it."""

    def mapped(self, name: str) -> Any:
        """An array, which may stay in its file."""


class MaskNumbers(NamedTuple):
    """What the numbers of masks stand for."""

    ignored: tuple[int, ...]
    """Those that stand for no label."""
    black_and_white: bool = False
    """Whether everything but 0 is class 1."""

    def of(self, masks: Any) -> Any:
        """Masks as class numbers: uint8, `UNLABELLED` where there is no label."""
        if self.black_and_white:
            return (masks > 0).astype(numpy.uint8)
        unlabelled = numpy.isin(masks, self.ignored)
        return numpy.where(unlabelled, UNLABELLED, masks).astype(numpy.uint8)


class ArrayMasks(NamedTuple):
    classes: tuple[str, ...]
    numbers: MaskNumbers
    parts: Mapping[str, Any]
    """For each part: numbers that `numbers` turns into classes, samples x axes."""


def masks_in(
    data: NamedArrays,
    archive: ArrayFile,
    pairs: Mapping[str, tuple[str, str]],
    names: tuple[str, ...],
    wanted: Shape,
) -> ArrayMasks | None:
    """The masks of all parts; None if labels are something else. `names` are those of the classes,
    if they are known, and `wanted` the input of the network. Raises SpecError."""
    for images, label in pairs.values():
        if not _are_masks(archive.shape(label), archive.shape(images), wanted):
            return None
    axes = axes_of(wanted) if wanted else 2
    parts = {part: archive.mapped(label) for part, (_, label) in pairs.items()}
    if axes == 1 and any(_have_fractions(each) for each in parts.values()):
        return None
    parts = {part: _flat(data, pairs[part][1], each, axes) for part, each in parts.items()}
    values = sorted({value for each in parts.values() for value in _values(each)})
    ignored = (*(data.ignore or ()), UNLABELLED, -1)
    if not names and values == [0, UNLABELLED]:
        return ArrayMasks(("background", "object"), MaskNumbers((), True), parts)
    known = [value for value in values if value not in ignored]
    which = listed([f"`{label}`" for _, label in pairs.values()])
    if not known:
        message = f"{which} in {data.path} have no class numbers"
        raise problem("no-classes", message, data, argument="labels")
    # A number may be as large as 2**63: no more classes are counted than there can be.
    classes = names or tuple(map(str, range(min(known[-1], UNLABELLED) + 1)))
    if known[0] < 0 or known[-1] >= len(classes) or len(classes) > UNLABELLED:
        strange = known[0] if known[0] < 0 else known[-1]
        part, place = next(
            (part, start + int((rows == strange).reshape(len(rows), -1).any(1).argmax()))
            for part, each in parts.items()
            for start, rows in _in_chunks(each)
            if (rows == strange).any()
        )
        raise problem(
            "unknown-class",
            f"`{pairs[part][1]}` in {data.path} has the class number {strange} in image #{place};"
            f" {_known(classes) if names else f'class numbers are from 0 to {UNLABELLED - 1}'}",
            data,
            argument="labels",
            help=f"write `ignore={strange}` if that stands for no label"
            if 0 <= strange <= UNLABELLED and data.written
            else "-1 and 255 stand for no label",
        )
    return ArrayMasks(classes, MaskNumbers(ignored), parts)


def _known(classes: Sequence[str]) -> str:
    if len(classes) == 1:
        return "the only class is 0"
    return f"there are {len(classes)} classes, from 0 to {len(classes) - 1}"


def _are_masks(labels: Shape, images: Shape, wanted: Shape) -> bool:
    """Whether labels have a class for each place. Rows of labels of a series are a class for each
    step if they are as long as the series; else they are several classes, or numbers."""
    if len(labels) != 2:
        return len(labels) > 2
    if not wanted or axes_of(wanted) != 1 or not 2 <= len(images) <= 3:
        return False
    sizes = images[1:]
    length = sizes[1] if len(sizes) == 2 and sizes[0] == wanted[0] else sizes[0]
    return labels[1] == length > 1


def must_fit(data: NamedArrays, images: str, label: str, have: Shape, masks: Shape) -> None:
    """Raises SpecError unless masks have the number and the sizes of their images: samples x
    axes."""
    if have == masks:
        return
    count, *sizes = have
    number, *own = masks
    raise problem(
        "data-shape",
        f"{data.path} has {count:,} images of {_by(sizes)} {POINTS[len(sizes)]} in `{images}`, and"
        f" {number:,} masks of {_by(own)} in `{label}`",
        data,
        argument="labels",
        help="each image has a mask of its own size",
    )


def _by(sizes: Sequence[int]) -> str:
    """The size of an image is said as width x height."""
    return by(tuple(sizes[::-1] if len(sizes) == 2 else sizes))


def _flat(data: NamedArrays, name: str, array: Any, axes: int) -> Any:
    """Numbers as samples x axes. An axis of length 1 is left out."""
    if array.ndim == axes + 2 and 1 in (array.shape[1], array.shape[-1]):
        flat = array[:, 0] if array.shape[1] == 1 else array[..., 0]
    else:
        flat = array
    if flat.ndim == axes + 1 and flat.dtype.kind in "iubf" and not _have_fractions(flat):
        return flat
    layout = " x ".join(("images", *AXES[axes]))
    raise problem(
        "data-shape",
        f"`{name}` in {data.path} cannot be masks: it has {text(array.shape)} numbers of the type"
        f" {array.dtype}",
        data,
        argument="labels",
        help=f"masks are class numbers, {layout}; of one-hot masks, take `argmax` over the axis of"
        " classes" + (", and to learn images, write `loss mse`" if axes == 2 else ""),
    )


def _in_chunks(array: Any) -> Iterator[tuple[int, Any]]:
    rows = max(1, _CHUNK // max(1, array[:1].size))
    for start in range(0, len(array), rows):
        yield start, numpy.asarray(array[start : start + rows])


def _have_fractions(array: Any) -> bool:
    return array.dtype.kind == "f" and any(
        bool(((rows != numpy.rint(rows)) | numpy.isinf(rows)).any())
        for _, rows in _in_chunks(array)
    )


def _values(array: Any) -> set[int]:
    return {int(value) for _, rows in _in_chunks(array) for value in numpy.unique(rows)}
