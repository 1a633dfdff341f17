"""The best alignment of two lines of layers, and what is the same in all that are as good.

Pairs of the same shapes count most; a pair of one kind but other shapes holds its place against
nothing at all. What only some of the best alignments pair is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .layer import Layer

Sign = Callable[[Layer], tuple[Hashable, Hashable]]
"""The kind of a layer, and its shapes."""


class Alignment(NamedTuple):
    pairs: dict[Layer, Layer]
    """The same in all of the best alignments; their shapes may differ."""
    doubtful: dict[Layer, set[Layer]]
    """Of the first: all of its shapes that it is paired with in some, but not in each, of the best
    alignments."""
    score: int
    """How many pairs have the same shapes."""


def align(first: Sequence[Layer], second: Sequence[Layer], sign: Sign) -> Alignment:
    rows, columns = len(first), len(second)
    if not rows or not columns:
        return Alignment({}, {}, 0)
    weight = min(rows, columns) + 1
    gain = _gains([sign(layer) for layer in first], [sign(layer) for layer in second], weight)
    before = _best(gain)
    behind = _best(gain.flip(0, 1)).flip(0, 1)
    best = int(before[-1, -1])
    through = before[:-1, :-1] + gain + behind[1:, 1:]
    paired = (through == best) & (gain > 0)
    left_out = (before[:-1] + behind[1:] == best).any(1)
    options: list[list[int]] = [[] for _ in first]
    for row, column in paired.nonzero().tolist():
        options[row].append(column)
    found = Alignment({}, {}, best // weight)
    for row, columns_of_row in enumerate(options):
        if len(columns_of_row) == 1 and not left_out[row]:
            found.pairs[first[row]] = second[columns_of_row[0]]
        elif fitting := [column for column in columns_of_row if gain[row, column] == weight]:
            found.doubtful[first[row]] = {second[column] for column in fitting}
    return found


def agreed(found: Sequence[Alignment], sign: Sign) -> Alignment:
    """What several alignments agree in; what they pair differently is in doubt."""
    both = Alignment({}, {}, found[0].score)
    for target in dict.fromkeys(
        target for each in found for target in (*each.pairs, *each.doubtful)
    ):
        among = {each.pairs[target] for each in found if target in each.pairs}
        among.update(*(each.doubtful.get(target, ()) for each in found))
        if len(among) == 1 and all(target in each.pairs for each in found):
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
    """By row and column: the most that can be gained up to there."""
    rows, columns = gain.shape
    best = torch.zeros(rows + 1, columns + 1, dtype=torch.long)
    for row in range(rows):
        # A gain of zero is a pair of different kinds, which is as good as leaving both out.
        stepped = torch.maximum(best[row, 1:], best[row, :-1] + gain[row])
        best[row + 1, 1:] = stepped.cummax(0).values
    return best
