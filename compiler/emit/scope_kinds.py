"""Whether a scope is a head or a shortcut, which scope defines it, and the range of its layers."""

from __future__ import annotations

from ..network import Node, Scope

Ranges = dict[int, tuple[int, int]]
"""The range of node indices of each scope, by its id."""


def origin(scope: Scope) -> Scope:
    """The scope that defines another: for an iteration merged with a block, that block."""
    while scope.just is not None:
        scope = scope.just
    return scope


def is_head(scope: Scope) -> bool:
    """Whether it is the outermost scope of an auxiliary head."""
    return scope.aux and (scope.parent is None or not scope.parent.aux)


def is_shortcut(scope: Scope) -> bool:
    """Whether it is the projection that a residual adds if shapes differ."""
    return scope.word == "shortcut" and scope.kind == "block" and scope.definition is None


def ranges(root: Scope) -> Ranges:
    """The range of node indices of each scope, by its id."""
    result: Ranges = {}
    order: list[Scope] = []
    stack = [root]
    while stack:
        scope = stack.pop()
        order.append(scope)
        stack += [child for child in scope.children if isinstance(child, Scope)]
    for scope in reversed(order):
        spans = [
            (child.index, child.index + 1) if isinstance(child, Node) else result[id(child)]
            for child in scope.children
        ]
        filled = [span for span in spans if span[0] < span[1]]
        result[id(scope)] = (filled[0][0], filled[-1][1]) if filled else (0, 0)
    return result
