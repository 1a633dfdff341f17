"""Selects layers on the command line: by name, also as a narrow table shortens it, by the beginning
or end of a name, by line; and the paths of forms, which have no names of their own:
`inception3a.path3`, `path1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...dsl.closest import closest
from ..network import Network, Node, Scope
from .short_names import written_out
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
    full = written_out(network, wanted)
    if full is not None and full != wanted:
        return select(network, full)
    path = _PATH.fullmatch(wanted)
    if path:
        return _path(network, path[1] or "", int(path[2]))
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


# ---- paths -----------------------------------------------------------------------------------

_PATH = re.compile(r"(?:(.+)\.)?path([1-9]\d{0,5})")


def _path(network: Network, owner: str, number: int) -> Selection:
    """A path of the form in a part (`inception3a`), of the form that a layer merges
    (`inception3a.concat`), or of every form of a word (`inception`).
    """
    forms = list(_forms_with_paths(network))
    inside = [form for form in forms if form.name == owner]
    merged = [form for form in forms if form.output is not None and form.output.name == owner]
    if not merged and len(inside) > 1:
        names = [f"`{form.output.name}.path{number}`" for form in inside if form.output]
        where = f"`{owner}`" if owner else network.name
        raise NotFound(
            f"{len(inside)} layers of {where} merge paths",
            f"name the layer: {' or '.join(names[:_LISTED])}",
        )
    chosen = inside or merged or [form for form in forms if form.word == owner]
    paths = [path for form in chosen for path in _paths(form) if path.index == number - 1]
    layers = [node for path in paths for node in path.nodes()]
    if layers:
        return Selection(paths[0] if len(paths) == 1 else None, tuple(layers))
    if paths:
        what = f"path {number} of `{owner or chosen[0].word}` has no layers"
        raise NotFound(f"{what}: it passes its input on")
    if chosen:
        most = max(len(_paths(form)) for form in chosen)
        raise NotFound(f"`{owner or chosen[0].word}` has {most} paths, and no path {number}")
    if not owner:
        raise NotFound(f"{network.name} is not divided into paths")
    part = owner and (owner in network.by_name or _scope(network, owner))
    if part:
        raise NotFound(f"`{owner}` is not divided into paths")
    raise NotFound(f"{network.name} has no layer `{owner}`", _did_you_mean(network, owner))


_LISTED = 3


def _forms_with_paths(network: Network) -> Iterator[Scope]:
    stack: list[Scope] = [network.root]
    while stack:
        scope = stack.pop()
        if _paths(scope):
            yield scope
        stack.extend(child for child in reversed(scope.children) if isinstance(child, Scope))


def _paths(scope: Scope) -> list[Scope]:
    return [c for c in scope.children if isinstance(c, Scope) and c.kind == "path"]


def part_name(part: Part) -> str:
    """The name that selects a part: of a path, `inception3a.path3`; "" for the network."""
    if isinstance(part, Node) or part.kind != "path":
        return part.name
    return ".".join(filter(None, (part.name, f"path{part.index + 1}")))


# ---- lines -----------------------------------------------------------------------------------


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
    word = wanted.rstrip("0123456789").lower()
    # Labels name layers otherwise than their words do: a `pool` may be called `s2`.
    labeled = [node for node in network.nodes if node.inputs and node.op.word.split()[0] == word]
    if labeled:
        shown = ", ".join(f"`{node.name}`" for node in labeled[:_LISTED])
        more = f" and {len(labeled) - _LISTED} more" if len(labeled) > _LISTED else ""
        return f"its layers of the word `{word}` are {shown}{more}"
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
