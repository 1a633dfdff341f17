"""Sequence alignment for `cnn diff`: which items of two sequences correspond. Equal items are
matched with Myers' algorithm, in time proportional to the length times the number of differences;
in the gaps between them, which are usually small, the best pairs of similar items are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

Pairs = list[tuple[int, int]]
"""Pairs of corresponding positions, ascending on both sides."""

MAX_CELLS = 250_000
"""Up to this many pairs of items, all are compared with each other."""

MAX_EDITS = 2_000
"""The most insertions and deletions that are searched; beyond that, items are paired in order."""


def align(
    left: Sequence[T],
    right: Sequence[T],
    key: Callable[[T, bool], object],
    similarity: Callable[[T, T], int],
) -> Pairs:
    """Aligns two sequences.

    `key` of an item (and whether it is on the right) is equal for equal items; `similarity` is the
    similarity of two different items, 0 for none.
    """
    left_keys = [key(item, False) for item in left]
    right_keys = [key(item, True) for item in right]
    begin = 0
    shorter = min(len(left), len(right))
    while begin < shorter and left_keys[begin] == right_keys[begin]:
        begin += 1
    end = 0
    while end < shorter - begin and left_keys[-1 - end] == right_keys[-1 - end]:
        end += 1
    same: Pairs = [(i, i) for i in range(begin)]
    common_end = [(len(left) - i, len(right) - i) for i in range(end, 0, -1)]
    a, b = left_keys[begin : len(left) - end], right_keys[begin : len(right) - end]
    if len(a) * len(b) > MAX_CELLS:
        same += [(i + begin, j + begin) for i, j in _shared(a, b)]
    matched: Pairs = []
    i, j = 0, 0
    for next_i, next_j in [*same, *common_end, (len(left), len(right))]:
        matched += _match_similar(
            left, right, left_keys, right_keys, similarity, (i, next_i), (j, next_j)
        )
        matched.append((next_i, next_j))
        i, j = next_i + 1, next_j + 1
    return matched[:-1]


def _shared(left: Sequence[object], right: Sequence[object]) -> Pairs:
    """The common subsequence, searched among items that occur on both sides."""
    on_left, on_right = set(left), set(right)
    rows = [i for i, item in enumerate(left) if item in on_right]
    columns = [j for j, item in enumerate(right) if item in on_left]
    pairs = _same([left[i] for i in rows], [right[j] for j in columns])
    return [(rows[i], columns[j]) for i, j in pairs]


def _same(left: Sequence[object], right: Sequence[object]) -> Pairs:
    """The longest common subsequence (Myers, 1986); empty if too much differs."""
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(len(left) + len(right), MAX_EDITS) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (
                diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1]
            )
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            y = x - diagonal
            while x < len(left) and y < len(right) and left[x] == right[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= len(left) and y >= len(right):
                return _back(trace, len(left), len(right))
    return []


def _back(trace: list[dict[int, int]], x: int, y: int) -> Pairs:
    """The path that led to the end, from its last step to its first."""
    matched: Pairs = []
    for edits in range(len(trace) - 1, -1, -1):
        furthest, diagonal = trace[edits], x - y
        down = diagonal == -edits or (
            diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1]
        )
        before = diagonal + 1 if down else diagonal - 1
        start_x = furthest[before]
        start_y = start_x - before
        while x > max(start_x, 0) and y > max(start_y, 0):
            x, y = x - 1, y - 1
            matched.append((x, y))
        x, y = start_x, start_y
    return matched[::-1]


def _match_similar(
    left: Sequence[T],
    right: Sequence[T],
    left_keys: Sequence[object],
    right_keys: Sequence[object],
    similarity: Callable[[T, T], int],
    rows: tuple[int, int],
    columns: tuple[int, int],
) -> Pairs:
    """The pairs in a gap with the highest total similarity."""
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    if not height or not width:
        return []
    if height * width > MAX_CELLS:
        pairs = zip(range(*rows), range(*columns), strict=False)
        return [(i, j) for i, j in pairs if similarity(left[i], right[j])]
    exact = 1_000
    fits = [
        [
            exact if left_keys[i] == right_keys[j] else similarity(left[i], right[j])
            for j in range(*columns)
        ]
        for i in range(*rows)
    ]
    best = [[0] * (width + 1) for _ in range(height + 1)]
    for i in range(height - 1, -1, -1):
        row, below, fit = best[i], best[i + 1], fits[i]
        for j in range(width - 1, -1, -1):
            together = fit[j] + below[j + 1] if fit[j] else 0
            row[j] = max(together, below[j], row[j + 1])
    matched: Pairs = []
    i = j = 0
    while i < height and j < width:
        if fits[i][j] and best[i][j] == fits[i][j] + best[i + 1][j + 1]:
            matched.append((i + rows[0], j + columns[0]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return matched
