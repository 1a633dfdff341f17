"""What the forms with bodies share: they bind their arguments, open a scope, ask for a body, and
merge nodes into one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ....dsl.diagnostics import Edit, Label
from ....dsl.syntax import Body, Branches, Call
from ...diagnose.blame import arrives, first_line
from ...language.binding import bind
from ...language.evaluate import Env, evaluate_arguments, maps_in_words
from ...language.problems import Problem
from ...language.signature import Signature
from ...language.values import Maps
from ...network import Node, Scope
from ...ops.merge import Merge
from ...shapes import ShapeError, text
from ..graph_builder import Arriving, GraphBuilder, MaybeNode


def arguments_of(graph: GraphBuilder, call: Call, signature: Signature, env: Env) -> dict[str, Any]:
    given = bind(call, signature, evaluate_arguments(call.arguments, env), env, graph.words)
    default = graph.module.defaults.get(signature.word)
    return given if default is None else {**default.values, **given}


def scope_of(call: Call, scope: Scope) -> Scope:
    label = call.label.value if call.label else None
    return Scope("form", call.head.value, call.span, scope, label)


def need_body(call: Call, usage: str) -> Body | Branches:
    if call.body is None:
        from ..layer_mistakes import missing_body

        raise missing_body(call, usage)
    return call.body


def one_map_of(
    graph: GraphBuilder,
    call: Call,
    syntax: Body | Branches,
    scope: Scope,
    env: Env,
    input_node: Arriving,
) -> MaybeNode:
    """Executes the body of a form; raises Problem if it ends in a list of maps."""
    value = graph.body(syntax, scope, env, input_node)
    if not isinstance(value, Maps):
        return value
    last = syntax.statements[-1] if isinstance(syntax, Body) and syntax.statements else syntax
    raise Problem(
        "list-of-maps",
        f"`{call.head.value}` takes one map from its body, and this ends in {maps_in_words(value)}",
        first_line(last.span),
        help="end it in a layer that merges them, like `concat` or `add`, or in one of them:"
        " `from maps[0]`",
    )


class Mend(NamedTuple):
    """What to write if paths cannot be merged."""

    help: str = ""
    edits: tuple[Edit, ...] = ()


def merge_nodes(
    graph: GraphBuilder,
    word: str,
    call: Call,
    scope: Scope,
    inputs: Sequence[Node],
    labels: Callable[[], Sequence[Label]],
    mend: Callable[[], Mend] = lambda: Mend(),
    bodies: Sequence[Body | Branches] = (),
) -> Node:
    """Adds a node that merges paths, or reports an error that shows where each path comes from:
    `labels` and `mend` are called only then.
    """
    op = graph.layers.merging(word)
    try:
        for node in inputs:
            op.refuse_axes(node.shape)
        if isinstance(op, Merge) and call.head.value == "residual":
            op.refuse_different(*[node.shape for node in inputs])
        shape = op.output(*[node.shape for node in inputs])
    except ShapeError as error:
        from .different_shapes import different_shapes

        problem = different_shapes(error, call, inputs, labels(), *mend(), bodies)
        raise problem from None
    return graph.add(op, tuple(inputs), shape, call.head.span, scope)


def end_of(node: Node, body: Body | Branches, what: str) -> Label:
    """A label for the last line of a path, with its output shape."""
    label = arrives(node)
    inside = body.span.start <= node.span.start < body.span.end
    if inside and label.span.source is body.span.source:
        return Label(label.span, f"{what} ends in {text(node.shape)}")
    return Label(label.span, f"{what} is {text(node.shape)}, from here")
