"""The best alignment of two lines of layers, and what is the same in all that are as good.

Pairs of the same shapes count most; a pair of one kind but other shapes holds its place against
nothing at all. What only some of the best alignments pair is in doubt.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Alignment(NamedTuple):
    """By position in both lines."""

    pairs: dict[int, int]
    """Of the same shapes, and the same in all of the best alignments."""
    places: dict[int, int]
    """Likewise, but the shapes differ."""
    doubtful: dict[int, set[int]]
    """Of the first: all that it is paired with in some, but not in each, of the best."""
    score: int
    """How many pairs have the same shapes."""


def align(
    first: Sequence[tuple[Hashable, Hashable]], second: Sequence[tuple[Hashable, Hashable]]
) -> Alignment:
    """Of each layer, its kind and its shapes."""
    rows, columns = len(first), len(second)
    if not rows or not columns:
        return Alignment({}, {}, {}, 0)
    weight = min(rows, columns) + 1
    gain = _gains(first, second, weight)
    before = _best(gain)
    behind = _best(gain.flip(0, 1)).flip(0, 1)
    best = int(before[-1, -1])
    through = before[:-1, :-1] + gain + behind[1:, 1:]
    paired = (through == best) & (gain > 0)
    left_out = (before[:-1] + behind[1:] == best).any(1)
    same = gain == weight

    pairs: dict[int, int] = {}
    places: dict[int, int] = {}
    doubtful: dict[int, set[int]] = {}
    options: list[list[int]] = [[] for _ in range(rows)]
    for row, column in paired.nonzero().tolist():
        options[row].append(column)
    for row, columns_of_row in enumerate(options):
        if len(columns_of_row) == 1 and not left_out[row]:
            column = columns_of_row[0]
            (pairs if same[row, column] else places)[row] = column
        elif fitting := {column for column in columns_of_row if same[row, column]}:
            doubtful[row] = fitting
    return Alignment(pairs, places, doubtful, best // weight)


def _gains(
    first: Sequence[tuple[Hashable, Hashable]],
    second: Sequence[tuple[Hashable, Hashable]],
    weight: int,
) -> Tensor:
    def compared(of: int) -> Tensor:
        numbers: dict[Hashable, int] = {}
        a, b = (
            torch.tensor([numbers.setdefault(item[:of], len(numbers)) for item in line])
            for line in (first, second)
        )
        return a[:, None] == b[None, :]

    return torch.where(compared(2), weight, compared(1).int())


def _best(gain: Tensor) -> Tensor:
    """By row and column: the most that can be gained up to there."""
    rows, columns = gain.shape
    best = torch.zeros(rows + 1, columns + 1, dtype=torch.long)
    for row in range(rows):
        # A gain of zero is a pair of different kinds, which is as good as leaving both out.
        stepped = torch.maximum(best[row, 1:], best[row, :-1] + gain[row])
        best[row + 1, 1:] = stepped.cummax(0).values
    return best
