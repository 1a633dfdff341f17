"""An order of layers from their names alone, that fits a line of ours.

For files that keep no order of their own, or an alphabetical one. Names are taken as a tree. What
is below a name lies side by side; what differs in numbers only comes in their order; and how
different words follow each other (`conv1`, `bn1`, `downsample`) is whatever fits. Everything that
fits is found, so what fits in one way only is certain, as far as names can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .names import rank, template

Fits = Callable[[int, int], bool]
"""Whether a layer of theirs can stand at a position of the line."""

_MOST_TRIALS = 100_000
"""The networks that people use take about a thousand."""
_MOST_LEVELS = 30


@dataclass
class _Tree:
    """A name, or the beginning of names."""

    leaf: int | None = None
    """Which layer it is."""
    below: dict[str, _Tree] = field(default_factory=dict)
    size: int = 0
    chains: list[list[_Tree]] = field(default_factory=list)
    """What is below, by words; each in the order of its numbers."""


class TooMany(Exception):
    """There are more ways to arrange these names than can be looked at."""


def positions(names: Sequence[str], length: int, fits: Fits, between: str) -> list[set[int]] | None:
    """For each name, where it stands in some arrangement that fills a line from end to end; None
    where there is none. `between` matches what stands between the levels of a name.

    Raises TooMany where there are more ways than can be looked at."""
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
"""How much of each chain has been placed."""
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
        found: list[set[int]] = [set() for _ in range(count)]
        todo, seen = [(self._root, 0)], set[tuple[int, int]]()
        while todo:
            tree, start = todo.pop()
            if (id(tree), start) in seen:
                continue
            seen.add((id(tree), start))
            if tree.leaf is not None:
                found[tree.leaf].add(start)
            else:
                todo += [(child, at) for _, child, at, _ in self._ways(tree, start)]
        return found

    def _can_stand(self, tree: _Tree, start: int) -> bool:
        if tree.leaf is not None:
            return self._fits(tree.leaf, start)
        return bool(self._ways(tree, start))

    def _ways(self, tree: _Tree, start: int) -> list[_Step]:
        """The steps of all ways to lay out what is below a name, from a position on."""
        key = id(tree), start
        if key not in self._steps:
            self._steps[key] = self._found_ways(tree, start)
        return self._steps[key] or []

    def _found_ways(self, tree: _Tree, start: int) -> list[_Step]:
        none = tuple(0 for _ in tree.chains)
        full = tuple(len(chain) for chain in tree.chains)
        places = {none: start}
        steps: list[_Step] = []
        todo = [none]
        for state in todo:  # grows while it is gone through
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
    """Steps come in an order in which each follows those that it needs."""
    reached = {end}
    for step in reversed(steps):
        if step[3] in reached:
            reached.add(step[0])
            yield step
