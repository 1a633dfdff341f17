"""What a data set has, as parts to learn from, to validate and to test with."""

from __future__ import annotations

from typing import NamedTuple

import torch

from ....compiler.language.values import percent
from ....compiler.plan.data import Data, Split
from ....dsl.diagnostics import SpecError
from ..diagnostic import problem
from ..loader.image_source import Contents, ImageSource
from .split import drawn


class Divided(NamedTuple):
    parts: dict[str, ImageSource]
    """`train` and `val` always; `test` where there is one."""
    notes: tuple[str, ...]


def divide(contents: Contents, data: Data, split: Split) -> Divided:
    """`val=` and `test=` are drawn from what is there to learn from; where `val=` is not said, the
    data's own part for it is taken, else its test, else 20 % are drawn."""
    parts = dict(contents.parts)
    notes = []
    val, test = split.val, split.test
    _not_twice(parts, data, split, "val", val)
    _not_twice(parts, data, split, "test", test)
    if val is None and "val" not in parts:
        if "test" in parts and not test:
            parts["val"] = parts.pop("test")
            notes.append(
                "validated with the data's own test part; `val=10%` keeps that for the end"
            )
        else:
            val = 0.2
    shares = {name: share for name, share in (("test", test), ("val", val)) if share}
    if not shares:
        return Divided(parts, tuple(notes))
    source = parts["train"]
    groups = source.labels.tolist() if split.stratified and source.labels.ndim == 1 else None
    drawn_parts = drawn(source.keys(), groups, list(shares.values()), split.seed)
    for name, places in zip((*shares, "train"), drawn_parts, strict=True):
        parts[name] = source.select(torch.tensor(places, dtype=torch.int64))
        if not places:
            raise _too_few(data, len(source), name)
    return Divided(parts, tuple(notes))


def _not_twice(
    parts: dict[str, ImageSource], data: Data, split: Split, name: str, share: float | None
) -> None:
    if not share or name not in parts:
        return
    what = {"val": "validation", "test": "test"}[name]
    raise problem(
        "conflict",
        f"the data has a {what} part of its own; `{name}={percent(share)}` would leave it unused",
        split if split.origin and name in split.origin.places else data,
        argument=name,
        help=f"take `{name}={percent(share)}` out",
    )


def _too_few(data: Data, count: int, part: str) -> SpecError:
    return problem(
        "too-few-images",
        f"{count:,} images are too few to be divided: none is left for {part}",
        data,
        argument="val",
        help="give more images, or another share",
    )
