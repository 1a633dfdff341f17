"""What each statement of a text came to, each time that it was executed: the layers and scopes of
the network by the place that they come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from ...compiler.language.values import Maps
from ...compiler.network import Network, Node, Scope, nodes_of
from ...compiler.shapes import Shape
from ...compiler.shapes import text as shape_text
from ...dsl.source import Source, Span


class Cost(NamedTuple):
    parameters: int
    macs: int


class Executed:
    """A network, found from places in its text."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @cached_property
    def _by_place(self) -> dict[tuple[Source, int], list[Scope | Node]]:
        """By the first character of the statement. Parts that a form adds of itself, such as a
        shortcut, stand at the place of the form, and come after it."""
        found: dict[tuple[Source, int], list[Scope | Node]] = {}
        stack: list[Scope | Node] = [self.network.root]
        while stack:
            item = stack.pop()
            if isinstance(item, Node) or item.kind in ("block", "loop", "form"):
                found.setdefault((item.span.source, item.span.start), []).append(item)
            if isinstance(item, Scope):
                stack.extend(reversed(item.children))
        return found

    def at(self, span: Span) -> list[Scope | Node]:
        """What a statement was executed as, once for each time."""
        items = self._by_place.get((span.source, span.start), [])
        first = next((item for item in items if item.span.end == span.end), None)
        if first is None:
            return []
        return [item for item in items if item.span.end == span.end and _alike(item, first)]

    @cached_property
    def _costs(self) -> list[Cost]:
        """Up to a layer, all before it together."""
        parameters = macs = 0
        sums = [Cost(0, 0)]
        for node in self.network.nodes:
            parameters += sum(_size(w.shape) for w in node.weights if w.trainable or w.fixed)
            if node.inputs:
                macs += node.op.macs(node.shape, *node.input_shapes)
            sums.append(Cost(parameters, macs))
        return sums

    def cost(self, item: Scope | Node) -> Cost:
        """The layers of a scope stand one after the other in the network."""
        nodes = self._span_of(item)
        if nodes is None:
            return Cost(0, 0)
        before, after = self._costs[nodes[0]], self._costs[nodes[1] + 1]
        return Cost(after.parameters - before.parameters, after.macs - before.macs)

    @property
    def total(self) -> Cost:
        return self._costs[-1]

    def _span_of(self, item: Scope | Node) -> tuple[int, int] | None:
        if isinstance(item, Node):
            return item.index, item.index
        indices = [node.index for node in item.nodes()]
        return (min(indices), max(indices)) if indices else None

    @cached_property
    def calls(self) -> dict[Span, list[Scope]]:
        """The executed calls of each block, by the span of its definition."""
        found: dict[Span, list[Scope]] = {}
        for scope in scopes(self.network.root):
            if scope.kind == "block" and scope.definition is not None:
                found.setdefault(scope.definition.span, []).append(scope)
        return found


def scopes(root: Scope) -> Iterator[Scope]:
    """All scopes, in the order of execution."""
    stack = [root]
    while stack:
        scope = stack.pop()
        yield scope
        stack.extend(each for each in reversed(scope.children) if isinstance(each, Scope))


def output_of(item: Scope | Node) -> Node | Maps | None:
    return item if isinstance(item, Node) else item.output


def inputs_of(item: Scope | Node) -> tuple[Shape, ...]:
    if isinstance(item, Node):
        return item.input_shapes
    return tuple([node.shape for node in nodes_of(item.input)])


def shape_of(item: Scope | Node) -> str:
    """The shape of what it leaves; of a list of maps, of each of them."""
    left = output_of(item)
    shapes = [shape_text(node.shape) for node in nodes_of(left)]
    if not shapes:
        return ""
    if isinstance(left, Maps):
        return f"[{', '.join(shapes[:4])}{', …' if len(shapes) > 4 else ''}]"
    return shapes[0]


def within(item: Scope | Node, scope: Scope) -> bool:
    """Whether it was executed inside a scope."""
    around = item.scope if isinstance(item, Node) else item.parent
    while around is not None:
        if around is scope:
            return True
        around = around.parent
    return False


def _alike(item: Scope | Node, first: Scope | Node) -> bool:
    """Whether it is the statement itself once more, and not a part of what the statement makes."""
    if isinstance(first, Scope):
        return isinstance(item, Scope) and item.kind == first.kind and item.word == first.word
    return isinstance(item, Node)


def _size(shape: Shape) -> int:
    size = 1
    for side in shape:
        size *= side
    return size
