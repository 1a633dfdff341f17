"""Aligns two sequences of layers, and finds the pairs that all best alignments share.

A pair with equal shapes counts most. A pair of the same kind with different shapes counts a little,
so it is better than leaving both out. Pairs that only some of the best alignments have are in
doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .layer import Layer

Sign = Callable[[Layer], tuple[Hashable, Hashable]]
"""The kind and the shapes of a layer."""


class Alignment(NamedTuple):
    pairs: dict[Layer, Layer]
    """The pairs of all best alignments; their shapes may differ."""
    doubtful: dict[Layer, set[Layer]]
    """For layers that only some of the best alignments pair: the candidates of the same shapes."""
    score: int
    """The number of pairs with equal shapes."""


def align(first: Sequence[Layer], second: Sequence[Layer], sign: Sign) -> Alignment:
    rows, columns = len(first), len(second)
    if not rows or not columns:
        return Alignment({}, {}, 0)
    weight = min(rows, columns) + 1
    gain = _gains([sign(layer) for layer in first], [sign(layer) for layer in second], weight)
    before = _best(gain)
    after = _best(gain.flip(0, 1)).flip(0, 1)
    best = int(before[-1, -1])
    through = before[:-1, :-1] + gain + after[1:, 1:]
    paired = (through == best) & (gain > 0)
    left_out = (before[:-1] + after[1:] == best).any(1)
    options: list[list[int]] = [[] for _ in first]
    for row, column in paired.nonzero().tolist():
        options[row].append(column)
    alignment = Alignment({}, {}, best // weight)
    for row, columns_of_row in enumerate(options):
        if len(columns_of_row) == 1 and not left_out[row]:
            alignment.pairs[first[row]] = second[columns_of_row[0]]
        elif fitting := [column for column in columns_of_row if gain[row, column] == weight]:
            alignment.doubtful[first[row]] = {second[column] for column in fitting}
    return alignment


def agreed(alignments: Sequence[Alignment], sign: Sign) -> Alignment:
    """The pairs that several alignments agree on; those that they do not agree on are in doubt."""
    both = Alignment({}, {}, alignments[0].score)
    for target in dict.fromkeys(
        target for each in alignments for target in (*each.pairs, *each.doubtful)
    ):
        among = {each.pairs[target] for each in alignments if target in each.pairs}
        among.update(*(each.doubtful.get(target, ()) for each in alignments))
        if len(among) == 1 and all(target in each.pairs for each in alignments):
            both.pairs[target] = among.pop()
        elif fitting := {source for source in among if sign(source) == sign(target)}:
            both.doubtful[target] = fitting
    return both


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
    """The best gain of the first rows and columns, for each number of them."""
    rows, columns = gain.shape
    best = torch.zeros(rows + 1, columns + 1, dtype=torch.long)
    for row in range(rows):
        # A gain of zero, for layers of different kinds, is as good as leaving both out.
        stepped = torch.maximum(best[row, 1:], best[row, :-1] + gain[row])
        best[row + 1, 1:] = stepped.cummax(0).values
    return best
