"""Weighted draws of images that keep those together that are near each other in their files, so
that they can be shuffled within a window.

As many images are drawn as there are. Each comes as often as its weight says: its share, rounded up
or down at random; with equal weights, once. Draws follow the order of the files, but for the images
of a piece, whose order is mixed: else one that is drawn would keep its neighbor from being drawn.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .keyed_permutation import key_of

_SCALE = 2**20
"""The largest weight as a whole number: sums of these are exact in any order."""


class WeightedDraws:
    """The draws of one epoch; 16 bytes for each image."""

    def __init__(self, weights: Tensor, piece: int, seed: int, epoch: int) -> None:
        """`piece` is the number of images whose order is mixed."""
        generator = torch.Generator().manual_seed(key_of("draws", seed, epoch))
        self._count = len(weights)
        self._mixed = _mixed_in_pieces(self._count, piece, generator)
        scaled = weights.double() * (_SCALE / weights.double().max())
        whole = torch.where(weights > 0, scaled.round().clamp(min=1), 0).long()
        self._ends = whole[self._mixed].cumsum(0)
        self._total = int(self._ends[-1])
        self._first = key_of("first draw", seed, epoch) % self._total

    def at(self, draws: Tensor) -> Tensor:
        """The indices of the images of some draws."""
        each, more = divmod(self._total, self._count)
        marks = draws * each + (draws * more + self._first) // self._count
        return self._mixed[torch.searchsorted(self._ends, marks, right=True)]


def _mixed_in_pieces(count: int, piece: int, generator: torch.Generator) -> Tensor:
    """The numbers from 0 to count - 1; those of a piece in a cyclic order, from any of them on."""
    pieces = count // piece
    order = torch.randperm(piece, generator=generator)
    starts = torch.randint(piece, (pieces, 1), generator=generator)
    within = order[(torch.arange(piece) + starts) % piece]
    whole = within + torch.arange(pieces)[:, None] * piece
    return torch.cat([whole.flatten(), torch.arange(pieces * piece, count)])
