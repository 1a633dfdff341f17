"""Forms that combine what arrives with their body: residual (adds), dense (concatenates), gate
(multiplies). A residual also has its shortcut here, and the help where its shapes differ.
"""

from __future__ import annotations

from ....dsl.diagnostics import Edit
from ....dsl.syntax import Branches, Call
from ...language.evaluate import Env
from ...language.kinds import choice, number
from ...language.problems import Problem
from ...language.signature import Signature, declare
from ...language.vocabulary import SHORTCUTS
from ...network import Node, Scope
from ...ops.scale import Scaled
from ...shapes import ShapeError
from ..graph_builder import GraphBuilder, MaybeNode
from ..shortcuts import shortcut, stride_beside
from .common import Mend, arguments_of, end_of, merge_nodes, need_body, one_map_of, scope_of
from .paths import build_paths

RESIDUAL = declare(
    "residual",
    shortcut=choice("the path that the body is added to", SHORTCUTS, "auto"),
    scale=number("factor of the body's output, before it is added", 1.0),
)
DENSE = declare("dense")
GATE = declare("gate")


def residual(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `residual`: input + body; if the shapes differ, the input passes through a
    shortcut.
    """
    syntax = need_body(call, "residual { conv 64 3x3 same, bn, relu, … }")
    arguments = arguments_of(graph, call, RESIDUAL, env)
    kind = arguments.get("shortcut", "auto")
    scale = arguments.get("scale", 1.0)
    inner = scope_of(call, scope)
    if isinstance(syntax, Branches):
        output = _two_paths(graph, call, syntax, scale, inner, env, input_node)
        return graph.named(call.label, scope, inner, output)
    body = one_map_of(graph, call, syntax, inner, env, input_node)
    if body is None or input_node is None:
        return None
    if body is input_node:
        raise Problem(
            "empty-body",
            "the body of this `residual` is empty, so it adds nothing",
            call.head.span,
            help="write layers into it",
        )
    if kind == "match" and body.shape != input_node.shape:
        return graph.named(call.label, scope, inner, body)
    body = _scaled(graph, scale, body, inner)
    shortcut = _shortcut(graph, kind, call, inner, input_node, body)
    output = merge_nodes(
        graph,
        "add",
        call,
        inner,
        (body, shortcut),
        lambda: (end_of(input_node, syntax, "the input"), end_of(body, syntax, "the body")),
        lambda: _mend_residual(call, kind, input_node, body),
        [syntax],
    )
    graph.residual_sums.append(output)
    return graph.named(call.label, scope, inner, output)


def _two_paths(
    graph: GraphBuilder,
    call: Call,
    syntax: Branches,
    scale: float,
    inner: Scope,
    env: Env,
    input_node: MaybeNode,
) -> MaybeNode:
    built = build_paths(graph, syntax, inner, env, input_node)
    if built is None:
        return None
    ends = [end for end, _ in built]
    if len(ends) != 2:
        raise _not_two(call, len(ends))
    body, shortcut = ends
    output = merge_nodes(
        graph,
        "add",
        call,
        inner,
        (_scaled(graph, scale, body, inner), shortcut),
        lambda: (
            end_of(body, syntax.paths[0], "the body"),
            end_of(shortcut, syntax.paths[1], "the shortcut"),
        ),
        bodies=syntax.paths,
    )
    graph.residual_sums.append(output)
    return output


def _not_two(call: Call, count: int) -> Problem:
    return Problem(
        "paths",
        f"a `residual` has two paths, its body and its shortcut; here there are {count}",
        call.head.span,
        help="write `residual { | body | shortcut }`, or `add { | … | … | … }` for more",
    )


def _scaled(graph: GraphBuilder, scale: float, body: Node, scope: Scope) -> Node:
    if scale == 1:
        return body
    return graph.add(Scaled(factor=scale), (body,), body.shape, body.span, scope)


def _shortcut(
    graph: GraphBuilder, kind: str, call: Call, scope: Scope, input_node: Node, body: Node
) -> Node:
    """The output of the shortcut."""
    try:
        ops = shortcut(kind, input_node, body)
    except ShapeError:
        return input_node  # the addition will report the mismatch
    # A projection has a name, as a block has one.
    inner = Scope("block", "shortcut", call.head.span, scope) if len(ops) > 1 else scope
    node = input_node
    for op in ops:
        default = graph.module.defaults.get(op.word) if op.kind == "norm" else None
        op = op if default is None else op.replace(**{**default.values, **vars(op)})
        shape = op.output(node.shape)
        node = graph.add(op, (node,), shape, call.head.span, inner)
    if inner is not scope:
        inner.output = node
    return node


def _mend_residual(call: Call, kind: str, input_node: Node, body: Node) -> Mend:
    """Help for a residual whose shapes differ."""
    if input_node.shape == body.shape:
        return Mend()
    try:
        stride_beside(input_node, body)
    except ShapeError as error:
        return Mend(error.help)
    if kind not in ("identity", "pad"):
        return Mend()
    place = next(a.value.span for a in call.arguments if a.name == "shortcut" or a.name is None)
    help = "write `shortcut=auto` for a 1x1 projection"
    if input_node.shape[1:] == body.shape[1:]:
        help += f", or end the body with `conv {input_node.shape[0]} 1x1`"
    return Mend(help, (Edit(place, "auto"),))


def dense(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `dense`: concatenates input and body by channels."""
    usage = "dense { bn, relu, conv 32 }"
    return _with_input(graph, DENSE, "concat", call, scope, env, input_node, usage)


def gate(
    graph: GraphBuilder, word: str, call: Call, scope: Scope, env: Env, input_node: MaybeNode
) -> MaybeNode:
    """Executes `gate`: input times body, broadcast over the map if the body is 1x1."""
    usage = "gate { pool avg global, conv channels 1x1, sigmoid }"
    return _with_input(graph, GATE, "mul", call, scope, env, input_node, usage)


def _with_input(
    graph: GraphBuilder,
    signature: Signature,
    merged_by: str,
    call: Call,
    scope: Scope,
    env: Env,
    input_node: MaybeNode,
    usage: str,
) -> MaybeNode:
    syntax = need_body(call, usage)
    arguments_of(graph, call, signature, env)
    inner = scope_of(call, scope)
    body = one_map_of(graph, call, syntax, inner, env, input_node)
    if body is None or input_node is None:
        return None
    output = merge_nodes(
        graph,
        merged_by,
        call,
        inner,
        (input_node, body),
        lambda: (end_of(input_node, syntax, "the input"), end_of(body, syntax, "the body")),
        bodies=[syntax],
    )
    return graph.named(call.label, scope, inner, output)
