"""`data npz` where labels are masks: an array of class numbers, images x height x width.

Needs numpy, not torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy

from ....compiler.plan.data import UNLABELLED, Npz
from ..diagnostic import listed, problem


class ArrayMasks(NamedTuple):
    classes: tuple[str, ...]
    parts: Mapping[str, Any]
    """For each part: uint8, images x height x width; `UNLABELLED` where there is no label."""


def masks_in(
    data: Npz,
    archive: Mapping[str, Any],
    pairs: Mapping[str, tuple[str, str]],
    names: tuple[str, ...],
) -> ArrayMasks | None:
    """The masks of all parts; None if labels are something else. `names` are those of the classes,
    if they are known. Raises SpecError."""
    arrays = {part: archive[label] for part, (_, label) in pairs.items()}
    if any(array.ndim < 3 for array in arrays.values()):
        return None
    parts = {part: _flat(data, pairs[part][1], array) for part, array in arrays.items()}
    values = sorted({int(v) for each in parts.values() for v in numpy.unique(each)})
    ignored = {*(data.ignore or ()), UNLABELLED, -1}
    if not names and values and set(values) <= {0, UNLABELLED} and UNLABELLED in values:
        both = {part: (each > 0).astype(numpy.uint8) for part, each in parts.items()}
        return ArrayMasks(("background", "object"), both)
    known = [value for value in values if value not in ignored]
    which = listed([f"`{label}`" for _, label in pairs.values()])
    if not known:
        message = f"{which} in {data.path} have no class numbers"
        raise problem("no-classes", message, data, argument="labels")
    classes = names or tuple(map(str, range(known[-1] + 1)))
    if known[0] < 0 or known[-1] >= len(classes) or len(classes) > UNLABELLED:
        strange = known[0] if known[0] < 0 else known[-1]
        part, place = next(
            (part, int((each == strange).reshape(len(each), -1).any(1).argmax()))
            for part, each in parts.items()
            if (each == strange).any()
        )
        raise problem(
            "unknown-class",
            f"`{pairs[part][1]}` in {data.path} has the class number {strange} in image #{place};"
            f" there are {len(classes)} classes, from 0 to {len(classes) - 1}",
            data,
            argument="labels",
            help=f"write `ignore={strange}` if that stands for no label"
            if 0 <= strange <= UNLABELLED
            else "class numbers are from 0 to 254; -1 and 255 stand for no label",
        )
    without = list(ignored)
    numbers = {
        part: numpy.where(numpy.isin(each, without), UNLABELLED, each).astype(numpy.uint8)
        for part, each in parts.items()
    }
    return ArrayMasks(classes, numbers)


def _flat(data: Npz, name: str, array: Any) -> Any:
    """Class numbers as images x height x width. An axis of length 1 is left out."""
    shape = "x".join(map(str, array.shape))
    if array.ndim == 4 and 1 in (array.shape[1], array.shape[3]):
        array = array[:, 0] if array.shape[1] == 1 else array[..., 0]
    whole = array.dtype.kind in "iub"
    if array.dtype.kind == "f":
        whole = bool((array == numpy.rint(array)).all())
    if array.ndim != 3 or not whole:
        raise problem(
            "data-shape",
            f"`{name}` in {data.path} cannot be masks: it has {shape} numbers of the type"
            f" {array.dtype}",
            data,
            argument="labels",
            help="masks are class numbers, images x height x width; of one-hot masks, save"
            " `argmax` over the axis of classes",
        )
    return array.astype(numpy.int64)
