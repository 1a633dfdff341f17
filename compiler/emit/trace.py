"""A part of the spec carried out once more, with its parameters traced.

A class is written from a `Twin` of one call: `traced_walk` carries the text of the block out again,
with values that remember which expression they come from (`symbolic`), and makes a twin of each
scope and layer. What a `View` shows of a call is right for it; a Twin also says how it is computed
from the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...dsl.syntax import (
    If,
)
from ..build.walk import Walk
from ..diagnose.reporter import GiveUp
from ..language.problems import Problem, Quiet
from ..network import Network, Node, Scope
from ..ops.base import Op
from ..shapes import Shape
from .body import is_shortcut, origin
from .symbolic import (
    Code,
    Constant,
    Named,
    Operation,
    TracedTruth,
    all_of,
    code_of,
    traced,
)
from .traced_walk import TracedWalk, Untraced
from .view import (
    AS_IT_IS,
    View,
    names_of,
    value_in,
)


class Twin(View):
    """A scope of a network, with all that is inside, as it was traced."""

    def __init__(self, network: Network, scope: Scope, names: Mapping[str, str]) -> None:
        what = origin(scope)
        assert isinstance(network.walk, Walk)
        self.walk = TracedWalk(network.walk)
        self.nodes: dict[int, Node] = {}
        self.scopes: dict[int, Scope] = {}
        self.ops: dict[int, Op] = {}
        try:
            if is_shortcut(what):
                self.project(what, names)
                return
            twin = self.walk.again(what, names)
            self.pair(what, twin)
            if what.arriving is not None and self.walk.first is not None:
                self.nodes[what.arriving.index] = self.walk.first
        except (Problem, Quiet, GiveUp, Untraced, KeyError, ArithmeticError):
            self.nodes, self.scopes = {}, {}
        self.strides(what)

    def project(self, scope: Scope, names: Mapping[str, str]) -> None:
        """A shortcut has no text: its arguments are what it leads to, and in which steps."""
        real = list(scope.nodes())
        values = {
            name: traced(value, Named(names[name]))
            for name, value in AS_IT_IS.of_shortcut(scope).items()
        }
        steps = values["stride"]
        steps = steps if isinstance(steps, tuple) else (steps, steps)
        before = real[0].inputs[0]
        shape = (traced(before.shape[0], Named(names[""])), *before.shape[1:])
        at = Node(-1, before.op, (), shape, before.span, before.scope)
        self.nodes[before.index] = at
        for position, node in enumerate(real):
            shape = (values["out_channels"], *node.shape[1:])
            op = node.op.replace(out=shape[0], stride=steps) if position == 0 else node.op
            at = self.nodes[node.index] = Node(position, op, (at,), shape, node.span, node.scope)

    def pair(self, real: Scope, twin: Scope) -> None:
        stack = [(real, twin)]
        while stack:
            one, two = stack.pop()
            self.scopes[id(one)] = two
            if len(one.children) != len(two.children):
                raise Untraced
            for inner, other in zip(one.children, two.children, strict=True):
                if isinstance(inner, Node) and isinstance(other, Node):
                    if inner.shape != other.shape:
                        raise Untraced
                    self.nodes[inner.index] = other
                elif isinstance(inner, Scope) and isinstance(other, Scope):
                    stack.append((inner, other))
                else:
                    raise Untraced

    def strides(self, scope: Scope) -> None:
        """Shortcuts go as many steps at a time as what they lie beside, all layers together."""
        for real in scope.nodes():
            twin = self.nodes.get(real.index)
            if twin is None or not (is_shortcut(real.scope) or real.op.short_word == "shortcut"):
                continue
            if not hasattr(real.op, "stride"):
                continue
            sum_ = next((n for n in self.takers(twin, scope) if n.op.kind == "merge"), None)
            steps = None if sum_ is None else stride_between(twin.inputs[0], sum_.inputs[0])
            if steps is not None and steps == real.op.stride:
                twin.op = twin.op.replace(stride=steps)

    def takers(self, twin: Node, scope: Scope) -> Iterator[Node]:
        """What takes it, or the last layer of the shortcut that it begins."""
        inside = twin.scope if is_shortcut(twin.scope) else None
        last = inside.output if inside is not None else twin
        return (node for node in self.walk.nodes if any(each is last for each in node.inputs))

    # ---- as a view ----

    def shapes(self, node: Node) -> tuple[Shape, tuple[Shape, ...]]:
        twin = self.nodes.get(node.index)
        if twin is None:
            return super().shapes(node)
        return twin.shape, twin.input_shapes

    def op(self, node: Node) -> Op:
        twin = self.nodes.get(node.index)
        if twin is None:
            return node.op
        found = self.ops.get(node.index)
        if found is None:
            found = self.ops[node.index] = _settled(node.op, twin, self.walk.switches)
        return found

    def arguments(self, scope: Scope) -> Mapping[str, Any]:
        twin = self.scopes.get(id(scope))
        if twin is None or is_shortcut(scope):
            return super().arguments(scope)
        found = {}
        for name in names_of(scope):
            value = value_in(twin, name)
            if isinstance(value, bool):
                value = TracedTruth(value, self.walk.truth_of(twin, name))
            found[name] = value
        return found

    def rounds(self, loop: Scope) -> Any:
        twin = self.scopes.get(id(loop))
        return loop.count if twin is None else self.walk.counts.get(id(twin), loop.count)

    def node(self, real: Node) -> Node | None:
        return self.nodes.get(real.index)

    def word(self, node: Node) -> Code:
        twin = self.nodes.get(node.index)
        assert node.given is not None
        found = None if twin is None else self.walk.words_given.get(twin.index)
        return found if found is not None else super().word(node)

    def walk_takers(self, first: Node) -> Iterator[Node]:
        return self.takers(first, first.scope)

    def conditions(self, statement: If) -> list[Code | None] | None:
        return self.walk.choices.get(id(statement))


def _settled(real: Op, twin: Node, switches: Mapping[int, Mapping[str, Code]]) -> Op:
    """The operation as the network has it, with what is known about its arguments."""
    own = twin.op
    given = switches.get(twin.index, {})
    changes: dict[str, Any] = {}
    for name, value in real.__dict__.items():
        other = own.__dict__.get(name)
        if type(other) is not type(value) and not isinstance(other, type(value)):
            continue
        if isinstance(value, bool) and name in given:
            changes[name] = TracedTruth(value, given[name])
        elif other == value and other is not value:
            changes[name] = other
    return real.replace(**changes) if changes else real


def stride_between(first: Node, last: Node) -> Any:
    """The product of strides from one layer to another, each way; None where no way leads."""
    down: Any = 1
    across: Any = 1
    at = last
    while at is not first:
        if not at.inputs:
            return None
        window = at.op.window(at.shape, *at.input_shapes)
        if window == "everything" or len(at.shape) != 3:
            return None
        if any(step != int(step) for step in window.stride):
            return None  # some layer makes the map larger
        down, across = (
            _whole(step) * way for step, way in zip(window.stride, (down, across), strict=True)
        )
        at = at.inputs[0]
    return down, across


def _whole(step: Any) -> Any:
    return step if isinstance(step, int) else int(step)


def agree(first: Node, last: Node, channels_alone: bool = False) -> Code | None:
    """The question whether what leaves one layer has the shape of what leaves another."""
    steps = (1, 1) if channels_alone else stride_between(first, last)
    if steps is None or len(first.shape) != len(last.shape):
        return None
    parts: list[Code] = []
    asked = list(dict.fromkeys([code_of(steps[0]), code_of(steps[1])]))
    for code, wanted in [
        *((step, Constant(1)) for step in asked),
        (code_of(first.shape[0]), code_of(last.shape[0])),
    ]:
        if code == wanted:
            continue
        if isinstance(code, Constant) and isinstance(wanted, Constant):
            return None
        parts.append(Operation("==", code, wanted))
    if not parts:
        return None
    return all_of(parts)
