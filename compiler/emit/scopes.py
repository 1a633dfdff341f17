"""The arguments of a class: the names in the text of its scope, and their values.

Functions that read a value have a parameter `of`, which maps a layer or scope of the network to the
one to read: to itself (`unchanged`), or to its traced copy (`traced_walk`), whose values carry
expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...dsl.syntax import Argument, Block, Call, Expression, For, Let, Name, Repeat
from ...dsl.syntax import walk as parts_of
from ..language.evaluate import Env
from ..network import Node, Scope
from ..shapes import AllAxes
from .scope_kinds import is_shortcut

Of = Callable[[Any], Any]


def unchanged(item: Any) -> Any:
    return item


def channels(node: Node) -> Any:
    return node.shape[0]


def one_of_pair(value: Any) -> Any:
    """3 for 3x3, and for 3x3x3."""
    if isinstance(value, tuple) and 1 <= len(value) <= 3 and type(value) in (tuple, AllAxes):
        return value[0] if all(each == value[0] for each in value) else value
    return value


def text_of(scope: Scope) -> Any:
    """The syntax that a class is written from: the body of a block or of a loop, or a statement."""
    if scope.definition is not None:
        return scope.definition.body
    if scope.kind == "iteration" and isinstance(scope.statement, For | Repeat):
        return scope.statement.body
    return scope.statement


def names_of(scope: Scope) -> tuple[str, ...]:
    """The names that become arguments of a class: the parameters of a block; otherwise the names in
    its text whose values come from outside, outermost first."""
    if is_shortcut(scope):
        return ("out_channels", "stride")
    if scope.definition is not None:
        return tuple([name for name, _ in scope.arguments])
    if scope.statement is None or scope.env is None:
        return ()
    text = text_of(scope)
    own = {part.name.value for part in parts_of(text) if isinstance(part, Let)}
    used = dict.fromkeys(part.value for part in parts_of(text) if type(part) is Name)
    places = {name: _place_of(scope.env, name) for name in used if name not in own}
    return tuple(sorted([n for n in places if places[n]], key=lambda name: places[name]))


def _place_of(env: Env, name: str) -> tuple[int, ...]:
    """A sort key: the scope that defines a name, outermost first; empty for names of the file."""
    frames = []
    at: Env | None = env
    while at is not None and at.parent is not None:
        frames.append(at.values)
        at = at.parent
    for depth, values in enumerate(frames):
        if name in values:
            return len(frames) - depth, list(values).index(name)
    return ()


def value_of(of: Of, scope: Scope, name: str) -> Any:
    """The value of a name in a scope that becomes a class."""
    if is_shortcut(scope):
        first, *_, last = scope.nodes()
        if name == "stride":
            return one_of_pair(of(first).op.stride)
        return channels(of(last))
    traced = of(scope)
    if traced.definition is not None:
        return dict(traced.arguments)[name]
    return traced.env.find(name)


def default_of(scope: Scope, name: str) -> Expression | None:
    """The default of a block's parameter, if the call does not give the argument."""
    call = scope.statement
    if scope.definition is None or not isinstance(call, Call):
        return None
    if any(name == given for given, _ in given_arguments(scope.definition, call)):
        return None
    parameters = scope.definition.parameters
    return next((p.default for p in parameters if p.name.value == name), None)


def given_arguments(block: Block, call: Call) -> Iterator[tuple[str, Argument]]:
    """The arguments of a call of a block, by parameter."""
    waiting = [parameter.name.value for parameter in block.parameters]
    for argument in call.arguments:
        name = argument.name or (waiting[0] if waiting else "")
        if name in waiting:
            waiting.remove(name)
            yield name, argument
