"""Finds the order of layers from their names alone, so that it fits the target's layers.

For files that are sorted by name or not ordered at all. The names form a tree. The layers below a
name are contiguous; names that differ in numbers only are in the order of these; different words
(`conv1`, `bn1`, `downsample`) can be in any order that fits. All fitting orders are found, so a
position that is the same in all of them is certain, as far as names can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .names import rank, template

Fits = Callable[[int, int], bool]
"""Whether a layer of the source can be at a position of the target's order."""

_MOST_TRIALS = 100_000
"""Common networks take about a thousand."""
_MOST_LEVELS = 30


@dataclass
class _Tree:
    """A name, or a prefix of names."""

    leaf: int | None = None
    """The index of its layer."""
    below: dict[str, _Tree] = field(default_factory=dict)
    size: int = 0
    chains: list[list[_Tree]] = field(default_factory=list)
    """The subtrees by word, each sorted by its numbers."""


class TooMany(Exception):
    """There are too many orders of these names to try."""


def positions(names: Sequence[str], length: int, fits: Fits, between: str) -> list[set[int]] | None:
    """The possible positions of each name in the complete orders that fit; None if there is none.
    `between` is the pattern of separators in names. Raises TooMany if there are too many orders."""
    if len(names) != length:
        return None
    return _Search(_tree(names, between), fits).positions(len(names))


def _tree(names: Sequence[str], between: str) -> _Tree:
    root = _Tree()
    for number, name in enumerate(names):
        at = root
        for word in re.split(between, name, maxsplit=_MOST_LEVELS):
            at.size += 1
            at = at.below.setdefault(word, _Tree())
        at.size += 1
        if at.leaf is None and not at.below:
            at.leaf = number
        else:
            at.below.setdefault("", _Tree(number, size=1))
    _chain(root)
    return root


def _chain(tree: _Tree) -> None:
    if tree.leaf is not None and tree.below:  # a layer with others below it
        tree.below[""] = _Tree(tree.leaf, size=1)
        tree.leaf = None
    words: dict[str, list[str]] = {}
    for word in tree.below:
        words.setdefault(template(word), []).append(word)
    tree.chains = [[tree.below[word] for word in sorted(like, key=rank)] for like in words.values()]
    for child in tree.below.values():
        _chain(child)


_State = tuple[int, ...]
"""The number of placed subtrees in each chain."""
_Step = tuple[_State, _Tree, int, _State]


class _Search:
    def __init__(self, root: _Tree, fits: Fits) -> None:
        self._root = root
        self._fits = fits
        self._steps: dict[tuple[int, int], list[_Step] | None] = {}
        self._trials = 0

    def positions(self, count: int) -> list[set[int]] | None:
        if not self._can_stand(self._root, 0):
            return None
        places: list[set[int]] = [set() for _ in range(count)]
        todo, seen = [(self._root, 0)], set[tuple[int, int]]()
        while todo:
            tree, start = todo.pop()
            if (id(tree), start) in seen:
                continue
            seen.add((id(tree), start))
            if tree.leaf is not None:
                places[tree.leaf].add(start)
            else:
                todo += [(child, at) for _, child, at, _ in self._ways(tree, start)]
        return places

    def _can_stand(self, tree: _Tree, start: int) -> bool:
        if tree.leaf is not None:
            return self._fits(tree.leaf, start)
        return bool(self._ways(tree, start))

    def _ways(self, tree: _Tree, start: int) -> list[_Step]:
        """The steps of all orders of the subtrees of a name, from a position on."""
        key = id(tree), start
        if key not in self._steps:
            self._steps[key] = self._find_ways(tree, start)
        return self._steps[key] or []

    def _find_ways(self, tree: _Tree, start: int) -> list[_Step]:
        none = tuple(0 for _ in tree.chains)
        full = tuple(len(chain) for chain in tree.chains)
        places = {none: start}
        steps: list[_Step] = []
        todo = [none]
        for state in todo:  # grows during the loop
            for number, chain in enumerate(tree.chains):
                if state[number] == len(chain):
                    continue
                child, at = chain[state[number]], places[state]
                self._trials += 1
                if self._trials > _MOST_TRIALS:
                    raise TooMany
                if not self._can_stand(child, at):
                    continue
                further = (*state[:number], state[number] + 1, *state[number + 1 :])
                steps.append((state, child, at, further))
                if further not in places:
                    places[further] = at + child.size
                    todo.append(further)
        return list(_leading_to(full, steps))


def _leading_to(end: _State, steps: Sequence[_Step]) -> Iterable[_Step]:
    """The steps that lead to `end`. Each step comes after those that it depends on."""
    reached = {end}
    for step in reversed(steps):
        if step[3] in reached:
            reached.add(step[0])
            yield step
