"""Names of layers: a public format, since checkpoints depend on them. A layer is named by its
label, else by its word: the plain word if it is the only one of its kind in its scope (`fc`), else
numbered from 1 (`conv1`, `conv2`). The word is the one in the text, even if it is a parameter that
stands for a layer. Each kind is counted separately, so inserting an activation renames no weight.
Scopes are the network, blocks, loops and everything with a label; residual, concat and other forms
are not. Iterations of a loop are named by their number; an iteration that contains one block and no
other weights is merged with that block, one that contains only a loop with that loop:
`layer1.0.conv2`. The same holds for a network or an auxiliary head that is only one block. Layers
of an `if` branch that was not taken are counted as if they existed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ..network import Node, Scope
from .skipped import LOOP


def assign_names(root: Scope) -> None:
    """Assigns a name to every scope and node of a network."""
    weighted = _scopes_with_weights(root.nodes())
    stack: list[Scope] = [root]
    while stack:
        scope = stack.pop()
        counted = list(_items(scope, weighted))
        scope.parts = items = [item for item in counted if not isinstance(item, Counter)]
        taken = {item.label for item in items if item.label is not None}
        # A layer that is the only one of its kind keeps its plain word: a sixth `relu` is not
        # called `relu6` beside one.
        unique = _unique_words(counted) - taken
        numbers: Counter[str] = Counter()
        for item in counted:
            if isinstance(item, Counter):
                numbers.update(item)
                continue
            if item.label is not None:
                own = item.label
            elif isinstance(item, Scope) and item.kind == "iteration":
                own = str(item.index)
            else:
                own = _free(_word(item), unique, numbers, taken)
                taken.add(own)
            item.name = f"{scope.name}.{own}" if scope.name else own
            if isinstance(item, Scope):
                stack.append(item)


def _unique_words(counted: list[Scope | Node | Counter[str]]) -> set[str]:
    counts: Counter[str] = Counter()
    for item in counted:
        if isinstance(item, Counter):
            counts.update(item)
        elif item.label is None:
            counts[_word(item)] += 1
    return {word for word, count in counts.items() if count == 1}


def _word(item: Scope | Node) -> str:
    if isinstance(item, Node):
        return item.word
    return LOOP if item.kind == "loop" else item.word


def _free(word: str, unique: set[str], numbers: Counter[str], taken: set[str]) -> str:
    if word in unique:
        return word
    between = "_" if word[-1].isdigit() else ""
    while True:
        numbers[word] += 1
        name = f"{word}{between}{numbers[word]}"
        if name not in taken and name not in unique:
            return name


def _items(scope: Scope, weighted: set[int]) -> Iterator[Scope | Node | Counter[str]]:
    """Everything that gets a name in a scope: its layers, and the nearest named scopes. Counters
    represent layers of `if` branches that were not taken.
    """
    merged = _only_part(scope, weighted)
    stack: list[Scope | Node] = list(reversed(scope.children))
    while stack:
        item = stack.pop()
        if isinstance(item, Scope) and item.skipped:
            yield item.skipped
        elif isinstance(item, Scope) and (item is merged or not item.has_name):
            item.name = scope.name
            stack.extend(reversed(item.children))
        else:
            yield item


def _only_part(scope: Scope, weighted: set[int]) -> Scope | None:
    """The block or loop that an iteration is merged with; likewise the only block of a network or
    of an auxiliary head.
    """
    is_head = scope.aux and scope.parent is not None and not scope.parent.aux
    if scope.kind not in ("iteration", "network") and not is_head:
        return None
    candidates: list[Scope | Node] = []
    nodes = 0
    labels: set[str] = set()
    stack: list[Scope | Node] = list(scope.children)
    while stack:
        item = stack.pop()
        if item.label is not None:
            labels.add(item.label)
        if isinstance(item, Scope) and not item.has_name:
            stack.extend(item.children)
        elif id(item) in weighted or (isinstance(item, Node) and item.weights):
            candidates.append(item)
        elif isinstance(item, Scope) or item.inputs:
            nodes += 1
    if len(candidates) != 1:
        return None
    only = candidates[0]
    if not isinstance(only, Scope) or only.label is not None:
        return None
    if labels & (only.named.keys() - only.maps.keys()):  # a label names one thing only
        return None
    if nodes and (scope.kind != "iteration" or only.kind == "loop"):
        return None
    if only.kind not in ("block", "loop") or (only.kind == "loop" and scope.kind == "network"):
        return None
    if not nodes:
        scope.just = only
    return only


def _scopes_with_weights(nodes: Iterable[Node]) -> set[int]:
    """The ids of all scopes that contain weights."""
    indices: set[int] = set()
    for node in nodes:
        if not node.weights:
            continue
        for scope in node.scope.chain():
            if id(scope) in indices:
                break
            indices.add(id(scope))
    return indices
