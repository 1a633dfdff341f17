"""Divides a data set into training, validation and test set (`split`)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import numpy
import torch
from torch import Tensor

from ....compiler.language.values import percent
from ....compiler.plan.data import Data, Split
from ....dsl.diagnostics import SpecError
from ..diagnostic import counted, problem
from ..loader.image_source import Absent, Contents, ImageSource
from .split import drawn, folds

NOWHERE: Mapping[str, Tensor] = MappingProxyType({})


class Divided(NamedTuple):
    parts: dict[str, ImageSource]
    """`train` and `val` always; `test` if there is one."""
    notes: tuple[str, ...]
    drawn: tuple[str, ...] = ()
    """Those that were drawn from the training images, at random."""
    places: Mapping[str, Tensor] = NOWHERE
    """Of a fold: the indices of its parts among all training images."""


def divide(contents: Contents, data: Data, split: Split) -> Divided:
    """The parts of a data set. `val=` and `test=` are shares of the training images, drawn at
    random. Without `val=`, the data's own validation part is used, or its test part, or 20 % of the
    training images."""
    parts = dict(contents.parts)
    notes = []
    val, test = split.val, split.test
    _not_twice(parts, data, split, "val", val)
    _not_twice(parts, data, split, "test", test)
    if data.folds is not None:
        return _one_fold(contents, data, split)
    if val is None and "val" not in parts:
        if "test" in parts and not test:
            parts["val"] = parts.pop("test")
            notes.append(
                "the test part of the data is used for validation; `val=10%` keeps it for testing"
            )
        else:
            val = 0.2
    shares = {name: share for name, share in (("test", test), ("val", val)) if share}
    if not shares:
        return Divided(parts, tuple(notes))
    source = parts["train"]
    drawn_parts = _drawn(contents, source, list(shares.values()), split)
    for name, places in zip((*shares, "train"), drawn_parts, strict=True):
        parts[name] = source.select(torch.from_numpy(places))
        if not len(places):
            raise _too_few(data, len(source), name)
    return Divided(parts, tuple(notes), tuple(shares))


def _drawn(
    contents: Contents, source: ImageSource, shares: list[float], split: Split
) -> list[numpy.ndarray]:
    """The indices of each share, then those of the rest. Of a large pack, they are kept: names are
    hashed once, and the indices are mapped into memory."""
    kept, what = contents.kept, ""
    labels = source.labels if split.stratified and source.labels.ndim == 1 else None
    if kept is not None and len(source) >= _MANY:
        by = "names" if labels is None else f"labels {zlib.crc32(labels.contiguous().numpy().data)}"
        what = f"split {_RULES}: {shares}, seed {split.seed}, {by}"
        known = kept.arrays(what, len(shares) + 1)
        if known is not None and sum(map(len, known)) == len(source):
            return known
    absent = contents.absent
    if contents.groups:
        found = _whole_groups(_with(contents.groups, absent and absent.groups), shares, split.seed)
    else:
        groups = None if labels is None else _labels(labels, absent).numpy()
        keys = chain(source.keys(), absent.keys if absent else ())
        found = drawn(keys, groups, shares, split.seed)
    if absent is not None:
        found = [places[places < len(source)] for places in found]
    if kept is not None and what:
        kept.keep_arrays(what, found)
    return found


def _with(some: Sequence[str], others: Sequence[str] | None) -> Sequence[str]:
    return [*some, *others] if others else some


def _labels(labels: Tensor, absent: Absent | None) -> Tensor:
    """The classes of images, then those of the absent ones."""
    return labels if absent is None else torch.cat([labels, absent.labels])


_MANY = 100_000
"""With more images than this, drawing takes longer than reading what was drawn."""
_RULES = 1
"""Increased whenever other images would be drawn of the same ones."""


def _one_fold(contents: Contents, data: Data, split: Split) -> Divided:
    """One of the folds of the training images for validation, the others for training."""
    assert data.folds is not None
    if "val" in contents.parts:
        raise problem(
            "conflict",
            "the data has its own validation part; folds would leave it unused",
            data,
            argument="folds",
            help="take `folds` out",
        )
    if split.val is not None or split.test:
        raise problem(
            "conflict",
            "`folds` divides all training images, and so does `split`",
            split,
            help="take one of them out; images for a final test are best in a part of their own",
        )
    parts, number = dict(contents.parts), data.fold or 1
    source = parts["train"]
    absent, stratified = contents.absent, split.stratified and contents.task == "classification"
    labels = _labels(source.labels, absent) if stratified else None
    if contents.groups:
        keys = [*_with(contents.groups, absent and absent.groups)]
    else:
        keys = [*source.keys(), *(absent.keys if absent else ())]
    different = len(set(keys))
    if different < data.folds:
        noun = "group" if contents.groups else "image"
        kind = f"different {noun}" if different < len(keys) and not contents.groups else noun
        raise problem(
            "too-few-images",
            f"{counted(different, kind)} cannot be divided into {data.folds} folds",
            data,
            argument="folds",
            help=f"add {noun}s, or write fewer folds",
        )
    fold_of = folds(keys, labels.tolist() if labels is not None else None, data.folds, split.seed)
    held_out = torch.tensor(fold_of[: len(source)]) == number - 1
    places = {name: chosen.nonzero().flatten()
              for name, chosen in (("train", ~held_out), ("val", held_out))}  # fmt: skip
    for name, chosen in places.items():
        parts[name] = source.select(chosen)
    how = ["each class divided evenly"] if labels is not None else []
    how += ["groups kept together"] if contents.groups else []
    about = f" ({', '.join(how)})" if how else ""
    note = f"fold {number} of {data.folds} is for validation{about}"
    return Divided(parts, (note,), ("val",), places)


def _whole_groups(groups: Sequence[str], shares: list[float], seed: int) -> list[numpy.ndarray]:
    """The indices of each share, then of the rest, where images of one group stay together."""
    names = list(dict.fromkeys(groups))
    members: dict[str, list[int]] = {name: [] for name in names}
    for place, name in enumerate(groups):
        members[name].append(place)
    return [
        numpy.array(sorted(place for index in part for place in members[names[index]]), "i8")
        for part in drawn(names, None, shares, seed)
    ]


def _not_twice(
    parts: dict[str, ImageSource], data: Data, split: Split, name: str, share: float | None
) -> None:
    if not share or name not in parts:
        return
    what = {"val": "validation", "test": "test"}[name]
    raise problem(
        "conflict",
        f"the data has its own {what} part; `{name}={percent(share)}` would leave it unused",
        split if split.origin and name in split.origin.places else data,
        argument=name,
        help=f"take `{name}={percent(share)}` out",
    )


def _too_few(data: Data, count: int, part: str) -> SpecError:
    return problem(
        "too-few-images",
        f"{counted(count, 'image')} cannot be divided: none is left for {part}",
        data,
        argument="val",
        help="add images, or change the share",
    )
