"""Reads the names of layers: their numbers, and words such as `downsample`.

Names are used only for layers that are otherwise interchangeable, and decide in two cases only:
the names differ in nothing but numbers, which increase in the target's order; or exactly one name
has a word for the kind of path that the target's layer is on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

Tag = Literal["shortcut", "pool", "aux", "scale", "norm", "height", "width"]

_COUNTING = re.compile(
    r"(?<!\d)(?<!\dx)\d+(?!\d)(?!x\d)|(?<=\d)[a-zA-Z](?![a-zA-Z])|(?<![a-zA-Z])[a-h](?![a-zA-Z])"
)

_WORDS: dict[Tag, frozenset[str]] = {
    "shortcut": frozenset(
        "shortcut downsample skip proj projection identity bypass residual sc match".split()
    ),
    "aux": frozenset("aux auxiliary auxlogits".split()),
    "scale": frozenset(["scale", "gamma", "ls"]),
    "norm": frozenset("norm ln bn rms".split()),
    "height": frozenset(["height"]),
    "width": frozenset(["width"]),
    "pool": frozenset(["pool", "pooling", "pooled", "maxpool", "avgpool"]),
}

Rank = tuple[tuple[int, str], ...]


def template(name: str) -> str:
    """A name without its numbers: `layer#.#.conv#`. Letters after a digit (`Mixed_5b`) and single
    letters from a to h (`f.a`) count as numbers, sizes (`c3x3`) do not."""
    return _COUNTING.sub("#", name)


def rank(name: str) -> Rank:
    """The numbers of a name, as a sort key."""
    return tuple(
        (int(number), "") if number.isdigit() else (0, number) for number in _COUNTING.findall(name)
    )


def count_upwards(names: Sequence[str]) -> bool:
    """Whether the names differ in numbers only, and these increase."""
    if len({template(name) for name in names}) != 1:
        return False
    ranks = [rank(name) for name in names]
    return all(a < b for a, b in pairwise(ranks))


def contradict(names: Sequence[str]) -> bool:
    """Whether some names differ in numbers only, and these decrease."""
    last: dict[str, Rank] = {}
    for name in names:
        kind, place = template(name), rank(name)
        if kind in last and place < last[kind]:
            return True
        last[kind] = place
    return False


def tags(name: str) -> frozenset[Tag]:
    """The kinds of paths that a name has words for."""
    words = {word.lower() for word in re.findall(r"[A-Za-z][a-z]*|[A-Z]+", name)}
    return frozenset(tag for tag, known in _WORDS.items() if words & known)


def assign_by_words(tagged: Sequence[Iterable[Tag]], names: Sequence[str]) -> list[int] | None:
    """Assigns names to layers by their tags: for each layer of the target, the index of its name.
    None unless the assignment is complete and unique."""
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
