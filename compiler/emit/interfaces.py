"""What a scope reads from outside, and what others read of it: the tensors of its `forward`."""

from __future__ import annotations

from ..language.values import Maps
from ..network import Network, Node, Scope, nodes_of
from .lists import MapLists, maps_in
from .scope_kinds import origin
from .shared_modules import Owner, SharedModules, first_of_shared

Interface = tuple[list[Node], list[Node]]
"""The inputs of a scope from outside, and those of its nodes that others read, in order."""


class Interfaces:
    """The inputs and outputs of the scopes of a network, each computed once."""

    def __init__(
        self, network: Network, shared: SharedModules, lists: MapLists, left_out: set[int]
    ) -> None:
        self.network = network
        self.ranges = shared.ranges
        self.shared = shared
        self.lists = lists
        self.left_out = left_out
        """Layers that `forward` leaves out, by index."""
        self.returned = {node.index for node in map(self.computed, network.ends)}
        self.known: dict[int, Interface] = {}
        self.offsets: dict[int, list[int]] = {}
        self.models: dict[object, Scope] | None = None
        self.last_values: dict[int, Scope] = {}
        self.last_values = self.find_last_values()

    def of(self, scope: Scope) -> Interface:
        known = self.known.get(id(scope))
        if known is None:
            known = self.known[id(scope)] = self.compute(scope)
        return known

    def computed(self, node: Node) -> Node:
        return node.inputs[0] if node.index in self.left_out else node

    def compute(self, scope: Scope) -> Interface:
        first: Owner = scope if scope.shares is None else first_of_shared(scope)
        if id(first) not in self.shared.copies:
            return self.own_interface(scope)
        # One module computes them all: it returns what any of them is read for.
        inputs, _ = self.own_interface(scope)
        begin = self.shared.start(scope)
        return inputs, [self.network.nodes[begin + offset] for offset in self.read_of(first)]

    def read_of(self, first: Owner) -> list[int]:
        """Which layers of something shared are read outside of it, in any of its uses: counted
        from its first layer."""
        if id(first) not in self.offsets:
            read: set[int] = set()
            for each in (first, *self.shared.copies[id(first)]):
                begin = self.shared.start(each)
                outputs = [each] if isinstance(each, Node) else self.own_interface(each)[1]
                read.update(node.index - begin for node in outputs)
            self.offsets[id(first)] = sorted(read)
        return self.offsets[id(first)]

    def own_interface(self, scope: Scope) -> Interface:
        start, end = self.ranges[id(scope)]
        inputs: dict[int, Node] = {}
        outputs: list[Node] = []
        for node in self.network.nodes[start:end]:
            if node.index in self.left_out:
                continue
            for source in node.inputs:
                if source.index < start:
                    inputs.setdefault(source.index, source)
            consumers = self.network.consumers[node.index]
            outside = any(c.index >= end and c.index not in self.left_out for c in consumers)
            if node.index in self.returned or outside or self.is_handed_on(node, scope):
                outputs.append(node)
        if not outputs:  # nothing reads its output, but it has weights
            inside = self.network.nodes[start:end]
            outputs = [node for node in inside if node.index not in self.left_out][-1:]
        given = self.lists_read(scope, self.in_order(scope, inputs))
        return given, self.lists_left(scope, outputs)

    def lists_read(self, scope: Scope, inputs: list[Node]) -> list[Node]:
        """The inputs of a scope, with the lists that it reads as a whole in place of their maps."""
        start, _ = self.ranges[id(scope)]
        what = origin(scope)
        by_name = [what.maps[name] for name in what.maps_read]
        alone = {value.index for value in by_name if isinstance(value, Node)}
        for maps in sorted(scope.lists.values(), key=len, reverse=True):
            if any(node.index >= start or node.aux for node in maps):
                continue
            held = {node.index for node in maps} - alone
            at = next((n for n, node in enumerate(inputs) if node.index in held), None)
            if at is not None:
                rest = [node for node in inputs[at:] if node.index not in held]
                inputs = [*inputs[:at], self.lists.of(maps.nodes, title_of(maps)), *rest]
        return inputs

    def lists_left(self, scope: Scope, outputs: list[Node]) -> list[Node]:
        """The outputs of a scope: the list that it leaves, if that is all that is read of it."""
        left = scope.output
        if not isinstance(left, Maps):
            return outputs
        start, end = self.ranges[id(scope)]
        indices = [node.index for node in left]
        own = all(start <= index < end for index in indices) and len({*indices}) == len(indices)
        if not own or not {node.index for node in outputs} <= {*indices}:
            return outputs
        return [self.lists.of(left.nodes, title_of(left))]

    def is_handed_on(self, node: Node, scope: Scope) -> bool:
        """Whether the last round of a loop returns a layer, and so do parts of it, because other
        rounds do: nothing reads it any more, but all rounds are called in the same way."""
        loop = self.last_values.get(node.index)
        return loop is not None and any(each is loop for each in scope.chain() if each is not scope)

    def find_last_values(self) -> dict[int, Scope]:
        """What the last round of a loop that carries hands on, as other rounds do: the loop, by
        index of the layer."""
        result: dict[int, Scope] = {}
        stack: list[Scope] = [self.network.root]
        while stack:
            scope = stack.pop()
            stack += [child for child in scope.children if isinstance(child, Scope)]
            if scope.kind != "loop" or not scope.maps:
                continue
            rounds = [child for child in scope.children if isinstance(child, Scope)]
            left = self.own_interface(rounds[0])[1] if len(rounds) > 1 else []
            first = [node for each in left for node in maps_in(each)]
            for name, value in scope.carried.items():
                start, end = self.ranges[id(rounds[-1])] if rounds else (0, 0)
                following = nodes_of(rounds[1].maps.get(name) if first else None)
                for number, node in enumerate(nodes_of(value)):
                    is_last = start <= node.index < end and number < len(following)
                    if is_last and any(each is following[number] for each in first):
                        result[node.index] = scope
        return result

    def in_order(self, scope: Scope, inputs: dict[int, Node]) -> list[Node]:
        """The inputs of a scope: what arrives, then what it is given by name, then others. A layer
        that is given twice, as to the first round of a loop, is there twice if another call of the
        same text reads both."""
        what = origin(scope)
        if not what.maps or what.kind == "loop":
            return list(inputs.values())
        given = [(n, node) for n, node in what.given() if node.index in inputs]
        if len({node.index for _, node in given}) < len(given):
            model = self.model(scope)
            if model is None:
                given = [*{node.index: (n, node) for n, node in reversed(given)}.values()][::-1]
            else:
                start, end = self.ranges[id(model)]
                read = {s.index for n in self.network.nodes[start:end] for s in n.inputs}
                names = {n for n, node in origin(model).given() if node.index in read}
                given = [(n, node) for n, node in given if n in names] or given[:1]
        known = {node.index for _, node in given}
        others = [node for index, node in inputs.items() if index not in known]
        return [*(node for _, node in given), *others]

    def model(self, scope: Scope) -> Scope | None:
        """Another scope of the same text, to which no layer is given twice."""
        if self.models is None:
            self.models = {}
            stack: list[Scope] = [self.network.root]
            while stack:
                at = stack.pop()
                inner = [child for child in at.children if isinstance(child, Scope)]
                stack += inner[::-1]
                what = origin(at)
                is_merged = at.parent is not None and at.parent.just is at
                if what.maps and what.kind != "loop" and not is_merged:
                    given = [*what.given()]
                    if len({node.index for _, node in given}) == len(given):
                        self.models.setdefault(_text_of(what), at)
        return self.models.get(_text_of(origin(scope)))


def title_of(maps: Maps) -> str:
    """The name of a list, if the spec gives it one."""
    return maps.name if maps.name.isidentifier() and maps.name not in ("list", "input") else ""


def _text_of(what: Scope) -> object:
    """The block or loop that a scope executes."""
    return id(what.definition if what.definition is not None else what.statement)
