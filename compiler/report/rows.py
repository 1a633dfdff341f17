"""The rows of a report: one per layer, or per part of the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from ..analysis import Analysis
from ..network import Node, Scope
from ..shapes import PerAxis, Shape
from .figures import plural
from .structure import Part, Structure, depth, merged_block, parts
from .wording import Wording

_NAMED = 3
"""An iteration of at most so many layers is written as these layers: `round 2 of 4` says little."""


class Row(NamedTuple):
    """A row for one or several layers."""

    name: str
    """`layer1.0.conv2`; for several iterations `layer1.1..2`."""
    layer: str
    """The layer as written, with values filled in."""
    output: Shape
    params: int
    macs: int
    memory: int
    """Bytes of the outputs, for one image."""
    field: PerAxis
    """The receptive field, along each axis."""
    whole: bool
    """Whether every output sees the whole input."""
    aux: bool
    """Whether it exists in training only."""
    layers: int
    """The number of layers or parts in the row."""
    shared: bool
    """Whether all of its weights are those of other layers, and counted there."""
    nodes: Sequence[Node]


def rows(analysis: Analysis, max_depth: int | None = None) -> list[Row]:
    """The rows in the order written. Parts with more than `max_depth` names in their path are
    combined by the beginning of their names; equal consecutive parts share one row.
    """
    network = analysis.network
    maker = _Rows(analysis)
    if max_depth is None:
        return [maker.layer(node) for node in network.nodes]
    structure = Structure(network)
    result: list[Row] = []
    stack: list[Iterator[Part]] = [parts(network.root)]
    while stack:
        closed: list[Scope] = []
        opened: Scope | None = None
        for part in stack[-1]:
            if isinstance(part, Scope) and structure.size(part) > 1:
                if depth(part) < max_depth:
                    opened = part
                    break
                closed.append(part)
                continue
            result += maker.scopes(closed, structure)
            closed = []
            result += map(maker.layer, structure.nodes(part))
        result += maker.scopes(closed, structure)
        if opened is None:
            stack.pop()
        else:
            stack.append(parts(opened))
    return result


def rows_of(analysis: Analysis, nodes: Sequence[Node]) -> list[Row]:
    """One row for each of the layers."""
    maker = _Rows(analysis)
    return [maker.layer(node) for node in nodes]


def rows_of_parts(analysis: Analysis, structure: Structure, selected: Sequence[Part]) -> list[Row]:
    """One row for each of the parts; equal consecutive parts share one."""
    maker = _Rows(analysis)
    lines: list[Row] = []
    closed: list[Scope] = []
    for part in [*selected, None]:
        if isinstance(part, Scope):
            follows = not closed or structure.start(part) == structure.end(closed[-1])
            if not follows:
                lines += maker.scopes(closed, structure)
                closed = []
            closed.append(part)
            continue
        lines += maker.scopes(closed, structure)
        closed = []
        if part is not None:
            lines.append(maker.layer(part))
    return lines


class _Rows:
    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.wording = Wording(analysis.network)

    def layer(self, node: Node) -> Row:
        cost, field = self.analysis.costs[node.index], self.analysis.fields[node.index]
        return Row(
            name=node.name,
            layer=self.wording.layer(node),
            output=node.shape,
            params=cost.params,
            macs=cost.macs,
            memory=self.analysis.output_bytes[node.index],
            field=field.size,
            whole=field.whole,
            aux=node.aux,
            layers=1,
            shared=_shared([node]),
            nodes=(node,),
        )

    def scopes(self, scopes: list[Scope], structure: Structure) -> Iterator[Row]:
        """Consecutive scopes: one row for each kind."""

        def kind(scope: Scope) -> object:
            inside = structure.nodes(scope)
            return structure.key(scope), inside[0].input_shapes, structure.last(scope).shape

        for _, alike in groupby(scopes, kind):
            yield self._scopes(list(alike), structure)
        for head in self.analysis.network.aux:
            # An auxiliary head inside a part that is shown as one row.
            own = head.item
            assert isinstance(own, Scope)
            if any(scope is not own and _holds(scope, own) for scope in scopes):
                yield self._scopes([own], structure)

    def _scopes(self, alike: list[Scope], structure: Structure) -> Row:
        last = structure.last(alike[-1])
        nodes = [
            node
            for scope in alike
            for node in structure.nodes(scope)
            if node.aux == last.aux  # an auxiliary head inside has a row of its own
        ]
        costs = [self.analysis.costs[node.index] for node in nodes]
        field = self.analysis.fields[last.index]
        times = f" x{len(alike)}" if len(alike) > 1 else ""
        what = self.wording.scope(alike[0])
        inside = structure.nodes(alike[0])
        if alike[0].kind == "iteration" and len(inside) <= _NAMED and not merged_block(alike[0]):
            what = ", ".join(map(self.wording.layer, inside))
            what = f"({what})" if times else what
        return Row(
            name=name_of_several([scope.name for scope in alike]),
            layer=f"{what}{times}, {plural(len(nodes), 'layer')}",
            output=last.shape,
            params=sum(cost.params for cost in costs),
            macs=sum(cost.macs for cost in costs),
            memory=sum(self.analysis.output_bytes[node.index] for node in nodes),
            field=field.size,
            whole=field.whole,
            aux=last.aux,
            layers=len(nodes),
            shared=_shared(nodes),
            nodes=nodes,
        )


def _shared(nodes: Sequence[Node]) -> bool:
    """Whether layers have weights, and all of them belong to other layers."""
    return any(node.shared is not None and node.shared.weights for node in nodes) and not any(
        node.weights for node in nodes
    )


def _holds(outer: Scope, inner: Scope) -> bool:
    return any(scope is outer for scope in inner.chain())


def name_of_several(names: Sequence[str]) -> str:
    """`layer1.1..4`, for names that differ in the number at the end."""
    if len(names) == 1:
        return names[0]
    stem = names[0].rstrip("0123456789")
    ending = names[-1].removeprefix(stem)
    if ending.isdecimal() and names[-1].startswith(stem):
        return f"{names[0]}..{ending}"
    return f"{names[0]}..{names[-1].rpartition('.')[2]}"
