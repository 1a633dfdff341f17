"""A network as classes see it: shapes, operations, and what the names of the spec stand for.

What is read through a `View` of a call is right for that call; one whose parameters are traced
(`trace`) says how it is computed from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...dsl.syntax import (
    Argument,
    Block,
    Call,
    Expression,
    For,
    Let,
    Name,
    Repeat,
)
from ...dsl.syntax import walk as parts_of
from ..language.evaluate import Env
from ..network import Node, Scope
from ..ops.base import ClassName, Op
from ..shapes import Shape
from .body import is_shortcut
from .symbolic import (
    Code,
    Constant,
)


class View:
    """A network as it is."""

    def shapes(self, node: Node) -> tuple[Shape, tuple[Shape, ...]]:
        """What leaves a layer and what arrives there."""
        return node.shape, node.input_shapes

    def op(self, node: Node) -> Op:
        return node.op

    def arguments(self, scope: Scope) -> Mapping[str, Any]:
        """What names stand for in a scope that is a class."""
        if is_shortcut(scope):
            return self.of_shortcut(scope)
        return {name: value_in(scope, name) for name in names_of(scope)}

    def of_shortcut(self, scope: Scope) -> Mapping[str, Any]:
        first, *_, last = scope.nodes()
        return {"out_channels": self.channels(last), "stride": one_of_pair(self.op(first).stride)}  # type: ignore[attr-defined]

    def channels(self, node: Node) -> Any:
        return self.shapes(node)[0][0]

    def rounds(self, loop: Scope) -> Any:
        """How many a loop has, as the spec says it."""
        return loop.count

    def word(self, node: Node) -> Code:
        """The class of a layer that a block is handed."""
        return Constant(ClassName(node.op.word))


AS_IT_IS = View()


def text_of(scope: Scope) -> Any:
    """The text that a class comes from: of a block and of a round, its body."""
    if scope.definition is not None:
        return scope.definition.body
    if scope.kind == "iteration" and isinstance(scope.statement, For | Repeat):
        return scope.statement.body
    return scope.statement


def names_of(scope: Scope) -> tuple[str, ...]:
    """What a class of a scope takes from the spec: the parameters of a block; of anything else the
    names in its text that get a value outside."""
    if is_shortcut(scope):
        return ("out_channels", "stride")
    if scope.kind == "block" and scope.definition is not None:
        return tuple([name for name, _ in scope.arguments])
    if scope.statement is None or scope.env is None:
        return ()
    inside: Any = text_of(scope)
    key = id(inside)
    known = _NAMES.get(key)
    if known is None or known[0] is not inside:
        found = dict.fromkeys(n.value for n in parts_of(inside) if type(n) is Name)
        own = {n.name.value for n in parts_of(inside) if isinstance(n, Let)}
        known = _NAMES[key] = inside, tuple([n for n in found if n not in own])
        if len(_NAMES) > 4096:
            _NAMES.clear()
    places = {name: _place_of(scope.env, name) for name in known[1]}
    return tuple(sorted([n for n in places if places[n]], key=lambda name: places[name]))


_NAMES: dict[int, tuple[Any, tuple[str, ...]]] = {}


def _place_of(env: Env, name: str) -> tuple[int, ...]:
    """Where a name gets its value, outermost first; empty for what a whole file knows."""
    frames = []
    at: Env | None = env
    while at is not None and at.parent is not None:
        frames.append(at.values)
        at = at.parent
    for depth, values in enumerate(frames):
        if name in values:
            return len(frames) - depth, list(values).index(name)
    return ()


def value_in(scope: Scope, name: str) -> Any:
    if scope.kind == "block" and scope.definition is not None:
        return dict(scope.arguments)[name]
    assert scope.env is not None
    return scope.env.find(name)


def default_of(scope: Scope, name: str) -> Expression | None:
    """The default of a block's parameter, where its call leaves it at that."""
    call = scope.statement
    if scope.definition is None or not isinstance(call, Call):
        return None
    for parameter in scope.definition.parameters:
        if parameter.name.value == name:
            given = dict(given_arguments(scope.definition, call))
            return None if name in given else parameter.default
    return None


def given_arguments(block: Block, call: Call) -> Iterator[tuple[str, Argument]]:
    """The arguments of a call of a block, by parameter."""
    waiting = [parameter.name.value for parameter in block.parameters]
    for argument in call.arguments:
        name = argument.name or (waiting[0] if waiting else "")
        if name in waiting:
            waiting.remove(name)
            yield name, argument


def one_of_pair(value: Any) -> Any:
    """3 for 3x3."""
    if type(value) is tuple and len(value) == 2 and value[0] == value[1]:
        return value[0]
    return value
