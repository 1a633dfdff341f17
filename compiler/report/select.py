"""Selects layers on the command line: by name, by the beginning or end of a name, by line."""

from __future__ import annotations

from dataclasses import dataclass

from ...dsl.closest import closest
from ..network import Network, Node, Scope
from .structure import Part


class NotFound(Exception):
    """The network has no layer of this name."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True)
class Selection:
    """The selected part of a network, or several layers that match."""

    part: Part | None
    layers: tuple[Node, ...]
    others: int = 0
    """The number of further layers from the same line."""


_MAX_CANDIDATES = 20_000
"""The most names compared with a misspelled one, for speed."""


def select(network: Network, wanted: str) -> Selection:
    """Selects layers; raises NotFound."""
    if wanted.isdecimal():
        return _by_line(network, int(wanted))
    node = network.by_name.get(wanted)
    if node is not None:
        return Selection(node, (node,))
    scope = _scope(network, wanted)
    if scope is not None:
        return Selection(scope, tuple(scope.nodes()))
    nodes = [node for node in network.nodes if node.name.startswith(wanted)]
    nodes = nodes or [node for node in network.nodes if node.name.endswith(f".{wanted}")]
    if wanted and nodes:
        return Selection(nodes[0] if len(nodes) == 1 else None, tuple(nodes))
    raise NotFound(f"{network.name} has no layer `{wanted}`", _did_you_mean(network, wanted))


def _scope(network: Network, name: str) -> Scope | None:
    """The outermost scope of a name: for an iteration merged with its block, the iteration."""
    if not name:
        return None
    for node in network.nodes:
        if node.name.startswith(f"{name}."):
            named = [scope for scope in node.scope.chain() if scope.name == name]
            return named[-1] if named else None
    return None


def _by_line(network: Network, line: int) -> Selection:
    source = network.program.main.source
    nodes = [n for n in network.nodes if n.span.source is source and n.span.line == line]
    calls = [s for s in _calls(network) if s.span.source is source and s.span.line == line]
    if calls and (not nodes or calls[0].span.start < nodes[0].span.start):
        scope = calls[0]
        inside = tuple(scope.nodes())
        return Selection(scope, inside, sum(len(list(s.nodes())) for s in calls[1:]))
    if nodes:
        same = {id(node.scope) for node in nodes}
        first = tuple(node for node in nodes if node.scope is nodes[0].scope)
        others = len(nodes) - len(first)
        only = first[0] if len(first) == 1 else None
        return Selection(only, first, others if len(same) > 1 else 0)
    if not 1 <= line <= source.line_count:
        lines = f"{source.name} has {source.line_count} lines"
        raise NotFound(f"there is no line {line}: {lines}")
    makers = {n.span.line for n in network.nodes if n.span.source is source}
    close = min(makers, key=lambda other: (abs(other - line), other), default=None)
    help = f"the closest line that does is {close}" if close is not None else ""
    raise NotFound(f"line {line} of {source.name} makes no layer", help)


def _calls(network: Network) -> list[Scope]:
    """All blocks and loops, outer ones first, in order."""
    scopes: list[Scope] = []
    stack: list[Scope] = [network.root]
    while stack:
        scope = stack.pop()
        if scope.kind in ("block", "loop"):
            scopes.append(scope)
        stack.extend(c for c in reversed(scope.children) if isinstance(c, Scope))
    return scopes


def _did_you_mean(network: Network, wanted: str) -> str:
    names: dict[str, None] = {}
    for node in network.nodes[:_MAX_CANDIDATES]:
        names[node.name] = None
        for scope in node.scope.chain():
            if scope.name in names:
                break
            names[scope.name] = None
    close = closest(wanted, filter(None, names), most=_MAX_CANDIDATES)
    if close:
        return f"did you mean `{close}`?"
    return f"`cnn report` lists the names; the first layer is `{network.nodes[1].name}`"
