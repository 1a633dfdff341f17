"""Which scopes of a network become classes, and which of them the same one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from graphlib import CycleError, TopologicalSorter

from ..network import Scope
from .body import Bodies, is_shortcut, origin

Place = object
"""Where in the spec a scope comes from: a block, a loop, a statement."""


def definitions(root: Scope, bodies: Bodies) -> list[list[Scope]]:
    """The scopes that need a class, those together that come from one place of the spec, and each
    place after those of what is inside."""
    order = _all_scopes(root, bodies)
    try:
        return _sorted(order, bodies, _place)
    except CycleError:
        # Blocks that are handed to one another: what is deeper is another class.
        height = _heights(order, bodies)
        return _sorted(order, bodies, lambda scope: (_place(scope), height[id(scope)]))


def _sorted(
    order: list[Scope], bodies: Bodies, place_of: Callable[[Scope], Place]
) -> list[list[Scope]]:
    found: dict[Place, list[Scope]] = {}
    inside: dict[Place, dict[Place, None]] = {}  # no sets: their order differs from run to run
    for scope in order:
        if _is_class(scope, bodies):
            place = place_of(scope)
            found.setdefault(place, []).append(scope)
            needed = inside.setdefault(place, {})
            needed |= dict.fromkeys(place_of(inner) for inner in _classes_in(scope, bodies))
    return [found[place] for place in TopologicalSorter(inside).static_order()]


def _classes_in(scope: Scope, bodies: Bodies) -> Iterable[Scope]:
    """The nearest scopes inside that are classes; loops are none."""
    stack = [part for part in bodies.parts(scope) if isinstance(part, Scope)]
    while stack:
        part = stack.pop()
        if _is_class(part, bodies):
            yield part
        else:
            stack += [inner for inner in bodies.parts(part) if isinstance(inner, Scope)]


def _is_class(scope: Scope, bodies: Bodies) -> bool:
    if scope.parent is None:
        return False
    return origin(scope).kind != "loop" or bodies.is_list(scope)


def _all_scopes(root: Scope, bodies: Bodies) -> list[Scope]:
    order: list[Scope] = []
    stack = [root]
    while stack:
        scope = stack.pop()
        order.append(scope)
        stack += reversed([part for part in bodies.parts(scope) if isinstance(part, Scope)])
    return order


def _heights(order: list[Scope], bodies: Bodies) -> dict[int, int]:
    height: dict[int, int] = {}
    for scope in reversed(order):
        inside = [height[id(part)] for part in bodies.parts(scope) if isinstance(part, Scope)]
        height[id(scope)] = 1 + max(inside, default=0)
    return height


def _place(scope: Scope) -> Place:
    what = origin(scope)
    if what.definition is not None:
        return id(what.definition)
    if is_shortcut(what):
        return "shortcut"
    return what.span.source.name, what.span.start, what.kind
