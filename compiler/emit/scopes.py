"""What a class takes from the spec: the names in the text of its scope, and their values.

Whatever reads a value takes `of`, which turns a layer or scope of the network into the one to read:
`as_it_is`, or its twin (`traced_walk`), which says how it is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...dsl.syntax import Argument, Block, Call, Expression, For, Let, Name, Repeat
from ...dsl.syntax import walk as parts_of
from ..language.evaluate import Env
from ..network import Node, Scope
from .body import is_shortcut

Of = Callable[[Any], Any]


def as_it_is(item: Any) -> Any:
    return item


def channels(node: Node) -> Any:
    return node.shape[0]


def one_of_pair(value: Any) -> Any:
    """3 for 3x3."""
    if type(value) is tuple and len(value) == 2 and value[0] == value[1]:
        return value[0]
    return value


def text_of(scope: Scope) -> Any:
    """The text that a class comes from: of a block and of a round, its body."""
    if scope.definition is not None:
        return scope.definition.body
    if scope.kind == "iteration" and isinstance(scope.statement, For | Repeat):
        return scope.statement.body
    return scope.statement


def names_of(scope: Scope) -> tuple[str, ...]:
    """What a class of a scope takes from the spec: the parameters of a block; of anything else the
    names in its text that get a value outside, outermost first."""
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


def value_of(of: Of, scope: Scope, name: str) -> Any:
    """What a name stands for in a scope that is a class."""
    if is_shortcut(scope):
        first, *_, last = scope.nodes()
        if name == "stride":
            return one_of_pair(of(first).op.stride)
        return channels(of(last))
    found = of(scope)
    if found.definition is not None:
        return dict(found.arguments)[name]
    return found.env.find(name)


def default_of(scope: Scope, name: str) -> Expression | None:
    """The default of a block's parameter, where its call leaves it at that."""
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
