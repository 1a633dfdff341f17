"""The proof of an import: the spec, compiled again, is the same network. Layer by layer, from the
outputs to the input, every layer of one is matched with one of the other, with equal operations (in
every argument) and matched inputs. Sums and products of two maps have no order; a concatenation of
concatenations is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ..network import Network
from ..ops.base import Op
from ..shapes import Shape
from .graph import Graph
from .normal import normal

_MODULUS = (1 << 61) - 1
_BASE = 1_000_003


class _Node(Protocol):
    @property
    def index(self) -> int: ...
    @property
    def op(self) -> Op: ...
    @property
    def shape(self) -> Shape: ...


class _Side:
    """One of the two networks: its nodes with their inputs, outputs last."""

    def __init__(self, nodes: Sequence[_Node], inputs: Sequence[tuple[int, ...]]) -> None:
        self.shapes = [node.shape for node in nodes]
        self.inputs = inputs
        self.ops = [
            normal(node.op, self.shapes[inputs[index][0]]) if inputs[index] else node.op
            for index, node in enumerate(nodes)
        ]
        self.hashes: list[int] = []
        self.lengths: list[int] = []
        """Of a concatenation, the number of maps in it, and a hash of them in order, which is the
        same however they are nested."""
        self.counts = [0] * len(nodes)
        for index in range(len(nodes)):
            self._hash(index)
            for source in inputs[index]:
                self.counts[source] += 1

    def is_concat(self, index: int) -> bool:
        return self.ops[index].word == "concat"

    def key(self, index: int) -> tuple[object, ...]:
        op = self.ops[index]
        given = tuple(
            [
                (name, str(value) if isinstance(value, list) else value)
                for name, value in op.arguments.items()
                if not op.fields[name].is_usual(value)
            ]
        )
        return type(op).__name__, given, self.shapes[index]

    def _hash(self, index: int) -> None:
        inputs = self.inputs[index]
        if self.is_concat(index):
            total, length = 0, 0
            for source in inputs:
                own, many = self.hashes[source], self.lengths[source]
                total = (total * pow(_BASE, many, _MODULUS) + own) % _MODULUS
                length += many
            self.hashes.append(total)
            self.lengths.append(length)
            return
        below = [self.hashes[source] for source in inputs]
        if free(self.ops[index], len(inputs)):
            below.sort()
        self.hashes.append(hash((self.key(index), *below)) % _MODULUS)
        self.lengths.append(1)

    def parts(self, index: int) -> list[int]:
        """The maps of a concatenation, those of concatenations in it too."""
        found: list[int] = []
        stack = [index]
        while stack:
            at = stack.pop()
            if self.is_concat(at):
                stack.extend(reversed(self.inputs[at]))
            else:
                found.append(at)
        return found


def free(op: Op, count: int) -> bool:
    """Whether the inputs have no order."""
    return count == 2 and op.word in ("add", "mul", "maximum")


class Proof(NamedTuple):
    different: str
    """How the two networks differ; empty if they are the same."""
    nodes: Mapping[int, int]
    """The node of the spec for each layer of the file, by their indices."""


def prove(graph: Graph, network: Network) -> Proof:
    """Whether both are the same network."""
    one = _Side(graph.layers, [tuple([s.index for s in each.inputs]) for each in graph.layers])
    two = _Side(network.nodes, [tuple([s.index for s in each.inputs]) for each in network.nodes])
    main = [output.layer.index for output in graph.outputs if output.aux is None]
    aux = [output.layer.index for output in graph.outputs if output.aux is not None]
    weights = [output.aux for output in graph.outputs if output.aux is not None]
    if len(main) != len(network.outputs) or len(aux) != len(network.aux):
        return Proof("they have different outputs", {})
    if sorted(weights) != sorted(output.weight for output in network.aux):
        return Proof("the weights of auxiliary outputs differ", {})
    ends = _paired(one, two, main, [output.node.index for output in network.outputs])
    ends += _paired(one, two, aux, [output.node.index for output in network.aux])
    match: dict[int, int] = {}
    different = _matched(one, two, ends, match) or _held_apart(graph, network, match)
    return Proof(different, match)


def _held_apart(graph: Graph, network: Network, match: Mapping[int, int]) -> str:
    """Whether layers that share their weights in one network do not in the other."""
    holders: dict[str, int] = {}
    sharing = 0
    for layer in graph.layers:
        if not layer.held or layer.index not in match:
            continue
        node = network.nodes[match[layer.index]]
        holder = (node.shared or node).index
        if holders.setdefault(layer.held, holder) != holder:
            return f"`{node.op.word}` has weights of its own in one of them only"
        sharing += 1
    if sum(node.shared is not None for node in network.nodes) != sharing - len(holders):
        return "other layers share their weights"
    return ""


def _paired(one: _Side, two: _Side, ends: list[int], others: list[int]) -> list[tuple[int, int]]:
    """Outputs are paired by what they compute; their order in the text is not that of the file."""
    first = sorted(ends, key=lambda index: (one.hashes[index], index))
    second = sorted(others, key=lambda index: (two.hashes[index], index))
    return list(zip(first, second, strict=True))


def _matched(one: _Side, two: _Side, pairs: list[tuple[int, int]], match: dict[int, int]) -> str:
    back: dict[int, int] = {}
    stack = pairs
    while stack:
        a, b = stack.pop()
        if one.hashes[a] != two.hashes[b]:
            return _first(one, two)
        if match.get(a, b) != b or back.get(b, a) != a:
            return f"`{one.ops[a].word}` is used in other places"
        if a in match:
            continue
        match[a], back[b] = b, a
        first, second = list(one.inputs[a]), list(two.inputs[b])
        if one.is_concat(a) != two.is_concat(b):
            return "a concatenation is missing"
        if one.is_concat(a):
            hashes = [one.hashes[i] for i in first], [two.hashes[i] for i in second]
            if hashes[0] != hashes[1]:
                first, second = one.parts(a), two.parts(b)
        elif one.key(a) != two.key(b) or len(first) != len(second):
            return f"`{one.ops[a].word}` and `{two.ops[b].word}` differ"
        elif free(one.ops[a], len(first)) and one.hashes[first[0]] != two.hashes[second[0]]:
            second.reverse()
        if len(first) != len(second):
            return "concatenations differ"
        stack += zip(first, second, strict=True)
    return _left_over(one, match) or _left_over(two, back)


def _first(one: _Side, two: _Side) -> str:
    """The first layer that computes something that no layer of the other network does."""
    known = {*two.hashes}
    at = next((n for n, own in enumerate(one.hashes) if own not in known), -1)
    given = ", ".join(f"{name}={value}" for name, value in one.ops[at].arguments.items())
    return f"`{one.ops[at].word}` with {given} is in one of them only"


def _left_over(side: _Side, matched: dict[int, int]) -> str:
    """A node without a counterpart; a concatenation within another needs none."""
    for index in range(len(side.inputs)):
        if index not in matched and not side.is_concat(index):
            return f"`{side.ops[index].word}` is in one of them only"
    return ""
