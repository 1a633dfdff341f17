"""Finds the order of layers from their names alone, so that the target can be computed in it.

For files that are sorted by name or not ordered at all. The names form a tree. The layers below a
name are contiguous; names that differ in numbers only are in the order of these; different words
(`conv1`, `bn1`, `downsample`) can be in any order that fits. All fitting orders are found, so a
layer of the target that is the same in all of them is certain, as far as names can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .names import rank, template

State = int
"""The layers of the target that are placed, as bits."""
Next = Callable[[int, State], State]
"""The layers of the target that a layer of the source can be after those that are placed, as
bits."""

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


def positions(names: Sequence[str], fits: Next, between: str) -> list[set[int]] | None:
    """The layers of the target, by number, that each name can be in the complete orders that fit;
    None if there is none. `between` is the pattern of separators in names. Raises TooMany if there
    are too many orders."""
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


_Reached = tuple[tuple[int, ...], State]
"""The number of placed subtrees in each chain, and the layers that are placed."""
_Step = tuple[_Reached, _Tree, _Reached]


class _Search:
    def __init__(self, root: _Tree, fits: Next) -> None:
        self._root = root
        self._fits = fits
        self._steps: dict[tuple[int, State], tuple[list[_Step], list[State]]] = {}
        self._trials = 0

    def positions(self, count: int) -> list[set[int]] | None:
        places: list[set[int]] = [set() for _ in range(count)]
        todo = [(self._root, 0, end) for end in self._ends(self._root, 0)]
        seen = set[tuple[int, State, State]]()
        if not todo:
            return None
        while todo:
            tree, start, end = todo.pop()
            if (id(tree), start, end) in seen:
                continue
            seen.add((id(tree), start, end))
            if tree.leaf is not None:
                places[tree.leaf].add((end ^ start).bit_length() - 1)
                continue
            steps, _ = self._steps[id(tree), start]
            full = tuple(len(chain) for chain in tree.chains)
            for before, child, after in _leading_to((full, end), steps):
                todo.append((child, before[1], after[1]))
        return places

    def _ends(self, tree: _Tree, start: State) -> Iterable[State]:
        """What can be placed when the layers below a name follow those of `start`."""
        if tree.leaf is not None:
            return (start | bit for bit in _single(self._fits(tree.leaf, start)))
        key = id(tree), start
        if key not in self._steps:
            self._steps[key] = self._find(tree, start)
        return self._steps[key][1]

    def _find(self, tree: _Tree, start: State) -> tuple[list[_Step], list[State]]:
        """The steps of all orders of the subtrees of a name, and where complete ones end."""
        first = tuple(0 for _ in tree.chains), start
        full = tuple(len(chain) for chain in tree.chains)
        steps: list[_Step] = []
        queue, known = [first], {first}
        for reached in queue:  # grows during the loop
            counts, state = reached
            for number, chain in enumerate(tree.chains):
                if counts[number] == len(chain):
                    continue
                self._trials += 1
                if self._trials > _MOST_TRIALS:
                    raise TooMany
                child = chain[counts[number]]
                further = (*counts[:number], counts[number] + 1, *counts[number + 1 :])
                for end in self._ends(child, state):
                    after = further, end
                    steps.append((reached, child, after))
                    if after not in known:
                        known.add(after)
                        queue.append(after)
        return steps, [state for counts, state in queue if counts == full]


def _single(bits: State) -> Iterator[State]:
    while bits:
        yield bits & -bits
        bits &= bits - 1


def _leading_to(end: _Reached, steps: Sequence[_Step]) -> Iterable[_Step]:
    """The steps that lead to `end`. Each step comes after those that it depends on."""
    reached = {end}
    for step in reversed(steps):
        if step[2] in reached:
            reached.add(step[0])
            yield step
