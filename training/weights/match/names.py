"""What names say: numbers that count, and words for kinds of paths.

Names never decide where the place does. Among layers that nothing else tells apart they are taken
for clear in two cases only: they differ in nothing but numbers, which count upwards as ours stand;
or one of them alone has a word for what ours is (`downsample`, `pool`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

Tag = Literal["shortcut", "pool", "aux"]

_COUNTING = re.compile(r"\d+|(?<=\d)[a-zA-Z](?![a-zA-Z])|(?<![a-zA-Z])[a-h](?![a-zA-Z])")

_WORDS: dict[Tag, frozenset[str]] = {
    "shortcut": frozenset(
        "shortcut downsample skip proj projection identity bypass residual sc match".split()
    ),
    "aux": frozenset("aux auxiliary auxlogits".split()),
    "pool": frozenset(["pool", "pooling", "pooled", "maxpool", "avgpool"]),
}

Rank = tuple[tuple[int, str], ...]


def template(name: str) -> str:
    """A name without what counts in it: `layer#.#.conv#`. Letters count behind numbers (`Mixed_5b`)
    and, the first few of the alphabet, where they stand alone (`f.a`)."""
    return _COUNTING.sub("#", name)


def rank(name: str) -> Rank:
    """What counts in a name, in a form that can be compared."""
    return tuple(
        (int(found), "") if found.isdigit() else (0, found) for found in _COUNTING.findall(name)
    )


def count_upwards(names: Sequence[str]) -> bool:
    """Whether they differ in numbers only, and these grow."""
    if len({template(name) for name in names}) != 1:
        return False
    ranks = [rank(name) for name in names]
    return all(a < b for a, b in pairwise(ranks))


def contradict(names: Sequence[str]) -> bool:
    """Whether among names that differ in numbers only, these do not grow."""
    last: dict[str, Rank] = {}
    for name in names:
        kind, place = template(name), rank(name)
        if kind in last and place < last[kind]:
            return True
        last[kind] = place
    return False


def tags(name: str) -> frozenset[Tag]:
    """Which kinds of paths it has words for."""
    words = {word.lower() for word in re.findall(r"[A-Za-z][a-z]*|[A-Z]+", name)}
    return frozenset(tag for tag, known in _WORDS.items() if words & known)


def told_apart(tagged: Sequence[Iterable[Tag]], names: Sequence[str]) -> list[int] | None:
    """By words: for each of ours, with its tags, the place of its one name among `names`; None
    unless every one of both sides has a partner that nothing else goes with."""
    targets = _but_for_shared([frozenset(each) for each in tagged])
    known = frozenset[Tag]().union(*targets)
    sources = _but_for_shared([tags(name) & known for name in names])
    if len(set(targets)) < len(targets) or sorted(map(sorted, targets)) != sorted(
        map(sorted, sources)
    ):
        return None
    return [sources.index(each) for each in targets]


def _but_for_shared(tagged: Sequence[frozenset[Tag]]) -> list[frozenset[Tag]]:
    shared = frozenset.intersection(*tagged)
    return [each - shared for each in tagged]
