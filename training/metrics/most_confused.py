"""Which classes are taken for one another."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Confused(NamedTuple):
    label: int
    taken_for: int
    times: int
    images: int
    """Of the class, those that were right among them."""


def confused(confusion: Tensor, most: int) -> list[Confused]:
    """The most frequent mistakes, those of smaller classes first where they are as many."""
    wrong = confusion.clone()
    wrong.fill_diagonal_(0)
    images = confusion.sum(1).tolist()
    found = [
        Confused(label, taken_for, int(wrong[label, taken_for]), images[label])
        for label, taken_for in wrong.nonzero().tolist()
    ]
    found.sort(key=lambda pair: (-pair.times, pair.images, pair.label, pair.taken_for))
    return found[:most]
