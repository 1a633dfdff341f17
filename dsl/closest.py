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
    return close[0] if close else ""


def _folded(name: str) -> str:
    return name.lower().replace("_", "")
