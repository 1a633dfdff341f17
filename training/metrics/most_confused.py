"""The pairs of classes that are confused most often."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Confused(NamedTuple):
    label: int
    taken_for: int
    times: int
    images: int
    """The number of images of the true class."""


def confused(confusion: Tensor, most: int) -> list[Confused]:
    """The most frequent pairs; among equally frequent ones, those of smaller classes come first."""
    wrong = confusion.clone()
    wrong.fill_diagonal_(0)
    images = confusion.sum(1).tolist()
    pairs = [
        Confused(label, taken_for, int(wrong[label, taken_for]), images[label])
        for label, taken_for in wrong.nonzero().tolist()
    ]
    pairs.sort(key=lambda pair: (-pair.times, pair.images, pair.label, pair.taken_for))
    return pairs[:most]
