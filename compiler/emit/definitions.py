"""Which scopes of a network become classes, and which of them the same one."""

from __future__ import annotations

from ..graph import Scope
from .body import Bodies, origin


def definitions(root: Scope, bodies: Bodies) -> list[list[Scope]]:
    """The scopes that need a class, those together that come from one place of the spec, and each
    place after those of what is inside."""
    found: dict[object, list[Scope]] = {}
    height: dict[int, int] = {}
    highest: dict[object, int] = {}
    order: list[Scope] = []
    stack = [root]
    while stack:
        scope = stack.pop()
        order.append(scope)
        stack += [part for part in bodies.parts(scope) if isinstance(part, Scope)]
    for scope in reversed(order):
        inside = [height[id(part)] for part in bodies.parts(scope) if isinstance(part, Scope)]
        height[id(scope)] = 1 + max(inside, default=0)
        if scope is not root and origin(scope).kind != "loop":
            place = _place(origin(scope))
            highest[place] = max(highest.get(place, 0), height[id(scope)])
    for scope in order:
        if scope is not root and origin(scope).kind != "loop":
            found.setdefault(_place(origin(scope)), []).append(scope)
    return [found[place] for place in sorted(found, key=lambda place: highest[place])]


def _place(scope: Scope) -> object:
    if scope.definition is not None:
        return id(scope.definition)
    if scope.word == "shortcut" and scope.kind == "block":
        return "shortcut"
    return scope.span.source.name, scope.span.start, scope.kind
