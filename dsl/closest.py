"""Spelling suggestions: the similarity measure behind every "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

MAX_CANDIDATES = 1000
"""The most candidates that are compared; further ones are ignored."""
_LONGEST = 80
"""The longest word that is compared with others."""


def closest(
    word: str, candidates: Iterable[str], cutoff: float = 0.6, most: int = MAX_CANDIDATES
) -> str:
    """The candidate most similar to the word, or "" for none; ignores case and underscores."""
    return _closest(word, frozenset(candidates), cutoff, most) if len(word) <= _LONGEST else ""


@lru_cache(maxsize=1000)
def _closest(word: str, candidates: frozenset[str], cutoff: float, most: int) -> str:
    import difflib

    names = sorted(name for name in candidates if len(name) <= _LONGEST)[:most]
    folded = {_folded(name): name for name in names}
    exact = folded.get(_folded(word))
    if exact:
        return exact
    close = difflib.get_close_matches(word, names, n=1, cutoff=cutoff)
    return close[0] if close and _is_slip(word, close[0]) else ""


def _is_slip(word: str, name: str) -> bool:
    """Whether a word may be a misspelling of a name: a few letters differ. `fire` shares most of
    its letters with `filter`, and is another word."""
    return edit_distance(_folded(word), _folded(name)) <= max(1, len(word) // 3)


def edit_distance(a: str, b: str) -> int:
    """The number of letters to insert, delete, replace, or swap with a neighbor."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _folded(name: str) -> str:
    return name.lower().replace("_", "")
