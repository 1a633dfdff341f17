"""The structure of a network: its parts, which of them are equal, which repeat. A part is a layer,
or a scope with a name of its own; scopes without a name (`residual`, paths) are transparent, as in
names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ..network import Network, Node, Scope
from ..ops.base import Op

Part: TypeAlias = Scope | Node


def parts(scope: Scope) -> Iterator[Part]:
    """The parts of a scope, in the order written."""
    stack: list[Part] = list(reversed(scope.children))
    while stack:
        item = stack.pop()
        if isinstance(item, Scope) and item.name == scope.name:
            stack.extend(reversed(item.children))
        elif isinstance(item, Node) or any(True for _ in item.nodes()):
            yield item


def merged_block(iteration: Scope) -> Scope | None:
    """The block that an iteration of a loop is merged with (see `naming`)."""
    stack: list[Scope | Node] = list(iteration.children)
    while stack:
        item = stack.pop()
        if isinstance(item, Scope) and item.name == iteration.name:
            if item.kind == "block":
                return item
            stack.extend(item.children)
    return None


def depth(part: Part) -> int:
    """The number of components of its name; 0 for the network."""
    return part.name.count(".") + 1 if part.name else 0


class Structure:
    """Keys of parts: equal for parts with the same layers, arguments and connections, whatever
    their input shapes and names.
    """

    def __init__(
        self,
        network: Network,
        keys: dict[object, int] | None = None,
        alike: Callable[[Op], object] = lambda op: (type(op), *op.arguments.values()),
    ) -> None:
        self.network = network
        self.alike = alike
        """The key of an operation."""
        self.keys = {} if keys is None else keys
        """Numbers for the contents of parts; shared by networks that are compared."""
        self.first: dict[int, int] = {}
        self.length: dict[int, int] = {}
        """The index of a scope's first node in `Network.nodes`, and the number of its nodes, which
        are consecutive. By the id of the scope, which the network keeps alive.
        """
        self._scopes: dict[int, int] = {}
        self._ops: dict[int, int] = {}
        self._measure()

    def _measure(self) -> None:
        """From the inside out, without recursion: a spec may nest deeply."""
        stack: list[tuple[Scope, bool]] = [(self.network.root, False)]
        while stack:
            scope, inside_done = stack.pop()
            if not inside_done:
                stack.append((scope, True))
                stack.extend((c, False) for c in scope.children if isinstance(c, Scope))
                continue
            filled = [child for child in scope.children if self.size(child)]
            self.first[id(scope)] = self.start(filled[0]) if filled else 0
            self.length[id(scope)] = sum(map(self.size, filled))
            content = tuple(map(self.key, filled))
            # A scope around a single part equals that part.
            single = len(content) == 1
            self._scopes[id(scope)] = content[0] if single else self._number(content)

    def _number(self, content: object) -> int:
        return self.keys.setdefault(content, len(self.keys))

    def op_key(self, node: Node) -> int:
        """A key that is equal for layers with equal arguments."""
        op = node.op
        known = self._ops.get(id(op))
        if known is None:
            known = self._ops[id(op)] = self._number(self.alike(op))
        return known

    def key(self, part: Part) -> int:
        if isinstance(part, Scope):
            return self._scopes[id(part)]
        # The distance to its inputs is the same in parts with the same connections.
        back = tuple([part.index - source.index for source in part.inputs])
        return self._number((self.op_key(part), back))

    def start(self, part: Part) -> int:
        return part.index if isinstance(part, Node) else self.first[id(part)]

    def end(self, part: Part) -> int:
        """The index after its last node."""
        return self.start(part) + self.size(part)

    def size(self, part: Part) -> int:
        """The number of its layers."""
        return 1 if isinstance(part, Node) else self.length[id(part)]

    def nodes(self, part: Part) -> list[Node]:
        return self.network.nodes[self.start(part) : self.end(part)]

    def last(self, part: Part) -> Node:
        """Its output node."""
        if isinstance(part, Node):
            return part
        return part.output if isinstance(part.output, Node) else self.nodes(part)[-1]


MAX_PERIOD = 8


class Run:
    """A run of repeated parts: `period` of them, `count` times."""

    __slots__ = ("count", "parts", "period")

    def __init__(self, parts: Sequence[Part], period: int, count: int) -> None:
        self.parts = parts
        """All parts of the run."""
        self.period = period
        self.count = count

    @property
    def once(self) -> Sequence[Part]:
        return self.parts[: self.period]


def runs(
    structure: Structure,
    items: Sequence[Part],
    max_period: int = MAX_PERIOD,
    follows: Callable[[Part], bool] = lambda part: False,
) -> list[Run]:
    """Divides parts into runs; parts that do not repeat are runs of one. A run that could as well
    begin later does not begin with a part that `follows` the one before.
    """
    # A labeled part is not folded: its author distinguishes it.
    keys = [(structure.key(item), item.label) for item in items]
    result: list[Run] = []
    at = 0
    while at < len(items):
        period, count = _best(structure, items, keys, at, max_period)
        if at and count > 1 and follows(items[at]):
            for later in range(at + 1, at + period):
                if not follows(items[later]):
                    if _best(structure, items, keys, later, max_period) == (period, count):
                        period, count = 1, 1
                    break
        result.append(Run(items[at : at + period * count], period, count))
        at += period * count
    return result


def _best(
    structure: Structure, items: Sequence[Part], keys: Sequence[object], at: int, max_period: int
) -> tuple[int, int]:
    """The period and count that leave the fewest parts to draw."""
    best = 1, 1
    for period in range(1, min(max_period, (len(keys) - at) // 2) + 1):
        pattern = keys[at : at + period]
        count = 1
        while keys[at + count * period : at + (count + 1) * period] == pattern and _only_goes_on(
            structure, items, at + (count - 1) * period, period
        ):
            count += 1
        if count > 1 and (count - 1) * period > (best[1] - 1) * best[0]:
            best = period, count
    return best


def _only_goes_on(structure: Structure, items: Sequence[Part], at: int, period: int) -> bool:
    """Whether the output of each repetition is only used by the next one."""
    begin = structure.start(items[at])
    end = structure.end(items[at + 2 * period - 1])
    network = structure.network
    for node in network.nodes[begin : structure.start(items[at + period])]:
        if any(output.node is node for output in network.outputs):
            return False
        if any(consumer.index >= end for consumer in network.consumers[node.index]):
            return False
    return True
