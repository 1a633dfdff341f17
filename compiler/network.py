"""The network: nodes with operation, inputs, shape and origin, and the scopes around them. Its
inputs are the nodes without inputs of their own; its outputs are nodes with a name, and what is
computed in training only (`aux`) is an output, too. A layer that is applied once more with the same
weights (`share`) is a node that says whose they are.
`Node.inputs` defines the connections (in order, and possibly the same input twice); the networkx
graph is derived from it on demand, since importing networkx takes longer than most analyses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..dsl.program import Program
from ..dsl.source import Span
from ..dsl.syntax import Block, Call, Statement
from .language.values import Maps
from .ops.base import Op, TorchText, Weight, Window
from .shapes import Shape

if TYPE_CHECKING:
    import networkx

    from .language.evaluate import Env

ScopeKind = Literal["network", "block", "loop", "iteration", "form", "path"]


class Scope:
    """One executed call, loop, iteration or form of the spec: the basis of names, folding and
    messages.
    """

    __slots__ = (
        "arguments",
        "aux",
        "carried",
        "children",
        "count",
        "definition",
        "env",
        "index",
        "input",
        "just",
        "kind",
        "label",
        "lists",
        "maps",
        "maps_read",
        "name",
        "named",
        "output",
        "parent",
        "parts",
        "shares",
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
        """The word in the spec: `bottleneck`, `repeat`, `residual`; the network's name for the
        root.
        """
        self.span = span
        self.parent = parent
        self.label = label
        self.index = index
        """The index of an iteration or path, from 0, and their number."""
        self.count = count
        self.arguments = arguments
        """The arguments of a block; the values of a loop's names in an iteration."""
        self.definition: Block | None = None
        """The block that was called."""
        self.statement: Statement | None = None
        """The executed statement (not for paths), with its environment and its input."""
        self.env: Env | None = None
        self.input: Node | Maps | None = None
        self.children: list[Scope | Node] = []
        self.named: dict[str, Scope | Node] = {}
        """Labeled nodes and scopes, for references."""
        self.maps: dict[str, Node | Maps | None] = {}
        """What it is given by name: the labels passed to a block; in a round, or before the first
        one, what a loop carries."""
        self.maps_read: frozenset[str] = frozenset()
        """The names among them by which something is read."""
        self.lists: dict[tuple[int, ...], Maps] = {}
        """The lists of maps that something inside reads as a whole, by indices of the maps."""
        self.carried: dict[str, Node | Maps | None] = {}
        """What a round hands on to the next by name, or a loop to what follows it."""
        self.skipped: Counter[str] = Counter()
        """Words of layers in `if` branches that were not taken: they count in numbering."""
        self.name = ""
        """The full dotted name; without a name of its own, that of the scope around it."""
        self.parts: list[Scope | Node] = []
        """The named parts directly inside: the submodules of its torch module."""
        self.just: Scope | None = None
        """The block or loop that it is merged with, because it contains nothing else."""
        self.output: Node | Maps | None = None
        """Its output; several maps if it leaves a list."""
        self.shares: Scope | Node | None = None
        """For a `share`: what it applies once more; its own layers are copies of those."""
        self.aux: bool = parent.aux if parent else False
        if parent is not None:
            parent.children.append(self)

    def __repr__(self) -> str:
        return f"<scope {self.name or self.word}>"

    @property
    def has_name(self) -> bool:
        """Whether it has a name that the names inside begin with."""
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

    def reads_list(self, maps: Maps) -> None:
        """Records that something here reads a list of maps as a whole."""
        key = tuple([node.index for node in maps])
        for around in self.chain():
            if key in around.lists:
                return
            around.lists[key] = maps

    def given(self) -> Iterator[tuple[str, Node]]:
        """What arrives, without a name, and what it is given by name; of a list each map, with its
        number: `maps[0]`."""
        for name, value in (("", self.input), *self.maps.items()):
            if isinstance(value, Maps):
                for number, node in enumerate(value.nodes):
                    yield f"{name}[{number}]", node
            elif value is not None:
                yield name, value

    def chain(self) -> Iterator[Scope]:
        """This scope and the scopes around it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


class Node:
    """One operation of a network, with its inputs."""

    __slots__ = (
        "_torch", "_weights", "_window", "given", "index", "inputs", "label", "name", "op",
        "scope", "shape", "shared", "span",
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
        """Its index in `Network.nodes`."""
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
        """Its word in the spec if a parameter stands for the layer: `act`."""
        self.shared: Node | None = None
        """The layer whose module computes this one, too, with the same weights (`share`)."""
        self._weights: tuple[Weight, ...] | None = None
        self._torch: tuple[Op, TorchText] | None = None
        self._window: tuple[Op, Window | Literal["everything"]] | None = None

    def __repr__(self) -> str:
        return f"<{self.name or self.index}: {self.op.word}>"

    @property
    def word(self) -> str:
        """The word for naming and numbering."""
        return self.given or self.op.short_word

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        return tuple([node.shape for node in self.inputs])

    @property
    def sources(self) -> tuple[Node, ...]:
        """The inputs that it computes with. Of the others it reads the size: `upsample like=`."""
        if not self.op.sized_by:
            return self.inputs
        return self.inputs[: len(self.inputs) - len(self.op.sizes_read)]

    @property
    def weights(self) -> tuple[Weight, ...]:
        """Its own; those of a layer that is shared belong to the one written first."""
        if self._weights is None:
            self._weights = () if self.shared else self.op.weights(*self.input_shapes)
        return self._weights

    @property
    def torch(self) -> TorchText:
        """How torch computes it."""
        if self._torch is None or self._torch[0] is not self.op:
            self._torch = self.op, self.op.torch(self.shape, *self.input_shapes)
        return self._torch[1]

    @property
    def window(self) -> Window | Literal["everything"]:
        """The part of its input that each position of its output reads."""
        if self._window is None or self._window[0] is not self.op:
            self._window = self.op, self.op.window(self.shape, *self.input_shapes)
        return self._window[1]

    def forget_weights(self) -> None:
        """Clears cached weights after a change of the operation."""
        self._weights = None

    def keep_fixed(self, name: str) -> None:
        """Marks one of its weights as not trained. Its operation is then its own: others that were
        shared with it keep theirs."""
        self.op = self.op.replace()
        self._weights = tuple(
            weight._replace(trainable=False, fixed=True) if weight.name == name else weight
            for weight in self.weights
        )

    @property
    def aux(self) -> bool:
        """Whether it is part of an auxiliary head, which exists only in training."""
        return self.scope.aux


def nodes_of(value: Node | Maps | None) -> tuple[Node, ...]:
    """The layers of a map, or of a list of maps."""
    if isinstance(value, Maps):
        return value.nodes
    return () if value is None else (value,)


class Allowed(NamedTuple):
    """`allow "code"`: a warning that is silenced in a region of text."""

    region: Span
    code: str
    span: Span
    """The place of the code."""


class Output:
    """An output of a network. An auxiliary one is computed in training only, for its own loss."""

    __slots__ = ("aux", "item", "node", "weight")

    def __init__(
        self, item: Scope | Node, node: Node, *, aux: bool = False, weight: float = 1.0
    ) -> None:
        self.item = item
        """What has its name: a labeled layer or scope; the network if it is its only output."""
        self.node = node
        """The layer whose result it is."""
        self.aux = aux
        self.weight = weight
        """The weight of its loss."""

    @property
    def name(self) -> str:
        """Its full dotted name; empty for the end of a network that names no outputs."""
        return self.item.name

    @property
    def own(self) -> list[Node]:
        """The layers of its statement."""
        return list(self.item.nodes()) if isinstance(self.item, Scope) else [self.item]


def zeroed(node: Node) -> str:
    """The weight that makes the output of a layer zero if it is zero: that of a norm, or the gain
    of a standardized convolution. "" if it has none."""
    trainable = [weight.name for weight in node.weights if weight.trainable]
    if "gain" in trainable:
        return "gain"
    return "weight" if node.op.kind == "norm" and "weight" in trainable else ""


class Init(NamedTuple):
    """The initialization of convolutions and fully connected layers; biases are zero."""

    method: str = "he"
    std: float = 0.0
    """Standard deviation of `normal` and `truncated_normal`."""
    gain: float = 1.0
    """Factor of `xavier` and `orthogonal`."""
    uniform: bool = False
    """Uniform instead of normal distribution, with the same variance."""
    slope: float = 0.0
    """For `he`: the negative slope of the rectifiers."""
    zero_residual: tuple[str, ...] = ()
    """Names of the norms whose weight is initialized to zero: the last of each residual body."""
    written: bool = False
    """Whether the spec sets it; otherwise it follows from the activations."""
    dirac: bool = False
    """Whether the first filters of each convolution pass on the channels of its input."""
    whitened: str = ""
    """The name of the first convolution if its weights come from training images."""


class Network:
    """A whole network with every shape."""

    def __init__(
        self,
        name: str,
        nodes: list[Node],
        outputs: Iterable[Output],
        root: Scope,
        program: Program,
        parameters: Mapping[str, object],
        sections: Mapping[str, Call],
        allowed: tuple[Allowed, ...] = (),
    ) -> None:
        self.name = name
        self.nodes = nodes
        """The nodes in the order written, which is an order of computation."""
        outputs = tuple(outputs)
        self.outputs = tuple([output for output in outputs if not output.aux])
        """What it computes, in the order written: the end of its last line, or each `output`."""
        self.aux = tuple([output for output in outputs if output.aux])
        """Its auxiliary outputs, which exist in training only."""
        self.root = root
        self.program = program
        self.parameters = parameters
        self.sections = sections
        """The sections train, augment, evaluate, transfer, as written."""
        self.allowed = allowed
        """Warnings that the spec silences."""
        self.init = Init()
        """Its weight initialization."""
        self.size_reads: Mapping[Span, tuple[str, int]] = {}
        """Statements that read `height` or `width` of a map, with that word and its value."""
        self.walk: object = None
        """The `Walk` that executed the program; the emitter executes blocks once more."""

    def __repr__(self) -> str:
        return f"<network {self.name}, {len(self.nodes)} nodes>"

    @property
    def input(self) -> Node:
        """Its only input, or the first."""
        return self.nodes[0]

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """Its inputs, in the order written, which is that of the arguments of its module."""
        return tuple([node for node in self.nodes if not node.inputs])

    @property
    def sample(self) -> Shape:
        """The shape of one sample of its data: that of its input. Several inputs that have the same
        axes are one sample, their channels one after the other; of others, that of the first."""
        axes = {node.shape[1:] for node in self.inputs}
        if len(axes) > 1 or len(self.input.shape) < 2:
            return self.input.shape
        return (sum(node.shape[0] for node in self.inputs), *self.input.shape[1:])

    def with_output(self, name: str) -> Network:
        """The same layers, as if this output were the only one."""
        alone = copy(self)
        for known in ("ends", "returned"):
            alone.__dict__.pop(known, None)
        alone.outputs = tuple([output for output in self.outputs if output.name == name])
        return alone

    @property
    def output(self) -> Node:
        """The layer of its only output, or of the first."""
        return self.outputs[0].node

    @cached_property
    def ends(self) -> tuple[Node, ...]:
        """The layers whose results it returns: of all outputs, then of the auxiliary ones."""
        return tuple([output.node for output in (*self.outputs, *self.aux)])

    @cached_property
    def returned(self) -> frozenset[int]:
        """The indices of `ends`."""
        return frozenset([node.index for node in self.ends])

    @cached_property
    def consumers(self) -> list[list[Node]]:
        """For each node, by index: the nodes that read its output, once for each input."""
        readers: list[list[Node]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for source in node.inputs:
                readers[source.index].append(node)
        return readers

    @cached_property
    def value_consumers(self) -> list[list[Node]]:
        """Those that compute with its output; without those that only read its size."""
        if not any(node.op.sized_by for node in self.nodes):
            return self.consumers
        return [
            [each for each in readers if any(source is node for source in each.sources)]
            for node, readers in zip(self.nodes, self.consumers, strict=True)
        ]

    @cached_property
    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def graph(self) -> networkx.MultiDiGraph[str]:
        """The networkx graph, nodes by name; every edge has the index of its target's input."""
        import networkx

        graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph(name=self.name)
        for node in self.nodes:
            graph.add_node(node.name, node=node, word=node.op.word, shape=node.shape)
        for node in self.nodes:
            for position, source in enumerate(node.inputs):
                graph.add_edge(source.name, node.name, position=position, shape=source.shape)
        return graph

    def verify(self) -> None:
        """Checks the invariants of this structure; raises AssertionError."""
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
                computed = node.op.output(*node.input_shapes)
                assert computed == node.shape, f"{node} claims {node.shape}, makes {computed}"
        for end in self.ends:
            assert self.nodes[end.index] is end
