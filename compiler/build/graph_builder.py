"""The network under construction: nodes, scopes, labels, `allow` and `init`. walk.py executes
statements, and forms/ merges paths (residual, concat, …). Both add their nodes here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from ...dsl.diagnostics import Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Argument, Body, Branches, Call, Expression, Name, Statement, String
from ...dsl.syntax import Network as NetworkSyntax
from ..diagnose.blame import first_line, refuse_torch_order, shape_problem
from ..diagnose.reporter import Reporter
from ..language.evaluate import Env, maps_in_words
from ..language.fuel import Fuel
from ..language.problems import Problem, Quiet
from ..language.values import MapRef, Maps
from ..language.vocabulary import layer_words
from ..network import Allowed, Node, Output, Scope
from ..ops.base import Op
from ..shapes import AXES, SHAPE_NAMES, Shape, ShapeError, axes_of
from .calls import BlockCalls
from .labels import Labels
from .layers import Layers
from .scoping import BlockRef, Module

MaybeNode = Node | None
"""The input or output of a layer; None if an error made it unknown."""

Arriving = Node | Maps | None
"""The input or output of a statement, which may be a list of maps."""


AnyArriving = TypeVar("AnyArriving", Node, Node | None, Arriving)

Collector = Callable[[Branches, Scope, Env], None]


class InitDirective(NamedTuple):
    """`init`, as a spec writes it."""

    call: Call
    method: str
    values: dict[str, Any]


MOST_OUTPUTS = 200


class GraphBuilder(ABC):
    """Collects the nodes and scopes of a network."""

    def __init__(
        self,
        syntax: NetworkSyntax,
        module: Module,
        reporter: Reporter,
        globals_of: Callable[[Module], Env],
        block_calls: BlockCalls,
        input_shape: Shape | None,
        fuel: Fuel,
    ) -> None:
        self.syntax = syntax
        self.module = module
        """The file whose names are visible at this point."""
        self.reporter = reporter
        self.globals_of = globals_of
        self.block_calls = block_calls
        self.input_shape = input_shape
        self.fuel = fuel
        self.nodes: list[Node] = []
        self.outputs: list[Output] = []
        self.layers = Layers()
        self.labels = Labels(syntax)
        self.words = layer_words()
        self.current: Arriving = None
        """The input of the statement being executed."""
        self.at: Scope | None = None
        """The scope of the statement being executed."""
        self.running: Span | None = None
        """The statement being executed."""
        self.size_reads: dict[Span, tuple[str, int]] = {}
        """Statements whose values depend on the size of a map, with the side that they read."""
        self.has_input = False
        self.calls: list[BlockRef] = []
        """The blocks being executed, outermost first."""
        self.applied: dict[object, tuple[Op, Shape]] = {}
        self.region = module.source.span(0, len(module.source.text))
        """The text of the body being executed."""
        self.cut: dict[int, Body] = {}
        """By the id of a path: the path without what makes further paths at its end."""
        self.collector: Collector | None = None
        """Executes the paths that a loop or an `if` makes for the form around it."""
        self.left_at: dict[int, Span] = {}
        """By the index of a node: the `from` that continues elsewhere instead of after it."""
        self.allowed: list[Allowed] = []
        self.init: InitDirective | None = None
        self.residual_sums: list[Node] = []
        """The additions of residuals; the body is the first input of each."""

    @abstractmethod
    def body(self, body: Body | Branches, scope: Scope, env: Env, input_node: Arriving) -> Arriving:
        """Executes statements in order; returns the output of the last."""

    @abstractmethod
    def statement(
        self, statement: Statement, scope: Scope, env: Env, input_node: Arriving
    ) -> Arriving:
        """Executes one statement; returns its output."""

    def look_around(self, name: str) -> object:
        """The shape of the current input by name: `channels`, `height`, `width`; of a series
        `length`, of a volume also `depth`.
        """
        if name not in SHAPE_NAMES:
            raise KeyError(name)
        if self.current is None:
            raise Quiet if self.has_input else KeyError(name)
        if isinstance(self.current, Maps):
            assert self.running is not None
            raise Problem(
                "list-of-maps",
                f"`{name}` is that of one map, and {maps_in_words(self.current)} arrives",
                first_line(self.running),
                help="go on from one of them first: `from maps[0]`",
            )
        shape = self.current.shape
        names = AXES[axes_of(shape)]
        if name in names:
            value = shape[1 + names.index(name)]
            if self.running is not None:
                self.size_reads.setdefault(self.running, (name, value))
            return value
        if name == "channels":
            return shape[0]
        raise KeyError(name)

    def value_of_label(self, word: Expression) -> MapRef | Maps | None:
        """The map, or the list of maps, that a word labels here; None if it is no label."""
        if self.at is None or not self.labels.knows(word, self.at):
            return None
        value = self.labels.value(Argument(word.span, None, word), self.at)
        text = word.span.text
        return Maps(text, value.nodes) if isinstance(value, Maps) else MapRef(text, value)

    def made_list(self, maps: Maps) -> Maps:
        """Called for each list that `list` makes; returns it."""
        return maps

    # ---- nodes and labels ----

    def apply(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        call: Call,
        scope: Scope,
        label: Name | None = None,
    ) -> Node:
        """Adds a node for an operation if its input shapes fit."""
        try:
            shapes = tuple([node.shape for node in inputs])
            key = (id(op), shapes)  # the entry keeps the operation, and so its id, alive
            known = self.applied.get(key)
            if known is None:
                for shape in shapes:
                    op.refuse_axes(shape)
                known = self.applied[key] = op, op.output(*shapes)
                refuse_torch_order(op, call)
            shape = known[1]
        except ShapeError as error:
            raise shape_problem(error, op, inputs, call) from None
        return self.add(op, inputs, shape, call.span, scope, label)

    def add(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        shape: Shape,
        span: Span,
        scope: Scope,
        label: Name | None = None,
    ) -> Node:
        """Adds a node to the network."""
        self.fuel.layer(len(self.nodes) + 1, span)
        name = label.value if label else None
        node = Node(len(self.nodes), op, inputs, shape, span, scope, name)
        self.nodes.append(node)
        scope.children.append(node)
        if label is not None:
            self.labels.enter(label, scope, node)
        return node

    def named(
        self, label: Name | None, scope: Scope, item: Scope, output: AnyArriving
    ) -> AnyArriving:
        """Registers the label of a statement with a scope, once its output is known."""
        item.output = output
        if label is not None:
            self.labels.enter(label, scope, item)
        return output

    # ---- outputs ----

    def add_output(self, item: Scope | Node, node: Node, place: Span, scope: Scope) -> None:
        """Makes what a label names an output of the network."""
        name = place.text
        given = next((output for output in self.outputs if output.item is item), None)
        if given is not None:
            raise Problem(
                "output",
                f"`{name}` is an output already",
                place,
                labels=(Label(first_line(given.item.span), "what it names"),),
                help="take one of them out",
            )
        if scope.aux:
            raise Problem(
                "output",
                "an output is computed always, and an auxiliary head only in training",
                place,
                help="move it out of the `aux`",
            )
        if not node.inputs:
            raise Problem(
                "output",
                f"the output `{name}` is an input of the network, unchanged",
                place,
                labels=(Label(first_line(node.span), "the input"),),
                help="write layers between them, or take the output out",
            )
        if len(self.outputs) >= MOST_OUTPUTS:
            raise Problem(
                "limit",
                f"a network has at most {MOST_OUTPUTS} outputs",
                place,
                help="merge some of them: `concat`",
            )
        self.labels.used.add(id(item))
        self.outputs.append(Output(item, node))

    # ---- allow ----

    def allow(self, call: Call, region: Span) -> None:
        """Records the warnings that `allow` silences in a region of text."""
        if not call.arguments:
            raise Problem(
                "missing-argument",
                "`allow` needs the code of a warning",
                call.head.span,
                help='write `allow "wide-fc"`, with the code in the brackets of the warning',
            )
        for argument in call.arguments:
            code = argument.value
            if not isinstance(code, String) or argument.name is not None:
                raise Problem(
                    "argument",
                    "the code of a warning is text between double quotes",
                    argument.span,
                    help=f'write `allow "{argument.span.text}"`',
                    edits=(Edit(argument.span, f'"{argument.span.text}"'),),
                )
            self.allowed.append(Allowed(region, code.value, argument.span))
