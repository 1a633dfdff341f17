"""What a scope does, step by step: each layer and part in it, with what it takes.

The same for all that becomes a class: a block, a round of a loop, a labelled residual, the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..network import Network, Node, Scope
from ..shapes import Shape
from .source import NAMESPACE, Names

Ref = tuple[int, int]
"""A value in a body: the step that makes it (below 0: an input), and which of its outputs it is."""

Key = tuple[object, ...]
"""Which statement of the spec a step comes from: the same in all calls of a block."""


class Step(NamedTuple):
    """One statement's worth of work."""

    key: Key
    item: Node | Scope
    name: str
    """The attribute that holds its module, made in the constructor; empty where there is none."""
    template: str
    """As TorchText.call."""
    operands: tuple[Ref, ...]
    outputs: int
    shapes: tuple[Shape, ...] = ()
    """Of the outputs."""
    zero: bool = False
    """A norm whose weight is zero at first."""


class Body(NamedTuple):
    """The steps of a scope, what comes in and what goes out."""

    scope: Scope
    steps: tuple[Step, ...]
    inputs: tuple[Node, ...]
    outputs: tuple[Ref, ...]
    heads: tuple[bool, ...]
    """Which of the outputs there are in training alone."""


def origin(scope: Scope) -> Scope:
    """The scope that says what another is: a round that is one with a block is that block."""
    while scope.just is not None:
        scope = scope.just
    return scope


def structure(body: Body) -> object:
    """How a body is put together: the same for calls that differ in numbers alone."""
    steps = tuple([(s.key, s.name, s.template, s.operands) for s in body.steps])
    return steps, body.outputs, body.heads, len(body.inputs)


def is_head(scope: Scope) -> bool:
    """Whether it is an auxiliary head as a whole."""
    return scope.aux and (scope.parent is None or not scope.parent.aux)


def is_shortcut(scope: Scope) -> bool:
    """Whether it is what a residual puts beside its body where shapes differ."""
    return scope.word == "shortcut" and scope.kind == "block" and scope.definition is None


def in_place(template: str) -> bool:
    """`y += shortcut(x)`: a sum in the place of its first part."""
    return template.startswith("{0}.add_(")


_Connected = tuple[Step, Sequence[Node], Sequence[Node]]
"""A step, what it takes and what it gives."""


class Bodies:
    """Bodies of the scopes of a network."""

    def __init__(self, network: Network, zero: frozenset[str] = frozenset()) -> None:
        self.network = network
        self.zero = zero
        self.ranges = _ranges(network.root)
        self.interfaces: dict[int, tuple[list[Node], list[Node]]] = {}
        self.bodies: dict[int, Body] = {}
        ends = [network.output, *(head.output for head in network.aux)]
        # The loss takes what goes into a last softmax; who predicts asks for what leaves it.
        self.left_out = {
            node.index
            for node in ends
            if node.op.probabilities and not network.consumers[node.index]
        }
        self.ends = [self.computed(node) for node in ends]
        self.handed_out = {node.index for node in self.ends}

    def computed(self, node: Node) -> Node:
        return node.inputs[0] if node.index in self.left_out else node

    def interface(self, scope: Scope) -> tuple[list[Node], list[Node]]:
        """What a scope takes from outside, and what others take from it, in order."""
        known = self.interfaces.get(id(scope))
        if known is None:
            known = self.interfaces[id(scope)] = self.found_interface(scope)
        return known

    def found_interface(self, scope: Scope) -> tuple[list[Node], list[Node]]:
        start, end = self.ranges[id(scope)]
        taken: dict[int, Node] = {}
        given: list[Node] = []
        for node in self.network.nodes[start:end]:
            if node.index in self.left_out:
                continue
            for source in node.inputs:
                if source.index < start:
                    taken.setdefault(source.index, source)
            consumers = self.network.consumers[node.index]
            outside = any(c.index >= end and c.index not in self.left_out for c in consumers)
            if node.index in self.handed_out or outside:
                given.append(node)
        if not given:  # nobody takes anything, and yet it has weights
            inside = self.network.nodes[start:end]
            given = [node for node in inside if node.index not in self.left_out][-1:]
        return list(taken.values()), given

    def parts(self, scope: Scope) -> Iterator[Scope | Node]:
        """What is named inside it and does something."""
        for part in scope.parts:
            if isinstance(part, Node):
                if part.inputs and part.index not in self.left_out:
                    yield part
            elif not self.is_empty(part):
                yield part

    def rounds(self, loop: Scope) -> list[Scope]:
        """All, those that do nothing too: the others keep their numbers."""
        return [part for part in loop.parts if isinstance(part, Scope)]

    def is_empty(self, scope: Scope) -> bool:
        return not any(self.interface(scope))

    def is_chain(self, loop: Scope) -> bool:
        """Whether each round takes what leaves the one before, and nothing else."""
        arriving, leaving = self.interface(loop)
        if len(arriving) != 1 or len(leaving) != 1:
            return False
        expected = arriving
        for part in self.rounds(loop):
            taken, given = self.interface(part)
            if not taken and not given:
                continue
            if taken != expected or len(given) != 1:
                return False
            expected = given
        return expected == leaving

    def is_list(self, scope: Scope) -> bool:
        """Whether it is a loop, or a round that is one in its turn, and no chain."""
        return origin(scope).kind == "loop" and not self.is_chain(scope)

    def body(self, scope: Scope) -> Body:
        """The steps of a scope."""
        known = self.bodies.get(id(scope))
        if known is None:
            known = self.bodies[id(scope)] = self.found_body(scope)
        return known

    def found_body(self, scope: Scope) -> Body:
        inputs, outputs = self.interface(scope)
        if scope.parent is None:
            inputs, outputs = [self.network.input], self.ends
        return _in_a_row(scope, self._all_steps(scope), inputs, outputs)

    def flat(self) -> Body:
        """All layers of the network as one body; names with `_` for their dots."""
        network = self.network
        names = Names(NAMESPACE)

        def steps() -> Iterator[_Connected]:
            for node in network.nodes[1:]:
                if node.index not in self.left_out:
                    for step, taken, given in self._steps((node.index,), node):
                        name = names.free(node.name.replace(".", "_")) if step.name else ""
                        yield step._replace(name=name), taken, given

        return _in_a_row(network.root, steps(), [network.input], self.ends)

    def _all_steps(self, scope: Scope) -> Iterator[_Connected]:
        if self.is_list(scope):
            yield from self._rounds(scope)
            return
        keys: dict[Key, int] = {}
        for part in self.parts(scope):
            key = _key(part)
            keys[key] = keys.get(key, -1) + 1
            yield from self._steps((*key, keys[key]), part)

    def _steps(self, key: Key, part: Node | Scope) -> Iterator[_Connected]:
        name = part.name.rpartition(".")[2]
        if isinstance(part, Node):
            text = part.torch
            step = Step(key, part, name if text.module else "", text.call, (), 1)
            yield step._replace(zero=part.name in self.zero), part.inputs, [part]
            return
        taken, given = self.interface(part)
        yield Step(key, part, name, _called("{m}", taken), (), 0), taken, given

    def _rounds(self, loop: Scope) -> Iterator[_Connected]:
        """The rounds of a loop that is no chain, each a step."""
        for number, inner in enumerate(self.rounds(loop)):
            taken, given = self.interface(inner)
            key, template = (*_key(loop), number), _called(f"self[{number}]", taken)
            yield Step(key, inner, str(number), template, (), 0), taken, given


def _in_a_row(
    scope: Scope, found: Iterable[_Connected], inputs: Sequence[Node], outputs: Sequence[Node]
) -> Body:
    """Steps in a row, each with what it takes."""
    made: dict[int, Ref] = {node.index: (-1 - n, 0) for n, node in enumerate(inputs)}
    steps: list[Step] = []
    for step, taken, given in found:
        operands = tuple([made[source.index] for source in taken])
        made |= {node.index: (len(steps), position) for position, node in enumerate(given)}
        shapes = tuple([node.shape for node in given])
        steps.append(step._replace(operands=operands, outputs=len(given), shapes=shapes))
    refs = tuple([made[node.index] for node in outputs])
    heads = tuple([node.aux and not scope.aux for node in outputs])
    return Body(scope, tuple(steps), tuple(inputs), refs, heads)


def _called(module: str, taken: Sequence[Node]) -> str:
    return f"{module}({', '.join(f'{{{n}}}' for n in range(len(taken)))})"


def _key(part: Node | Scope) -> Key:
    if isinstance(part, Node):
        if is_shortcut(part.scope):  # the same, whichever residual makes it
            return part.scope.word, part.word
        return part.span.source.name, part.span.start, part.word
    return part.span.source.name, part.span.start, part.kind, part.word


def _ranges(root: Scope) -> dict[int, tuple[int, int]]:
    """By the id of a scope: its nodes, which stand together."""
    found: dict[int, tuple[int, int]] = {}
    order: list[Scope] = []
    stack = [root]
    while stack:
        scope = stack.pop()
        order.append(scope)
        stack += [child for child in scope.children if isinstance(child, Scope)]
    for scope in reversed(order):
        spans = [
            (child.index, child.index + 1) if isinstance(child, Node) else found[id(child)]
            for child in scope.children
        ]
        filled = [span for span in spans if span[0] < span[1]]
        found[id(scope)] = (filled[0][0], filled[-1][1]) if filled else (0, 0)
    return found
