"""The network: nodes with their operation, inputs, shape and origin, and the scopes around them.

`Node.inputs` is the truth about connections (it keeps their order, and the same input twice); the
networkx graph is derived from it, when somebody asks, since importing networkx takes longer than
most answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..dsl.program import Program
from ..dsl.source import Span
from ..dsl.syntax import Block, Call, Statement
from .ops.base import Op, TorchText, Weight
from .shapes import Shape

if TYPE_CHECKING:
    import networkx

    from .language.evaluate import Env

ScopeKind = Literal["network", "block", "loop", "iteration", "form", "path"]


class Scope:
    """One call, loop, iteration or form of the spec, as it was carried out: what names, folding
    and messages go by."""

    __slots__ = (
        "arguments",
        "arriving",
        "aux",
        "children",
        "count",
        "definition",
        "env",
        "index",
        "just",
        "kind",
        "label",
        "name",
        "named",
        "output",
        "parent",
        "parts",
        "skipped",
        "span",
        "statement",
        "word",
    )  # fmt: skip

    def __init__(
        self,
        kind: ScopeKind,
        word: str,
        span: Span,
        parent: Scope | None,
        label: str | None = None,
        index: int = 0,
        count: int = 1,
        arguments: tuple[tuple[str, object], ...] = (),
    ) -> None:
        self.kind = kind
        self.word = word
        """What was written: `bottleneck`, `repeat`, `residual`; the network's name for the root."""
        self.span = span
        self.parent = parent
        self.label = label
        self.index = index
        """Which iteration or path this is, from 0, and of how many."""
        self.count = count
        self.arguments = arguments
        """What a block was called with; what the names of a loop stand for in a round."""
        self.definition: Block | None = None
        """Of a block: what was called."""
        self.statement: Statement | None = None
        """What was carried out, of anything but a path, with the names that could be used in it and
        what arrived there."""
        self.env: Env | None = None
        self.arriving: Node | None = None
        self.children: list[Scope | Node] = []
        self.named: dict[str, Scope | Node] = {}
        """By label, for references."""
        self.skipped: Counter[str] = Counter()
        """What other arms of an `if` would have made here: words, for the count of names."""
        self.name = ""
        """The full dotted name; that of the scope around it where it has none of its own."""
        self.parts: list[Scope | Node] = []
        """What has a name directly inside: the sub-modules, of what it becomes in torch."""
        self.just: Scope | None = None
        """What it is one with: the block or loop in it, beside which there is nothing."""
        self.output: Node | None = None
        """What leaves it."""
        self.aux: bool = parent.aux if parent else False
        if parent is not None:
            parent.children.append(self)

    def __repr__(self) -> str:
        return f"<scope {self.name or self.word}>"

    @property
    def has_name(self) -> bool:
        """Whether names of what is inside begin with its own."""
        return self.label is not None or self.kind in ("block", "loop", "iteration", "network")

    def nodes(self) -> Iterator[Node]:
        """All nodes inside, in the order written."""
        stack: list[Scope | Node] = [self]
        while stack:
            item = stack.pop()
            if isinstance(item, Node):
                yield item
            else:
                stack.extend(reversed(item.children))

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it, outwards."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


class Node:
    """One operation in its place."""

    __slots__ = (
        "_torch", "_weights", "given", "index", "inputs", "label", "name", "op", "scope", "shape",
        "span",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        op: Op,
        inputs: tuple[Node, ...],
        shape: Shape,
        span: Span,
        scope: Scope,
        label: str | None = None,
    ) -> None:
        self.index = index
        """Its place in `Network.nodes`."""
        self.op = op
        self.inputs = inputs
        self.shape = shape
        self.span = span
        """The statement that it comes from."""
        self.scope = scope
        self.label = label
        self.name = ""
        """The full dotted name, unique in the network."""
        self.given: str | None = None
        """What the spec calls it where a parameter stands for the layer: `act`."""
        self._weights: tuple[Weight, ...] | None = None
        self._torch: tuple[Op, TorchText] | None = None

    def __repr__(self) -> str:
        return f"<{self.name or self.index}: {self.op.word}>"

    @property
    def word(self) -> str:
        """What it is named and counted by."""
        return self.given or self.op.short_word

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        return tuple(node.shape for node in self.inputs)

    @property
    def weights(self) -> tuple[Weight, ...]:
        if self._weights is None:
            self._weights = self.op.weights(*self.input_shapes)
        return self._weights

    @property
    def torch(self) -> TorchText:
        """How torch computes it."""
        if self._torch is None or self._torch[0] is not self.op:
            self._torch = self.op, self.op.torch(self.shape, *self.input_shapes)
        return self._torch[1]

    def forget_weights(self) -> None:
        """After a change of the operation."""
        self._weights = None

    @property
    def aux(self) -> bool:
        """Only there in training: part of an auxiliary head."""
        return self.scope.aux


class Allowed(NamedTuple):
    """`allow "code"`: a warning that is silenced in a region of text."""

    region: Span
    code: str
    span: Span
    """Where the code is written."""


class AuxHead:
    """An extra output that is only computed in training."""

    __slots__ = ("name", "output", "scope", "weight")

    def __init__(self, name: str, output: Node, weight: float, scope: Scope) -> None:
        self.name = name
        self.output = output
        self.weight = weight
        self.scope = scope


class Init(NamedTuple):
    """How the weights of convolutions and fully connected layers begin; their biases are zero."""

    method: str = "he"
    std: float = 0.0
    """Of `normal` and `truncated_normal`."""
    gain: float = 1.0
    """Of `xavier` and `orthogonal`: what the numbers are multiplied by."""
    uniform: bool = False
    """Spread evenly between two bounds, with the same variance."""
    slope: float = 0.0
    """Of `he`: what the rectifiers let through of what is negative."""
    zero_residual: tuple[str, ...] = ()
    """The norms, by name, whose weight begins at zero: each the last of a residual's body."""
    written: bool = False
    """The spec says so; else it follows from the activations."""


class Network:
    """A whole network with every shape known."""

    def __init__(
        self,
        name: str,
        nodes: list[Node],
        output: Node,
        aux: tuple[AuxHead, ...],
        root: Scope,
        program: Program,
        parameters: Mapping[str, object],
        sections: Mapping[str, Call],
        allowed: tuple[Allowed, ...] = (),
    ) -> None:
        self.name = name
        self.nodes = nodes
        """In an order in which they can be computed, which is the order written."""
        self.output = output
        self.aux = aux
        self.root = root
        self.program = program
        self.parameters = parameters
        self.sections = sections
        """train, augment, evaluate, transfer, as written."""
        self.allowed = allowed
        """Warnings that the spec silences."""
        self.init = Init()
        """How its weights begin."""
        self.walk: object = None
        """The `Walk` that carried the program out; the emitter carries blocks out once more."""

    def __repr__(self) -> str:
        return f"<network {self.name}, {len(self.nodes)} nodes>"

    @property
    def input(self) -> Node:
        return self.nodes[0]

    @cached_property
    def consumers(self) -> list[list[Node]]:
        """By index: the nodes that take a node's output, once for each input that it is."""
        found: list[list[Node]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for source in node.inputs:
                found[source.index].append(node)
        return found

    @cached_property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def graph(self) -> networkx.MultiDiGraph[str]:
        """By name; every edge says which input of its target it is."""
        import networkx

        graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=self.name)
        for node in self.nodes:
            graph.add_node(node.name, node=node, word=node.op.word, shape=node.shape)
        for node in self.nodes:
            for position, source in enumerate(node.inputs):
                graph.add_edge(source.name, node.name, position=position, shape=source.shape)
        return graph

    def verify(self) -> None:
        """Raises AssertionError where the promises of this structure are broken."""
        names: set[str] = set()
        for index, node in enumerate(self.nodes):
            assert node.index == index, f"{node} does not stand at its index"
            assert node.name, f"{node} has no name"
            assert node.name not in names, f"{node} has no name of its own"
            names.add(node.name)
            for source in node.inputs:
                assert source.index < index, f"{node} comes before its input {source}"
                assert self.nodes[source.index] is source, f"{source} is not of this network"
            if node.inputs:
                made = node.op.output(*node.input_shapes)
                assert made == node.shape, f"{node} claims {node.shape}, makes {made}"
        assert self.nodes[self.output.index] is self.output
