"""The difference of two networks as data: layers that were added, removed or changed. Layers
correspond if they are equal and connected in the same way, else if they have the same label, else
if they are of the same kind in the same place. A part that was moved into a block, or out of one,
is unchanged.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from ..analysis import Analysis
from ..network import Node, Scope
from .align import align
from .structure import Part, Structure, merged_block, parts
from .wording import Wording


@dataclass(frozen=True)
class Changed:
    """A layer whose arguments or inputs changed."""

    before: Node
    after: Node
    rewired: bool
    """Whether its inputs come from other layers."""


@dataclass
class Difference:
    before: Analysis
    after: Analysis
    removed: list[Part] = field(default_factory=list)
    added: list[Part] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    affected: list[tuple[Node, Node]] = field(default_factory=list)
    """Layers written as before, but with other shapes or figures, because of layers before them.
    """
    renamed: list[tuple[Node, Node]] = field(default_factory=list)
    """Layers with weights and another name: checkpoints of one network do not fit the other there.
    """
    partner: dict[int, int] = field(default_factory=dict)
    """From the index of a layer in the old network to its index in the new one."""

    @property
    def same(self) -> bool:
        return not (self.removed or self.added or self.changed or self.affected)


def difference(before: Analysis, after: Analysis) -> Difference:
    keys: dict[object, int] = {}
    left, right = Structure(before.network, keys), Structure(after.network, keys)
    partner = dict(sorted(_Matching(left, right).partner.items()))
    diff = Difference(before, after, partner=partner)
    matched = set(diff.partner.values())
    was, now = Wording(before.network), Wording(after.network)
    diff.removed = _whole_parts(left, set(partner))
    diff.added = _whole_parts(right, matched)
    for old_index, new_index in partner.items():
        old, new = before.network.nodes[old_index], after.network.nodes[new_index]
        rewired = _rewired(diff, old, new, matched)
        # The value of `auto` may depend on the next layers; that is not a change of the layer.
        same = left.op_key(old) == right.op_key(new) or was.layer(old) == now.layer(new)
        if rewired or not same:
            diff.changed.append(Changed(old, new, rewired))
        elif _figures(before, old) != _figures(after, new):
            diff.affected.append((old, new))
        if old.name != new.name and old.weights and new.weights:
            diff.renamed.append((old, new))
    return diff


def _figures(analysis: Analysis, node: Node) -> object:
    return node.shape, analysis.costs[node.index], analysis.fields[node.index].size


class _Matching:
    """Matches the layers of two networks."""

    def __init__(self, left: Structure, right: Structure) -> None:
        self.left = left
        self.right = right
        self.partner: dict[int, int] = {}
        todo: list[tuple[Scope, Scope]] = [(left.network.root, right.network.root)]
        while todo:
            old, new = todo.pop()
            todo += self.scopes(list(parts(old)), list(parts(new)))

    def scopes(self, old: Sequence[Part], new: Sequence[Part]) -> list[tuple[Scope, Scope]]:
        """Pairs the parts of two scopes; returns pairs whose insides remain to be matched."""
        pairs = align(old, new, self.key, self.similarity)
        todo: list[tuple[Scope, Scope]] = []
        i = j = 0
        for next_i, next_j in [*pairs, (len(old), len(new))]:
            self.gap(old[i:next_i], new[j:next_j])
            if next_i < len(old):
                todo += self.pair(old[next_i], new[next_j])
            i, j = next_i + 1, next_j + 1
        return todo

    def pair(self, old: Part, new: Part) -> list[tuple[Scope, Scope]]:
        if self.left.key(old) == self.right.key(new):
            both = zip(self.left.nodes(old), self.right.nodes(new), strict=True)
            self.partner.update((a.index, b.index) for a, b in both)
            return []
        if isinstance(old, Scope) and isinstance(new, Scope):
            return [(old, new)]
        assert isinstance(old, Node)
        assert isinstance(new, Node)
        self.partner[old.index] = new.index
        return []

    def gap(self, old: Sequence[Part], new: Sequence[Part]) -> None:
        """Parts without a match: their layers may have been moved into a block, or out of one."""
        if not old or not new or not any(isinstance(part, Scope) for part in (*old, *new)):
            return
        before = [node for part in old for node in self.left.nodes(part)]
        after = [node for part in new for node in self.right.nodes(part)]
        pairs = align(before, after, self.op_key, self.similarity)
        if self.much_the_same(before, after, pairs):
            self.partner.update((before[i].index, after[j].index) for i, j in pairs)

    def much_the_same(
        self, before: Sequence[Node], after: Sequence[Node], pairs: Sequence[tuple[int, int]]
    ) -> bool:
        """Whether most layers with weights are unchanged.

        A block that replaces another may have some layers in common with it, and is still another
        block.
        """
        kept = sum(
            bool(before[i].weights)
            and before[i].op.kind != "norm"
            and self.left.op_key(before[i]) == self.right.op_key(after[j])
            for i, j in pairs
        )
        longer = max(
            sum(bool(node.weights) and node.op.kind != "norm" for node in nodes)
            for nodes in (before, after)
        )
        return 2 * kept > longer or (not longer and bool(pairs))

    def key(self, part: Part, of_right: bool) -> object:
        return (self.right if of_right else self.left).key(part), part.label

    def op_key(self, node: Node, of_right: bool) -> object:
        return (self.right if of_right else self.left).op_key(node), node.label

    def similarity(self, old: Part, new: Part) -> int:
        """The similarity of two different parts; labels count most, then their kind."""
        labeled = old.label is not None and old.label == new.label
        alike = 60 * labeled + 40 * (_word(old) == _word(new)) + (old.name == new.name)
        if isinstance(old, Node) and isinstance(new, Node):
            if _word(old) == _word(new):
                return alike + 20 * (self.left.op_key(old) == self.right.op_key(new))
            # One activation replaced by another.
            return alike + 10 if old.op.kind == new.op.kind else 0
        if isinstance(old, Node) or isinstance(new, Node):
            return 0
        return alike if labeled or _word(old) == _word(new) else 0


def _word(part: Part) -> tuple[str, str]:
    if isinstance(part, Node):
        return "layer", part.op.word
    if part.kind == "iteration":
        block = merged_block(part)
        return part.kind, block.word if block else ""
    # `repeat` may have become `for`.
    return part.kind, part.word if part.kind == "block" else ""


def _whole_parts(structure: Structure, matched: set[int]) -> list[Part]:
    """Layers without a partner; parts without any partner inside are returned whole."""
    whole: list[Part] = []
    stack: list[Part] = [structure.network.root]
    while stack:
        part = stack.pop()
        nodes = structure.nodes(part)
        if all(node.index in matched for node in nodes):
            continue
        if isinstance(part, Node) or not any(node.index in matched for node in nodes):
            whole.append(part)
        else:
            stack.extend(reversed(list(parts(part))))
    return whole


def _rewired(diff: Difference, old: Node, new: Node, matched: set[int]) -> bool:
    """Whether the inputs of a layer come from other layers.

    A layer inserted or removed in between does not count: inputs are followed back to layers that
    both networks have.
    """
    if len(old.inputs) != len(new.inputs):
        return True
    for source, now in zip(old.inputs, new.inputs, strict=True):
        if diff.partner.get(source.index) == now.index:
            continue
        before = {diff.partner.get(i) for i in _sources(source, diff.partner)}
        if before != _sources(now, matched):
            return True
    return False


def _sources(node: Node, matched: Container[int]) -> set[int]:
    """The nearest layers that have a partner, going back along every path."""
    indices: set[int] = set()
    seen: set[int] = set()
    stack = [node]
    while stack:
        node = stack.pop()
        if node.index in seen:
            continue
        seen.add(node.index)
        if node.index in matched:
            indices.add(node.index)
        else:
            stack.extend(node.inputs)
    return indices
