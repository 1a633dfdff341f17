"""Converts arrays of labels to class indices. Needs no torch, so counting classes is fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy

from ...tasks.answer import Answer
from .unfit import Unfit


class Labels(NamedTuple):
    numbers: list[Any]
    """For each part: int64, or float32 of images x classes if images have several classes, or
    numbers."""
    classes: tuple[str, ...]
    task: str
    """`classification`, `multi_label` if an image may have several classes, or `regression`."""
    answers: tuple[Answer, ...] = ()
    """Of a network with several outputs: what each label is; `numbers` are rows of all of them."""


def together(each: Mapping[str, Labels]) -> Labels:
    """The labels of several outputs as rows."""
    answers = tuple(Answer(name, labels.task, labels.classes) for name, labels in each.items())
    parts = zip(*(labels.numbers for labels in each.values()), strict=True)
    rows = [
        numpy.concatenate([own.reshape(len(own), -1).astype(numpy.float32) for own in part], 1)
        for part in parts
    ]
    return Labels(rows, tuple(each), "multi_task", answers)


def labels_or_missing(arrays: list[Any], names: tuple[str, ...], **options: Any) -> Labels:
    """Like `as_labels`; a class that is NaN is missing, and stays NaN."""
    flat = all(array.dtype.kind == "f" and array.size == len(array) for array in arrays)
    if options.get("as_numbers") or not flat or not any(numpy.isnan(a).any() for a in arrays):
        return as_labels(arrays, names, **options)
    missing = [numpy.isnan(array.reshape(-1)) for array in arrays]
    there = [array.reshape(-1)[~gone] for array, gone in zip(arrays, missing, strict=True)]
    known = as_labels(there, names, **options)
    if known.task != "classification":
        return as_labels(arrays, names, **options)
    rows = []
    for gone, numbers in zip(missing, known.numbers, strict=True):
        row = numpy.full(len(gone), numpy.nan, numpy.float32)
        row[~gone] = numbers
        rows.append(row)
    return known._replace(numbers=rows)


def as_labels(
    arrays: list[Any], names: tuple[str, ...], *, as_numbers: bool = False, name: str = "y"
) -> Labels:
    """The labels of all parts, with the same class indices; `names`: the class names if known.
    Numbers that are not whole are learned as numbers; with `as_numbers`, whole ones are, too. A
    number without a name is called `name`."""
    arrays = [array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array for array in arrays]
    if any(array.ndim not in (1, 2) for array in arrays):
        raise Unfit("labels must be one number or text for each image, or a row of 0 and 1")
    if not any(array.size for array in arrays):
        raise Unfit("there are none")
    same = all(array.ndim == arrays[0].ndim for array in arrays)
    if same and (as_numbers or _are_numbers(arrays)):
        return _numbers(arrays, names, name)
    if all(array.ndim == 2 for array in arrays):
        return _rows(arrays, names)
    if any(array.ndim == 2 for array in arrays):
        raise Unfit("some labels are rows and others are not")
    return _single(arrays, names)


def _are_numbers(arrays: list[Any]) -> bool:
    """Whether labels are numbers that are not all whole."""
    return all(array.dtype.kind == "f" for array in arrays) and any(
        bool((array != numpy.rint(array))[numpy.isfinite(array)].any()) for array in arrays
    )


def _numbers(arrays: list[Any], names: tuple[str, ...], name: str) -> Labels:
    """Labels that are numbers, one or several for each image; NaN is a missing one."""
    if any(array.dtype.kind not in "fiub" for array in arrays):
        raise Unfit("they are text, and a loss of numbers is asked for")
    rows = [array.reshape(len(array), -1).astype(numpy.float32) for array in arrays]
    width = rows[0].shape[1]
    if any(row.shape[1] != width for row in rows):
        raise Unfit("the rows of the parts have different lengths")
    if any(bool(numpy.isinf(row).any()) for row in rows):
        raise Unfit("some of them are infinite")
    if not bool((~numpy.isnan(rows[0])).any(axis=0).all()):
        raise Unfit("of one of the numbers, every training label is missing (NaN)")
    own = (name,) if width == 1 else tuple(f"{name}{place}" for place in range(width))
    return Labels(rows, names if len(names) == width else own, "regression")


def _rows(arrays: list[Any], names: tuple[str, ...]) -> Labels:
    width = arrays[0].shape[1]
    if any(array.shape[1] != width for array in arrays):
        raise Unfit("the rows of the parts have different lengths")
    missing = [array != array for array in arrays]  # NaN: it is not known
    for array, unknown in zip(arrays, missing, strict=True):
        if not ((array == 0) | (array == 1) | unknown).all():
            raise Unfit("rows of labels may contain only 0 and 1")
    if missing[0].all():
        raise Unfit("no label is known: all are NaN")
    _must_be_named(width, names)
    multi_label = any((array.sum(axis=1) != 1).any() for array in arrays)
    classes = names or tuple(map(str, range(width)))
    if multi_label:
        return Labels([a.astype(numpy.float32) for a in arrays], classes, "multi_label")
    return Labels([a.argmax(axis=1).astype(numpy.int64) for a in arrays], classes, "classification")


def _single(arrays: list[Any], names: tuple[str, ...]) -> Labels:
    kinds = {array.dtype.kind for array in arrays}
    if kinds <= {"f"}:
        if not all(
            (array == numpy.rint(array)).all() and numpy.isfinite(array).all() for array in arrays
        ):
            raise Unfit("labels must be whole numbers")
        arrays = [array.astype(numpy.int64) for array in arrays]
    elif not (kinds <= {"i", "u", "b"} or kinds <= {"U"} or kinds <= {"S"}):
        raise Unfit("labels must be whole numbers or text, of the same type in all parts")
    known = numpy.unique(numpy.concatenate([numpy.unique(array) for array in arrays]))
    if names and known.dtype.kind in "iu":
        if int(known[0]) < 0 or int(known[-1]) >= len(names):
            raise Unfit(f"there are labels up to {known[-1]}, but only {len(names)} class names")
        return Labels([a.astype(numpy.int64) for a in arrays], names, "classification")
    numbers = [numpy.searchsorted(known, array) for array in arrays]
    classes = tuple(
        item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
        for item in known.tolist()
    )
    if set(classes) <= set(names):
        places = numpy.array([names.index(name) for name in classes])
        numbers, classes = [places[array] for array in numbers], names
    return Labels([n.astype(numpy.int64) for n in numbers], classes, "classification")


def _must_be_named(count: int, names: tuple[str, ...]) -> None:
    if names and len(names) != count:
        raise Unfit(f"there are {count} classes, but {len(names)} class names")
